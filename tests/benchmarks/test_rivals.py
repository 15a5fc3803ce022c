"""The rivals of anti-transfer do what their papers say."""

import copy
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version
from torch.nn.functional import cross_entropy

from atl_sklearn.modules import MLP
from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import fit_unrelated, network_of
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.methods_rivals import RIVALS
from benchmarks.evidence.rivals.deep_coral import deep_coral
from benchmarks.evidence.rivals.fairness import (
    Probability,
    adversarial_fairness,
    exponentiated_gradient,
)
from benchmarks.evidence.rivals.gradient_reversal import GradientReversal
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
from benchmarks.evidence.rivals.plain_recipe import batch_size, one_cycle, optimizer_arguments
from benchmarks.evidence.rivals.rebias import (
    Independence,
    IndependenceOfFrozen,
    WithFeatures,
    rbf_kernel,
    rebias,
    rebias_frozen,
    small_receptive_field,
    unbiased_hsic,
)
from benchmarks.evidence.rivals.same_network import train_by, untrained
from benchmarks.evidence.runs import FoldRuns, read_runs
from tests.slow import all_but_slow


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


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"),
    reason="the extra 'benchmarks' asks for scikit-learn 1.8",
)
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


def as_vectors(fold):
    """Return the fold with numbers as labels, as images of one pixel row."""
    parts = {
        name: replace(
            getattr(fold, name), X=np.abs(getattr(fold, name).X[:, None, :]), target=codes
        )
        for name in ("train", "unrelated", "unlabeled", "valid", "valid_like_test", "test", "probe")
        for codes in [np.unique(getattr(fold, name).target, return_inverse=True)[1]]
    }
    return replace(fold, **parts)


class TestReBias:
    def test_hsic_is_the_definition(self):
        rng = np.random.RandomState(0)
        features = [torch.as_tensor(rng.normal(size=(7, d))) for d in (3, 2)]
        k, m = (rbf_kernel(x, sigma).numpy() for x, sigma in zip(features, (1.0, 2.0), strict=True))
        for kernel, x, sigma in zip((k, m), features, (1.0, 2.0), strict=True):
            for i in range(7):
                for j in range(7):
                    distance = ((x[i] - x[j]) ** 2).sum().item()
                    expected = np.exp(-distance / (2 * sigma**2)) if i != j else 0
                    assert kernel[i, j] == pytest.approx(expected)
        # The mean over all choices of four different samples, of which it is a U-statistic.
        terms = [
            k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
            for i, j, q, r in itertools.permutations(range(7), 4)
        ]
        found = unbiased_hsic(torch.as_tensor(k), torch.as_tensor(m)).item()
        assert found == pytest.approx(np.mean(terms))

    def test_dependence_is_larger(self):
        generator = torch.Generator().manual_seed(0)
        x, noise = torch.randn(2, 200, 3, generator=generator).double().unbind()
        kernel = rbf_kernel(x, 1.0)
        independent = unbiased_hsic(kernel, rbf_kernel(noise, 1.0)).item()
        dependent = unbiased_hsic(kernel, rbf_kernel(x**2, 1.0)).item()
        assert abs(independent) < 1e-3
        assert dependent > 5e-3

    def test_of_few_samples_there_is_none(self):
        kernel = rbf_kernel(torch.randn(3, 2), 1.0)
        assert unbiased_hsic(kernel, kernel) == 0

    def test_one_lowers_what_the_other_raises(self):
        generator = torch.Generator().manual_seed(1)
        features, biased = torch.randn(2, 20, 3, generator=generator).unbind()
        features.requires_grad_()
        biased.requires_grad_()
        scores, index = torch.zeros(20, 2), torch.arange(20)
        loss = Independence(2.0)((scores, features, scores, biased, index), index % 2)
        found = torch.autograd.grad(loss, [features, biased])
        hsic = unbiased_hsic(rbf_kernel(features, 1.0), rbf_kernel(biased, 1.0))
        ours, theirs = torch.autograd.grad(2 * hsic, [features, biased])
        torch.testing.assert_close(found[0], ours)
        torch.testing.assert_close(found[1], -theirs)
        assert loss.item() == pytest.approx(2 * np.log(2), rel=1e-6)

    def test_features_are_the_input_of_the_output_layer(self):
        nets = [torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, n))
                for n in (2, 5)]  # fmt: skip
        x = torch.randn(6, 3)
        scores, features, others, other_features, _ = WithFeatures(nets)(x, torch.arange(6))
        for net, s, f in zip(nets, (scores, others), (features, other_features), strict=True):
            torch.testing.assert_close(s, net(x))
            torch.testing.assert_close(f, net[1](net[0](x)))

    def test_a_small_receptive_field_does_not_see_where_anything_is(self):
        net = small_receptive_field((3, 4, 5), 2).eval()
        x = torch.randn(2, 3, 4, 5)
        order = torch.randperm(20)
        moved = x.flatten(2)[:, :, order].reshape(x.shape)
        torch.testing.assert_close(net(moved), net(x))
        torch.testing.assert_close(net(x.flatten(1)), net(x))

    def test_it_is_less_dependent_on_the_unrelated_network(self, fold):
        unrelated = network_of(fold, 9).fit(fold.unrelated.X, fold.unrelated.nuisance)

        def dependence(weight):
            model = rebias_frozen(fold, unrelated, 0, weight)
            features = torch.as_tensor(model.features(fold.probe.X))
            nuisance = torch.as_tensor(fold.probe.nuisance, dtype=features.dtype)[:, None]
            width = torch.pdist(features).median().item()
            return unbiased_hsic(rbf_kernel(features, width), rbf_kernel(nuisance, 1.0)).item()

        assert dependence(10.0) < dependence(0.0)

    def test_it_applies_to_images_flattened_or_not(self, fold):
        method = METHODS["rebias"]
        assert not method.applies_to(fold)
        assert method.applies_to(replace(fold, image_shape=(1, 2, 3)))
        flat = replace(fold, image_shape=(1, 2, 3), max_epochs=1)
        assert 0 <= accuracy(rebias(flat, None, 0, 1.0), fold.test) <= 1


