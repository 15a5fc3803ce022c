"""The protocols with painted digits, on a small imitation of MNIST."""

from dataclasses import replace

import numpy as np
import pytest

from atl_sklearn import AntiTransferClassifier
from benchmarks.evidence import painted_digits
from benchmarks.evidence.folds import PARTS
from tests.slow import all_but_slow

pytest.importorskip("concept_erasure", reason="concept_erasure is not installed")

from benchmarks.evidence.method import fit_unrelated
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import ON_TRAINING_SAMPLES, PROTOCOLS
from benchmarks.evidence.runs import measure

SIZES = {"n_train": 600, "n_unlabeled": 200, "n_valid": 100, "n_probe": 150}
N = {"train": 1000, "test": 300}


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch):
    rng = np.random.RandomState(0)
    images = {s: rng.randint(256, size=(n, 6, 5)) * (rng.rand(n, 6, 5) < 0.3)
              for s, n in N.items()}  # fmt: skip
    digits = {s: np.sort(np.arange(n) * 7 % 10) for s, n in N.items()}  # as MNIST is ordered

    def mnist(subset):
        return images[subset].astype(np.uint8), digits[subset]

    monkeypatch.setattr(painted_digits, "_mnist", mnist)


def own_colors(part):
    return np.array([np.bincount(part.nuisance[part.target == d]).argmax() for d in range(10)])


@pytest.mark.parametrize("conflicting", [0.02, 0.2])
def test_the_color_gives_the_digit_away_in_training_only(conflicting):
    fold = painted_digits.coloured_mnist(1, conflicting, **SIZES)
    own = own_colors(fold.train)
    assert sorted(own) == list(range(10))
    agree = {name: np.mean(own[part.target] == part.nuisance) for name in PARTS
             if (part := getattr(fold, name)) is not None}  # fmt: skip
    for name in ("train", "valid", "unrelated"):
        assert agree[name] == pytest.approx(1 - conflicting, abs=0.05)
    for name in ("test", "unlabeled", "valid_like_test", "balanced"):
        assert agree[name] == pytest.approx(0.1, abs=0.08)
    assert [len(getattr(fold, name).X) for name in PARTS[:8]] == [
        600, 600, 200, 100, 100, 300, 150, 600,
    ]  # fmt: skip
    for part in (fold.train, fold.test):
        assert part.X.shape[1:] == (3 * 30,)
        assert part.X.dtype == np.uint8
        assert (np.bincount(part.target) > len(part.target) / 20).all()
    assert len(np.unique(fold.train.target[:50])) == 10  # shuffled
    assert fold.reads_training_nuisance


def test_parts_share_no_image_and_folds_differ():
    fold = painted_digits.coloured_mnist(0, **SIZES)
    # The strokes are the channel that is brightest, whatever the colour.
    parts = ("train", "unlabeled", "valid", "valid_like_test")
    strokes = np.concatenate(
        [getattr(fold, name).X.reshape(-1, 3, 30).any(axis=1) for name in parts]
    )
    assert len(np.unique(strokes, axis=0)) > 990  # of 1,000, but for chance
    other = painted_digits.coloured_mnist(2, **SIZES)
    assert (own_colors(fold.train) != own_colors(other.train)).any()
    again = painted_digits.coloured_mnist(0, **SIZES)
    np.testing.assert_array_equal(again.train.X, fold.train.X)


def test_more_images_than_there_are():
    with pytest.raises(ValueError, match="are 1200 images; MNIST has 1000"):
        painted_digits.coloured_mnist(0, **{**SIZES, "n_unlabeled": 400})


