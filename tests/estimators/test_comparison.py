"""What of the unrelated network is compared, by which metrics, and with which weight."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, activation_similarity
from atl_sklearn.estimators._confounding import confounding
from atl_sklearn.inspection import extract_activations
from atl_sklearn.unrelated import FrozenNetwork

FAST = {"max_epochs": 2, "random_state": 0}


def penalty_before_training(net, X, y):
    """Return the penalty of the first batch, which holds all samples."""
    net.set_params(max_epochs=1, batch_size=-1, lr=0.0)
    return net.fit(X, y).history[-1, "train_penalty"]


class TestOutputs:
    def test_posterior_is_what_predict_proba_returns(self, tabular, unrelated):
        X, y, _ = tabular
        seen = []

        def metric(current, theirs):
            seen.append(theirs)
            return (current * 0).sum()

        net = AntiTransferClassifier(
            unrelated=unrelated, unrelated_layer="posterior", metric=metric,
            aggregation="none", random_state=0,
        )  # fmt: skip
        penalty_before_training(net, X, y)
        np.testing.assert_allclose(
            seen[-1].squeeze(-1).numpy(), unrelated.predict_proba(X), atol=1e-6
        )

    def test_output_is_what_the_network_returns(self, tabular, unrelated):
        X, y, _ = tabular
        net = AntiTransferClassifier(
            unrelated=unrelated, unrelated_layer="output", metric="cka", random_state=0
        )
        value = penalty_before_training(net, X, y)
        ours = torch.as_tensor(extract_activations(net, X))
        theirs = unrelated.forward(X.astype(np.float32))
        expected = activation_similarity(ours, theirs, metric="cka").item()
        assert value == pytest.approx(expected, rel=1e-4)

    def test_posterior_of_a_module_and_of_a_regressor(self, tabular):
        X, y, _ = tabular
        network = torch.nn.Sequential(torch.nn.Linear(6, 3))
        x = torch.tensor(X[:4], dtype=torch.float32)
        frozen = FrozenNetwork(network)
        frozen.choose(["posterior", "output"], x)
        posterior, output = frozen(x)
        torch.testing.assert_close(posterior, network(x).softmax(1).detach())
        torch.testing.assert_close(output, network(x).detach())
        single = FrozenNetwork(torch.nn.Sequential(torch.nn.Linear(6, 1)))
        single.choose("posterior", x)
        assert ((single(x)[0] > 0) & (single(x)[0] < 1)).all()
        regressor = AntiTransferRegressor(**FAST).fit(X, X[:, 0])
        net = AntiTransferClassifier(
            unrelated=regressor, weight=1.0, penalty_every=1, unrelated_layer="posterior", **FAST
        )
        assert net.fit(X, y).history[-1, "train_penalty"] >= 0

    def test_a_layer_of_that_name_is_that_layer(self):
        network = torch.nn.Sequential()
        network.add_module("output", torch.nn.Linear(3, 4))
        network.add_module("after", torch.nn.ReLU())
        frozen = FrozenNetwork(network)
        frozen.choose("output", torch.zeros(2, 3))
        x = torch.ones(2, 3)
        torch.testing.assert_close(frozen(x)[0], network.output(x).detach())

    def test_the_current_output(self, tabular, unrelated):
        X, y, _ = tabular
        net = AntiTransferClassifier(
            unrelated=unrelated, layer="output", unrelated_layer="posterior", **FAST
        ).fit(X, y)
        assert net.history[-1, "train_penalty"] > 0

    def test_the_current_posterior_is_what_predict_proba_returns(self, tabular, unrelated):
        X, y, _ = tabular
        seen = []

        def kept(ours, theirs):
            seen.append((ours.detach(), theirs))
            return (ours * theirs).mean()

        net = AntiTransferClassifier(
            unrelated=unrelated, layer="posterior", metric=kept, lr=0.0, batch_size=-1,
            iterator_train__shuffle=False, max_epochs=1, random_state=0,
        ).fit(X, y)  # fmt: skip
        ours, theirs = (side.flatten(1).numpy() for side in seen[-1])
        np.testing.assert_allclose(ours, net.predict_proba(X), atol=1e-6)
        np.testing.assert_allclose(theirs, unrelated.predict_proba(X), atol=1e-6)

    def test_the_current_posterior_of_a_regressor_is_its_output(self, tabular, unrelated):
        X, y, _ = tabular
        params = {"unrelated": unrelated, "unrelated_layer": "posterior", **FAST}
        nets = [
            AntiTransferRegressor(layer=layer, **params).fit(X, y.astype(float))
            for layer in ("output", "posterior")
        ]
        np.testing.assert_array_equal(*(net.predict(X) for net in nets))


class TestMetrics:
    def test_one_for_each_layer(self, tabular, unrelated):
        X, y, _ = tabular
        net = AntiTransferClassifier(
            unrelated=unrelated,
            layer=["last", "last"],
            unrelated_layer=["last", "posterior"],
            metric=["adversarial", "ridge_r2"],
            **FAST,
        ).fit(X, y)
        names = [name for name in net.history[-1] if name.startswith("train_penalty")]
        assert names == ["train_penalty_hidden.1.activation", "train_penalty_hidden.1.activation_2"]

    @pytest.mark.parametrize("parameter", ["metric", "aggregation"])
    def test_as_many_as_layers(self, tabular, unrelated, parameter):
        X, y, _ = tabular
        option = {"metric": ["cka", "hsic"], "aggregation": ["none", "max"]}[parameter]
        net = AntiTransferClassifier(unrelated=unrelated, **{parameter: option})
        with pytest.raises(ValueError, match=f"'{parameter}' parameter .* each of 1 layers"):
            net.fit(X, y)

    def test_the_reader_is_no_part_of_the_network(self, tabular, unrelated):
        X, y, _ = tabular
        net = AntiTransferClassifier(unrelated=unrelated, metric="adversarial", **FAST).fit(X, y)
        plain = AntiTransferClassifier(**FAST).fit(X, y)
        assert net.module_.state_dict().keys() == plain.module_.state_dict().keys()
        optimized = sum(len(group["params"]) for group in net.optimizer_.param_groups)
        assert optimized == len(list(net.module_.parameters()))

    def test_the_reader_learns(self, tabular, unrelated):
        X, y, _ = tabular
        net = AntiTransferClassifier(
            unrelated=unrelated, metric="adversarial", weight=1e-6, lr=0.0, max_epochs=60,
            random_state=0,
        ).fit(X, y)  # fmt: skip
        values = net.history[:, "train_penalty"]
        assert values[-1] > values[0] + 0.2

    def test_conditional_leaves_out_what_the_target_explains(self, tabular, unrelated):
        X, _, nuisance = tabular
        # The target is the nuisance: all that the networks share is between its classes.
        values = [
            penalty_before_training(
                AntiTransferClassifier(
                    unrelated=unrelated, unrelated_layer="posterior", metric="cka",
                    conditional=conditional, random_state=0,
                ), X, nuisance,
            )
            for conditional in (False, True)
        ]  # fmt: skip
        assert values[1] < values[0]


class TestConfounding:
    def test_independent_answers_have_none(self):
        rng = np.random.RandomState(0)
        answers, targets = rng.dirichlet(np.ones(4), size=300), rng.randint(5, size=300)
        assert confounding(answers, targets) == 0

    def test_what_gives_the_target_away_has_one(self):
        targets = np.arange(300) % 5
        assert confounding(np.eye(5)[targets], targets) == pytest.approx(1, abs=0.01)
        rng = np.random.RandomState(0)
        noisy = np.where(rng.uniform(size=300) < 0.8, targets, rng.randint(5, size=300))
        assert 0.5 < confounding(np.eye(5)[noisy], targets) < 0.8

    def test_it_is_leave_one_out(self):
        rng = np.random.RandomState(0)
        answers, targets = rng.normal(size=(40, 3)), rng.normal(size=40)
        targets += answers[:, 0]
        ones = np.ones((40, 1))
        errors = []
        for X in (answers, 0 * ones):
            predicted = cross_val_predict(LinearRegression(), X, targets, cv=LeaveOneOut())
            errors.append(np.sum((predicted - targets) ** 2))
        assert confounding(answers, targets) == pytest.approx(1 - errors[0] / errors[1], rel=1e-2)

    def test_weights_of_zero_leave_samples_out(self):
        rng = np.random.RandomState(0)
        answers, targets = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
        targets[:, 0] += answers[:, 0]
        weight = rng.randint(2, size=40)
        expected = confounding(answers[weight > 0], targets[weight > 0])
        assert confounding(answers, targets, weight) == pytest.approx(expected)
        assert confounding(answers[:2], targets[:2]) == 0


class Counted(torch.nn.Sequential):
    """Counts how often it runs without being trained; the same count in every copy."""

    counts: ClassVar[Counter] = Counter()

    def __init__(self, name, n_features=6):
        super().__init__(torch.nn.Linear(n_features, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        self.name = name

    def forward(self, x):
        if not self.training:
            Counted.counts[self.name] += 1
        return super().forward(x)


@pytest.mark.parametrize("unlabeled", [False, True])
@pytest.mark.parametrize("memory", [False, True])
def test_few_passes_before_training(unlabeled, memory, tabular, tmp_path, monkeypatch):
    """One of the network in training; two of the unrelated one, as halves may differ."""
    X, y, _ = tabular

    class Begins(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if not begun:
                begun.update(Counted.counts)

    begun = {}
    monkeypatch.setattr(Counted, "counts", Counter())
    net = AntiTransferClassifier(
        Counted("ours"),
        unrelated=Counted("theirs"),
        weight=1.0,
        penalty_every=1,
        memory=tmp_path if memory else None,
        callbacks=[Begins()],
        max_epochs=2,
        random_state=0,
    )
    net.fit(X, y, X_unlabeled=X[:30] if unlabeled else None)
    # Where data are not compared in training, nothing of them is kept, and halves do not matter.
    # What is kept in a folder is computed before training, all samples at once.
    expected = {"ours": 2, "theirs": 3} if unlabeled else {"ours": 1, "theirs": 2}
    assert begun == {**expected, "theirs": expected["theirs"] + memory}