class TestDeepCoral:
    def test_covariances_come_closer(self, fold):
        pytest.importorskip("skada")
        wide = replace(fold.unlabeled, X=fold.unlabeled.X * np.float32(2.5))
        fold = replace(fold, unlabeled=wide)

        def distance(weight):
            model = deep_coral(fold, None, 0, weight)
            ours, theirs = (np.cov(model.features(part.X).T) for part in (fold.train, wide))
            return np.linalg.norm(ours - theirs) / np.linalg.norm(ours)

        assert distance(1000.0) < 0.7 * distance(0.0)

    def test_without_weight_it_is_a_plain_network(self, fold, plain):
        pytest.importorskip("skada")
        model = deep_coral(fold, None, 0, 0.0)
        assert accuracy(model, fold.train) > 0.95
        assert accuracy(model, fold.test) == pytest.approx(accuracy(plain, fold.test), abs=0.1)


def selection_gap(model, part):
    chosen = model.predict(part.X) == "yes"
    return abs(chosen[part.nuisance == 1].mean() - chosen[part.nuisance == 0].mean())


class TestFairness:
    @pytest.mark.parametrize("build", [adversarial_fairness, exponentiated_gradient])
    def test_selection_rates_come_closer(self, build, fold, plain):
        pytest.importorskip("fairlearn")
        value = METHODS[build.__name__.replace("_", "-")].values[0]
        model = build(replace(fold, max_epochs=10), None, 0, value)
        assert selection_gap(model, fold.train) < 0.9 * selection_gap(plain, fold.train)
        assert model.features(fold.probe.X).shape[0] == len(fold.probe.X)

    def test_they_apply_to_tables_of_two_by_two(self, fold):
        method = METHODS["adversarial-fairness"]
        assert method.applies_to(fold)
        assert not method.applies_to(as_vectors(fold))
        three = replace(fold.train, target=np.arange(len(fold.train.X)) % 3)
        assert not method.applies_to(replace(fold, train=three))

    def test_probability(self):
        net = torch.nn.Linear(3, 2)
        x = torch.randn(4, 3)
        torch.testing.assert_close(Probability(net)(x)[:, 0], net(x).softmax(1)[:, 1])