@pytest.mark.parametrize(
    "name",
    all_but_slow(
        ["plain", "product", "cross", "reversal-train", "from-unrelated", "erasure"], "product"
    ),
)
def test_methods_train_the_published_network(name):
    fold = replace(painted_digits.coloured_mnist(0, **SIZES), max_epochs=1)
    unrelated = fit_unrelated(fold, 0)
    assert unrelated.batch_size == 256
    assert [tuple(p.shape) for p in unrelated.module_.parameters()][::2] == [
        (100, 90), (100, 100), (100, 100), (10, 100),
    ]  # fmt: skip
    model = METHODS[name].build(fold, unrelated, 0, METHODS[name].values[0])
    assert model.features(fold.probe.X).shape == (150, 100)
    assert 0 <= measure(model, fold)["accuracy"] <= 1


BIASED = {**SIZES, "n_test": 200}


@pytest.mark.parametrize("rho", [0.99, 0.8])
def test_the_background_gives_the_digit_away_in_training_only(rho):
    fold = painted_digits.biased_mnist(1, rho, **BIASED)
    own = own_colors(fold.train)
    assert sorted(own) == list(range(10))
    for name, share in [("train", rho), ("valid", rho), ("test", 0.1), ("unlabeled", 0.1),
                        ("valid_like_test", 0.1), ("balanced", 0.1)]:  # fmt: skip
        part = getattr(fold, name)
        assert np.mean(own[part.target] == part.nuisance) == pytest.approx(share, abs=0.08)
    assert fold.train.X.shape == (600, 3, 6, 5)
    assert fold.test.X.shape == (200, 3, 6, 5)
    assert fold.network == {}
    assert fold.reads_training_nuisance
    # White strokes before one colour, which is that of the label.
    colors = {}
    for image, color in zip(fold.train.X, fold.train.nuisance, strict=True):
        found = np.unique(image.reshape(3, -1).T, axis=0)
        (paint,) = [tuple(c) for c in found if tuple(c) != (255, 255, 255)]
        assert colors.setdefault(color, paint) == paint
    assert len(set(colors.values())) == 10


def test_biased_mnist_of_the_published_size(monkeypatch):
    made = {}
    monkeypatch.setattr(
        painted_digits, "_fold", lambda *args, **kwargs: made.update(kwargs, sizes=args[2])
    )
    painted_digits.biased_mnist(0, 0.999, full=True)
    assert made["sizes"] == (50_000, 5_000, 2_500)
    assert made["n_test"] == 10_000
    assert made["max_epochs"] == 80


@pytest.mark.parametrize(
    "name",
    all_but_slow(
        ["plain", "product", "reversal-labels", "from-unrelated", "cross-layers"], "cross-layers"
    ),
)
def test_methods_train_networks_of_four_blocks(name):
    network = {"module__channels": (4, 4, 4, 8), "module__kernel_size": 7,
               "module__pool_after": (), "batch_size": 256}  # fmt: skip
    fold = replace(painted_digits.biased_mnist(0, **BIASED), max_epochs=1, unrelated_epochs=1,
                   network=network)  # fmt: skip
    assert METHODS[name].applies_to(fold) == (name != "cross-layers")
    if METHODS[name].applies_to(fold):
        unrelated = fit_unrelated(fold, 0)
        model = METHODS[name].build(fold, unrelated, 0, METHODS[name].values[0])
        assert model.features(fold.probe.X).shape == (150, 8)
        assert model.predict(fold.test.X).shape == (200,)


def test_tables_know_that_the_unrelated_network_reads_the_training_images():
    of_here = {"coloured_mnist": "coloured-mnist-", "biased_mnist": "biased-mnist-"}
    found = set()
    for name, (make, _) in PROTOCOLS.items():
        maker = getattr(getattr(make, "func", make), "__name__", "")
        if maker in of_here:
            assert name.startswith(of_here[maker])
            found.add(name)
    assert len(found) == 12
    assert found == {name for name in ON_TRAINING_SAMPLES if "mnist" in name}


def test_nothing_else_is_set():
    fold = painted_digits.coloured_mnist(0, **SIZES)
    AntiTransferClassifier(**fold.network)
    assert fold.network.keys() == {"module__hidden_layer_sizes", "batch_size"}
