"""scikit-learn's own checks for the search, in double precision and full batches."""

import numpy as np
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.tuning import AntiTransferSearchCV


def rebuild(state):
    network = AnyWidth()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network


class AnyWidth(nn.Module):
    """Takes data of any width, since those of the checks have many."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 4)

    def forward(self, x):
        x = x.flatten(1)
        return self.linear(torch.stack([x.mean(dim=1), x[:, 0]], dim=1))

    def __reduce__(self):
        # By content: the checks compare parameters by joblib.hash.
        state = {name: value.numpy().copy() for name, value in self.state_dict().items()}
        return rebuild, (state,)


def any_width():
    torch.manual_seed(0)
    return AnyWidth()


def search_of(estimator):
    net = estimator(
        unrelated=any_width(), unrelated_layer="linear", precision="float64", batch_size=-1,
        max_epochs=12, lr=0.15, random_state=0, module__hidden_layer_sizes=(12, 8),
    )  # fmt: skip
    return AntiTransferSearchCV(
        net, objective="accuracy", n_trials=2, cv=2, refit="best", random_state=0
    )


# Nothing is expected to fail.
@parametrize_with_checks([search_of(AntiTransferClassifier), search_of(AntiTransferRegressor)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_no_check_is_skipped_for_lack_of_a_network():
    X = np.random.RandomState(0).normal(size=(40, 3))
    search = search_of(AntiTransferClassifier).fit(X, X[:, 0] > 0)
    assert search.cv_results_["state"].tolist() == ["complete", "complete"]
    assert search.score(X, X[:, 0] > 0) > 0.9