class TestPlainRecipe:
    def test_the_schedule_is_the_plain_network_s(self, fold):
        net = network_of(replace(fold, max_epochs=2), 0).fit(fold.train.X, fold.train.target)
        n_steps = 2 * -(-len(fold.train.X) // batch_size(fold))
        optimizer = torch.optim.AdamW([torch.zeros(1)], **optimizer_arguments(fold))
        schedule = one_cycle(optimizer, fold, n_steps)
        for _ in range(n_steps):
            last = optimizer.param_groups[0]["lr"]
            optimizer.step()
            schedule.step()
        assert last == pytest.approx(net.history[-1]["lr"], abs=1e-5)


class TestDevices:
    """Everything is where the network is; PyTorch's "meta" device stands in for a GPU."""

    @pytest.mark.parametrize(
        "criterion",
        [
            GroupDRO(np.array([0, 1, 2, 1])),
            RelativeDifficulty(np.array([0, 1, 2, 1])),
            Independence(),
            IndependenceOfFrozen(np.eye(4)),
        ],
        ids=lambda criterion: type(criterion).__name__,
    )
    def test_losses(self, criterion):
        def tensor(*shape):
            return torch.zeros(*shape, device="meta", requires_grad=True)

        index = torch.arange(4, device="meta")
        outputs = {
            GroupDRO: (tensor(4, 3), index),
            RelativeDifficulty: (tensor(4, 3), tensor(4, 3), index),
            Independence: (tensor(4, 3), tensor(4, 5), tensor(4, 3), tensor(4, 6), index),
            IndependenceOfFrozen: (tensor(4, 3), tensor(4, 5), index),
        }[type(criterion)]
        loss = copy.deepcopy(criterion).to("meta")(outputs, index % 3)
        assert loss.device.type == "meta"
        loss.backward()

    def test_weights_of_learning_from_failure(self):
        criterion = RelativeDifficulty(np.array([0, 1, 1])).to("meta")
        index = torch.arange(2, device="meta")
        weight = criterion.difficulty(torch.zeros(2, 2, device="meta"), index)
        assert weight.device.type == "meta"

    def test_gradient_reversal(self):
        module = MLP(input_shape=(3,), n_outputs=2).to("meta")
        X, labels = np.zeros((40, 3), np.float32), np.arange(40) % 4
        reversal = GradientReversal(X, labels, "hidden.1.activation", 1.0, batch_size=10)
        net = SimpleNamespace(module_=module, max_epochs=1, batch_size=20)
        reversal.on_train_begin(net, y=labels)
        reversal.on_grad_computed(net, module.named_parameters())
        assert {p.device.type for p in reversal.reader_.parameters()} == {"meta"}
        assert module.hidden[0].linear.weight.grad.device.type == "meta"

    def test_what_the_output_layer_is_given_comes_to_the_cpu(self):
        module = MLP(input_shape=(3,), n_outputs=2).to("meta")
        net = SimpleNamespace(module_=module, predict=lambda X: module(X.to("meta")))
        # What is copied has no values there; without the copy it is a TypeError.
        with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
            its_input(net, torch.zeros(4, 3))

    @pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # concept_erasure's
    @pytest.mark.parametrize("name", all_but_slow(RIVALS, "reversal-train", "rebias-frozen"))
    def test_rivals_run(self, name, device, fold):
        """With ``--device cuda`` the estimators take the GPU, and so must what is beside them."""
        method = METHODS[name]
        brief = replace(fold, max_epochs=1, unrelated_epochs=1, balanced=fold.test)
        if name == "rebias":
            brief = replace(brief, image_shape=(1, 2, 3))
        if name == "erasure":
            pytest.importorskip("concept_erasure", reason="concept_erasure is not installed")
        if method.missing_package() is not None:
            pytest.skip(f"{method.package} is not installed")
        unrelated = fit_unrelated(brief, 0)
        assert next(unrelated.module_.parameters()).device.type == device
        model = method.build(brief, unrelated, 0, method.values[0])
        assert model.features(fold.probe.X).shape[0] == len(fold.probe.X)
        assert set(model.predict(fold.test.X)) <= {"no", "yes"}


def test_what_is_not_installed_is_left_out_and_named(tmp_path, monkeypatch, capsys):
    other = replace(METHODS["plain"], package="no_such_package")
    monkeypatch.setitem(METHODS, "plain", other)
    FoldRuns("table", 0, tmp_path / "runs.jsonl").run_method("plain", 1)
    assert "plain is left out: it needs no_such_package" in capsys.readouterr().out
    assert read_runs(tmp_path / "runs.jsonl") == []
