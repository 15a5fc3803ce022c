"""The rivals of anti-transfer do what their papers say."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import network_of
from benchmarks.evidence.rivals.group_dro import GroupDRO, group_dro
from benchmarks.evidence.rivals.groups import balancing_weight, group_of, group_weighted
from benchmarks.evidence.rivals.just_train_twice import PUBLISHED, error_weight, just_train_twice
from benchmarks.evidence.rivals.last_layer_refit import (
    balanced_subset,
    its_input,
    output_layer,
    refit_last_layer,
)
from benchmarks.evidence.rivals.learning_from_failure import (
    RelativeDifficulty,
    generalised_cross_entropy,
    learning_from_failure,
)
from benchmarks.evidence.rivals.same_network import train_by, untrained


def shortcut_fold(seed=0):
    """Return a fold in which an easy nuisance gives the target away, but for a few samples."""
    rng = np.random.RandomState(seed)

    def part(n, share):
        target = rng.randint(2, size=n)
        nuisance = np.where(rng.uniform(size=n) < share, target, 1 - target)
        X = 0.3 * rng.normal(size=(n, 6)).astype(np.float32)
        X[:, 0] += 0.6 * target
        X[:, 1] += 0.6 * target
        X[:, 2] += 4 * nuisance
        return Clips(X, np.array(["no", "yes"])[target], nuisance)

    sizes = {"train": 400, "unrelated": 100, "unlabeled": 200, "valid": 60, "valid_like_test": 60,
             "test": 600, "probe": 200}  # fmt: skip
    shares = {"train": 0.95, "valid": 0.95}
    return Fold(**{name: part(n, shares.get(name, 0.5)) for name, n in sizes.items()})


def accuracy(model, part):
    return np.mean(model.predict(part.X) == part.target)


@pytest.fixture(scope="module")
def fold():
    return shortcut_fold()


@pytest.fixture(scope="module")
def plain(fold):
    return network_of(fold, 0).fit(fold.train.X, fold.train.target)


class _OfIndex(torch.nn.Module):
    """Cross-entropy that looks its targets up by the positions that it is told."""

    def __init__(self, target):
        super().__init__()
        self.register_buffer("target", torch.as_tensor(target))

    def forward(self, output, target):
        scores, index = output
        assert torch.equal(self.target[index], target)
        return cross_entropy(scores, target)


class TestSameNetwork:
    def test_positions_are_those_of_the_samples(self, fold):
        codes = np.unique(fold.train.target, return_inverse=True)[1]
        before = untrained(fold, 0)
        after = train_by(_OfIndex(codes), replace(fold, max_epochs=3), 0)
        assert accuracy(after, fold.train) > accuracy(before, fold.train)
        assert list(after.module_.state_dict()) == list(before.module_.state_dict())

    def test_it_starts_as_the_plain_network(self, fold):
        zero = network_of(fold, 3).set_params(max_epochs=0).fit(fold.train.X, fold.train.target)
        codes = np.unique(fold.train.target, return_inverse=True)[1]
        after = train_by(_OfIndex(codes), replace(fold, max_epochs=0), 3)
        for ours, theirs in zip(after.module_.parameters(), zero.module_.parameters(), strict=True):
            assert torch.equal(ours, theirs)

    def test_with_what_a_protocol_sets(self, fold):
        settings = {"module__hidden_layer_sizes": (7,), "batch_size": 50}
        fold = replace(fold, max_epochs=1, network=settings)
        codes = np.unique(fold.train.target, return_inverse=True)[1]
        net = train_by(_OfIndex(codes), fold, 0)
        assert output_layer(net.module_).in_features == 7


class TestGroups:
    def test_groups_are_pairs(self):
        clips = Clips(np.zeros((5, 1)), np.array([0, 0, 1, 1, 0]), np.array([2, 5, 2, 2, 2]))
        assert group_of(clips).tolist() == [0, 1, 2, 2, 0]

    def test_weights_balance(self):
        group = np.array([0, 0, 0, 1, 2, 2, 2, 2])
        weight = balancing_weight(group)
        assert weight.mean() == pytest.approx(1)
        np.testing.assert_allclose(np.bincount(group, weight), 8 / 3)

    def test_weights_gain(self, fold, plain):
        weighted = group_weighted(fold, None, 0, 1e-4)
        assert accuracy(weighted, fold.test) > accuracy(plain, fold.test) + 0.03


class TestGroupDRO:
    def test_weights_of_the_groups(self):
        rng = np.random.RandomState(0)
        scores, target = torch.as_tensor(rng.normal(size=(6, 3))).float(), torch.arange(6) % 3
        group, index = np.array([0, 1, 2, 1, 3, 0, 0, 0]), torch.tensor([0, 1, 3, 5, 6, 4])
        criterion = GroupDRO(group, eta=0.5)
        found = criterion((scores, index), target)
        loss = cross_entropy(scores, target, reduction="none").numpy()
        # Of batch positions: groups 0, 1, 1, 0, 0, 3; none of group 2.
        mean = np.array([loss[[0, 3, 4]].mean(), loss[[1, 2]].mean(), 0, loss[5]])
        q = np.exp(0.5 * mean) / np.exp(0.5 * mean).sum()
        np.testing.assert_allclose(criterion.q, q, rtol=1e-6)
        assert found.item() == pytest.approx(q @ mean, rel=1e-6)
        criterion((scores, index), target)
        np.testing.assert_allclose(
            criterion.q, np.exp(mean) / np.exp(mean).sum(), rtol=1e-6
        )  # weights multiply from step to step
        assert criterion.q.argmax() == mean.argmax()

    def test_weights_stay_outside_of_training(self):
        criterion = GroupDRO(np.array([0, 1])).eval()
        criterion((torch.randn(2, 2), torch.arange(2)), torch.tensor([0, 1]))
        assert criterion.q.tolist() == [0.5, 0.5]

    def test_gains(self, fold, plain):
        robust = group_dro(fold, None, 0, 1e-4)
        assert accuracy(robust, fold.test) > accuracy(plain, fold.test) + 0.03


class TestJustTrainTwice:
    def test_errors_count_more(self):
        assert error_weight(np.array([True, False, True]), 20).tolist() == [20, 1, 20]

    def test_the_second_training_draws_what_the_first_got_wrong(self, fold, monkeypatch):
        """Where only errors count, the network knows them alone."""
        monkeypatch.setitem(PUBLISHED, 1 / 5, 1e9)
        wrong = fold.train.nuisance != (fold.train.target == "yes")
        first = []

        def recorded(found, upweight):
            first.append(found)
            return error_weight(wrong, upweight)

        monkeypatch.setattr("benchmarks.evidence.rivals.just_train_twice.error_weight", recorded)
        fitted = just_train_twice(fold, None, 0, 1 / 5)
        assert accuracy(fitted, fold.train.take(wrong)) == 1
        assert accuracy(fitted, fold.train.take(~wrong)) < 0.5
        assert 0 < first[0].mean() < 0.2
        assert fitted.extra["errors"] == pytest.approx(wrong.mean())

    def test_gains(self, fold, plain):
        assert accuracy(just_train_twice(fold, None, 0, 1 / 5), fold.test) > accuracy(
            plain, fold.test
        )


class TestLearningFromFailure:
    @pytest.mark.parametrize("q", [0.3, 0.7])
    def test_gradient_of_generalised_cross_entropy(self, q):
        scores = torch.randn(5, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
        scores.requires_grad_()
        target = torch.tensor([0, 3, 1, 2, 2])
        losses = generalised_cross_entropy(scores, target, q)
        p = scores.softmax(1)[torch.arange(5), target].detach()
        torch.testing.assert_close(losses.detach(), (1 - p**q) / q)
        (ours,) = torch.autograd.grad(losses.sum(), scores)
        (theirs,) = torch.autograd.grad(cross_entropy(scores, target, reduction="sum"), scores)
        torch.testing.assert_close(ours, p[:, None] ** q * theirs)

    def test_weights_are_those_of_the_paper(self):
        rng = np.random.RandomState(0)
        target = np.array([0, 1, 1, 0, 2, 1, 0])
        criterion = RelativeDifficulty(target)
        mean = np.full((2, 7), np.nan)
        for _ in range(6):
            index = rng.permutation(7)[:4]
            losses = rng.exponential(size=(2, 4))
            weight = criterion.difficulty(torch.as_tensor(losses).float(), torch.as_tensor(index))
            for place, i in enumerate(index):
                for k in (0, 1):
                    is_new = np.isnan(mean[k, i])
                    new = losses[k, place]
                    mean[k, i] = new if is_new else 0.7 * mean[k, i] + 0.3 * new
            for place, i in enumerate(index):
                ours, biased = (mean[k, i] / np.nanmax(mean[k, target == target[i]])
                                for k in (0, 1))  # fmt: skip
                assert weight[place].item() == pytest.approx(biased / (biased + ours), rel=1e-4)
            assert ((weight >= 0) & (weight <= 1)).all()

    def test_the_biased_network_learns_nothing_from_the_weights(self):
        criterion = RelativeDifficulty(np.array([0, 1, 1]))
        scores, biased = torch.randn(2, 3, 2, requires_grad=True).unbind()
        index, target = torch.arange(3), torch.tensor([0, 1, 1])
        loss = criterion((scores, biased, index), target)
        (found,) = torch.autograd.grad(loss, biased, retain_graph=True)
        expected = generalised_cross_entropy(biased, target, 0.7).mean()
        torch.testing.assert_close(found, torch.autograd.grad(expected, biased)[0])

    def test_gains(self, fold, plain):
        debiased = learning_from_failure(fold, None, 0, 0.7)
        assert accuracy(debiased, fold.test) > accuracy(plain, fold.test) + 0.03


class TestLastLayerRefit:
    def test_balanced_subset(self):
        group = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
        chosen = balanced_subset(group, np.random.RandomState(0))
        assert len(set(chosen)) == 6
        assert np.bincount(group[chosen]).tolist() == [2, 2, 2]

    def test_only_the_last_layer_changes(self, fold, plain):
        net = copy.deepcopy(plain)
        before = {name: value.clone() for name, value in net.module_.state_dict().items()}
        refit_last_layer(net, fold.train, fold.unlabeled, 1.0)
        changed = {
            name
            for name, value in net.module_.state_dict().items()
            if not torch.equal(value, before[name])
        }
        assert changed == {"head.weight", "head.bias"}
        assert accuracy(net, fold.test) > accuracy(plain, fold.test) + 0.03

    def test_features_are_the_input_of_the_last_layer(self, fold, plain):
        layer = output_layer(plain.module_)
        assert layer is plain.module_.head
        features = torch.as_tensor(its_input(plain, fold.test.X)).float()
        scores = layer(features).detach().numpy()
        np.testing.assert_array_equal(
            plain.classes_[scores.argmax(axis=1)], plain.predict(fold.test.X)
        )

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_scores_are_those_of_the_regression(self, n_classes):
        """One fit on a single group: the layer gives what scikit-learn's model gives."""
        rng = np.random.RandomState(1)
        target = np.arange(120) % n_classes
        X = (rng.normal(size=(120, 5)) + target[:, None] * [1, 0, 0, 2, 0]).astype(np.float32)
        clips = Clips(X, target, target)
        net = network_of(replace(shortcut_fold(), train=clips, max_epochs=3), 0).fit(X, target)
        scaled = StandardScaler().fit_transform(its_input(net, X))
        model = OneVsRestClassifier(LogisticRegression(l1_ratio=1.0, C=2.0, solver="liblinear"))
        expected = model.fit(scaled, target).decision_function(scaled)
        refit_last_layer(net, clips, clips, 2.0, n_fits=1)
        found = net.forward(X).numpy()
        if n_classes == 2:
            found = found[:, 1] - found[:, 0]
        np.testing.assert_allclose(found, expected, atol=0.02)
        np.testing.assert_array_equal(net.predict(X), model.predict(scaled))
