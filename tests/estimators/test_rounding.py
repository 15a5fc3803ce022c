"""Rounding stays rounding through many epochs, so that trained networks agree on all processors."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from atl_sklearn import AntiTransferClassifier
from tests.any_width import any_width

# Far more epochs at a far higher rate than such data need: the penalty has nothing left to lose.
EXACT = {"precision": "float64", "batch_size": -1, "lr": 0.02}
# Steps that stay large: it is they that jump across a kink.
EXACT |= {"lr_schedule": "constant", "max_grad_norm": None, "weight_decay": 0.01}


class OneUlp(Callback):
    """Moves each initial weight to the next number, up or down."""

    def on_train_begin(self, net, **kwargs):
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in net.module_.parameters():
                up = torch.rand(weight.shape, generator=generator) < 0.5
                weight.copy_(weight.nextafter(torch.where(up, torch.inf, -torch.inf).to(weight)))


def few_samples():
    rng = np.random.RandomState(42)
    X, y = rng.rand(15, 30), rng.randint(3, size=15)
    return X, y, rng.randint(5, size=15)


def as_wide_as_the_last_layer():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 50), nn.ReLU()).double()


def deviations(estimator):
    """Return what one ulp, other processors' rounding and weights for repetitions change."""
    X, y, weight = few_samples()
    repeated = X.repeat(weight, axis=0), y.repeat(weight)
    order = np.random.RandomState(0).permutation(15)

    def predicted(X_train, y_train, **kwargs):
        params = estimator.get_params(deep=False)
        net = type(estimator)(**{**params, **kwargs.pop("params", {})})
        net.fit(X_train, y_train, **kwargs)
        return getattr(net, "predict_proba", net.predict)(X)

    expected = predicted(*repeated)
    others = {
        "one ulp": predicted(*repeated, params={"callbacks": [("ulp", OneUlp())]}),
        "weights": predicted(X[order], y[order], sample_weight=weight[order]),
    }
    return {name: np.abs(other - expected).max() for name, other in others.items()}


CASES = [
    (any_width, {"max_epochs": 200}),
    (as_wide_as_the_last_layer, {"max_epochs": 100, "metric": "distance_correlation"}),
    (
        as_wide_as_the_last_layer,
        {"max_epochs": 100, "metric": "distance_correlation", "aggregation": "gram"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("make_unrelated", "params"), CASES)
def test_a_penalty_near_zero_multiplies_no_rounding(make_unrelated, params):
    seed = 1 if "metric" in params else 0
    params = {"random_state": seed, "weight": 1.0, **params, **EXACT}
    net = AntiTransferClassifier(unrelated=make_unrelated(), **params)
    assert max(deviations(net).values()) < 1e-11
