"""What errors say of a value, what a number is, and labels that are missing, wherever they are."""

from fractions import Fraction
from numbers import Integral
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from skorch import NeuralNet
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import SliceDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn._validation import check_no_missing, is_number, refuse, shown
from atl_sklearn.audio import AudioSegmenter, LibrosaFeatures, SegmentAggregator
from atl_sklearn.inspection import probe_score
from atl_sklearn.tuning import AntiTransferSearchCV, compare


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


def test_values_are_shown_in_short():
    assert shown("a" * 1000) == "'" + "a" * 299 + "..."
    assert shown(10**5000) == "an int of more than 64 bits"  # Python refuses to print it
    assert shown(Unprintable()) == "<Unprintable>"
    error = refuse(SimpleNamespace(lr=-1), "lr", "above 0", "Raise it.")
    assert str(error) == (
        "The 'lr' parameter of SimpleNamespace must be above 0. Got -1 instead. Raise it."
    )


@pytest.mark.parametrize("value", [1, 0.5, np.int8(1), np.float32(1), Fraction(1, 2)])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize(
    "value",
    [True, np.True_, None, "1", 1j, np.nan, np.inf, 10**400, Fraction(10**400), [1], np.ones(1)],
)
def test_what_is_no_number(value):
    assert not is_number(value)
    assert not is_number(value, Integral)


# ---- missing values -------------------------------------------------------------------------

TEXT = pd.Series(["f", "m", "f", "m"])
MISSING = [
    ["f", None, "m", float("nan")],
    ("f", None, "m", np.nan),
    [1.0, np.nan, 2.0, np.nan],
    np.array([1.0, np.nan, 2.0, np.nan]),
    np.array([1, np.nan, 2, np.nan], dtype=np.float16),
    np.array(["f", None, "m", pd.NaT], dtype=object),
    np.array(["f", pd.NA, "m", None], dtype=object),
    np.array(["2020-01-01", "NaT", "2020-01-02", "NaT"], dtype="datetime64[D]"),
    np.ma.masked_array([1, 2, 3, 4], mask=[0, 1, 0, 1]),
    np.ma.masked_array(["a", "b", "c", "d"], mask=[0, 1, 0, 1]),
    np.ma.masked_array([1.0, np.nan, 3.0, 4.0], mask=[0, 0, 0, 1]),
    torch.tensor([1.0, np.nan, 2.0, np.nan]),
    TEXT.mask([False, True, False, True]),
    TEXT.astype(object).where([True, False, True, False], None),
    TEXT.astype("string").mask([False, True, False, True]),
    TEXT.astype("category").mask([False, True, False, True]),
    pd.Series([1, None, 2, None], dtype="Int64"),
    pd.Series([True, None, False, None], dtype="boolean"),
    pd.Series([1, None, 2, None], dtype="Float32"),
]


@pytest.mark.parametrize("values", MISSING, ids=repr)
def test_missing_values_are_found_in_any_container(values):
    with pytest.raises(ValueError, match=r"^groups has missing .*: 2 of 4, at positions 1, 3\."):
        check_no_missing(values, "groups")


@pytest.mark.parametrize(
    "values",
    [
        None,
        ["f", "nan", "None", ""],
        [1, 2.5, np.inf, -1],
        np.arange(3),
        np.array(["a", "nan"]),
        np.array([]),
        [],
        np.array([[1, 2], [3]], dtype=object),
        [torch.tensor(1), torch.tensor(2)],
        pd.Series([1, 2], dtype="Int64"),
        TEXT.astype("category"),
        np.ma.masked_array([1, 2], mask=[0, 0]),
        torch.tensor([1, 2]),
        3.0,
    ],
    ids=repr,
)
def test_other_values_are_not_missing(values):
    check_no_missing(values, "groups")


def test_the_message_is_short_and_names_rows_and_columns():
    with pytest.raises(ValueError, match=r"900 of 900, the first at positions 0, 1, 2, 3, 4\. L"):
        check_no_missing(np.full(900, np.nan), "y")
    frame = pd.DataFrame({"who": ["f", None], "where": [1, 2]})
    with pytest.raises(ValueError, match=r"1 of 4, at position \(1, 0\)\. Leave .* 'unknown'\.$"):
        check_no_missing(frame, "y_unrelated")
    with pytest.raises(ValueError, match=r"1 of 1, at position 0\. Leave these samples out\.$"):
        check_no_missing(np.nan, "sample_weight")


# ---- wherever they are ------------------------------------------------------------------------

N_SAMPLES = 40
X = np.random.RandomState(0).normal(size=(N_SAMPLES, 4)).astype(np.float32)
Y = np.array(["a", "b"])[np.arange(N_SAMPLES) % 2]
SPEAKER = pd.Series(np.array(["f", "m"])[np.arange(N_SAMPLES) // 2 % 2])
NO_SPEAKER = SPEAKER.mask(np.arange(N_SAMPLES) < 2)
NO_Y = pd.Series(Y).mask(np.arange(N_SAMPLES) == 3)
NO_WEIGHT = np.where(np.arange(N_SAMPLES) == 7, np.nan, 1.0)
SOUND = np.sin(np.arange(1600) / 9)


@pytest.fixture(scope="module")
def knows():
    return AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, SPEAKER)


@pytest.fixture
def nothing_is_trained(knows, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(NeuralNet, "fit_loop", train)


def anti(**parameters):
    unrelated = AntiTransferClassifier(max_epochs=1)
    return AntiTransferClassifier(unrelated=unrelated, max_epochs=1, **parameters)


def search(knows, **parameters):
    net = AntiTransferClassifier(unrelated=knows, max_epochs=1)
    return AntiTransferSearchCV(net, n_trials=2, cv=2, random_state=0, **parameters)


def recordings(labels=Y, **params):
    windows = make_pipeline(
        LibrosaFeatures("waveform", sr=8000, duration=0.1), AntiTransferClassifier(max_epochs=1)
    )
    model = SegmentAggregator(windows, AudioSegmenter(0.1, sr=8000))
    return model.fit([SOUND] * N_SAMPLES, labels, **params)


def nets(knows):
    return {"a": AntiTransferClassifier(max_epochs=1), "b": AntiTransferClassifier(max_epochs=2)}


CALLS = {
    "y of fit": (lambda k: anti().fit(X, NO_Y, y_unrelated=SPEAKER), "y", "3"),
    "y of partial_fit": (lambda k: anti().partial_fit(X, NO_Y, y_unrelated=SPEAKER), "y", "3"),
    "y of a list": (lambda k: anti().fit(X, NO_Y.tolist(), y_unrelated=SPEAKER), "y", "3"),
    "y of a regressor": (
        lambda k: AntiTransferRegressor().fit(X, np.where(np.arange(40) == 3, None, X[:, 0])),
        "y",
        "3",
    ),
    "y of a mapping": (lambda k: AntiTransferClassifier().fit({"x": X}, NO_Y), "y", "3"),
    "y of a Dataset": (lambda k: AntiTransferClassifier().fit(Dataset(X, list(NO_Y))), "y", "3"),
    "y beside a Dataset": (
        lambda k: AntiTransferClassifier().fit(Dataset(X, np.arange(40) % 2), NO_Y),
        "y",
        "3",
    ),
    "y of a SliceDataset": (
        lambda k: AntiTransferClassifier().fit(
            X, SliceDataset(Dataset(X, NO_Y.to_numpy(object)), idx=1)
        ),
        "y",
        "3",
    ),
    "y_unrelated": (lambda k: anti().fit(X, Y, y_unrelated=NO_SPEAKER), "y_unrelated", "0, 1"),
    "y_unrelated, as codes": (
        lambda k: anti().fit(X, Y, y_unrelated=NO_SPEAKER.map({"f": 0, "m": 1})),
        "y_unrelated",
        "0, 1",
    ),
    "y_unrelated, not needed": (
        lambda k: anti(weight=0).fit(X, Y, y_unrelated=NO_SPEAKER),
        "y_unrelated",
        "0, 1",
    ),
    "sample_weight": (
        lambda k: anti().fit(X, Y, sample_weight=NO_WEIGHT, y_unrelated=SPEAKER),
        "sample_weight",
        "7",
    ),
    "groups of train_split": (
        lambda k: AntiTransferClassifier(train_split=ValidSplit(2)).fit(X, Y, groups=NO_SPEAKER),
        "groups",
        "0, 1",
    ),
    "y of a search": (lambda k: search(k).fit(X, NO_Y), "y", "3"),
    "groups of a search": (lambda k: search(k).fit(X, Y, groups=NO_SPEAKER), "groups", "0, 1"),
    "y_unrelated of a search": (
        lambda k: search(k, objective="worst_group").fit(X, Y, y_unrelated=NO_SPEAKER),
        "y_unrelated",
        "0, 1",
    ),
    "sample_weight of a search": (
        lambda k: search(k).fit(X, Y, sample_weight=NO_WEIGHT),
        "sample_weight",
        "7",
    ),
    "y of compare": (lambda k: compare(nets(k), X, NO_Y, cv=2), "y", "3"),
    "groups of compare": (
        lambda k: compare(nets(k), X, Y, groups=NO_SPEAKER, cv=2),
        "groups",
        "0, 1",
    ),
    "y_unrelated of compare": (
        lambda k: compare({"a": anti(), "b": anti()}, X, Y, y_unrelated=NO_SPEAKER, cv=2),
        "y_unrelated",
        "0, 1",
    ),
    "sample_weight of compare": (
        lambda k: compare(nets(k), X, Y, sample_weight=NO_WEIGHT, cv=2),
        "sample_weight",
        "7",
    ),
    "y of a probe": (lambda k: probe_score(k, X, NO_SPEAKER), "y", "0, 1"),
    "groups of a probe": (lambda k: probe_score(k, X, Y, groups=NO_SPEAKER), "groups", "0, 1"),
    "y of recordings": (lambda k: recordings(NO_Y), "y", "3"),
    "y of recordings, a list": (lambda k: recordings(NO_Y.tolist()), "y", "3"),
    "y_unrelated of recordings": (
        lambda k: recordings(antitransferclassifier__y_unrelated=NO_SPEAKER),
        "antitransferclassifier__y_unrelated",
        "0, 1",
    ),
    "sample_weight of recordings": (
        lambda k: recordings(sample_weight=NO_WEIGHT),
        "sample_weight",
        "7",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_missing_labels_are_refused_before_anything_is_fitted(name, knows, nothing_is_trained):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    call, argument, places = CALLS[name]
    with pytest.raises(ValueError, match=rf"^{argument} has missing values .*{places}\. Leave"):
        call(knows)


def test_the_calls_train_where_nothing_is_missing(knows):
    net = anti(random_state=0).fit(X, Y, y_unrelated=SPEAKER, sample_weight=np.ones(N_SAMPLES))
    assert net.unrelated_.classes_.tolist() == ["f", "m"]
    assert recordings(Y).classes_.tolist() == ["a", "b"]


# ---- labels of another kind -------------------------------------------------------------------


def test_numbers_for_a_classifier_and_names_for_a_regressor(nothing_is_trained):
    with pytest.raises(ValueError, match=r"y_unrelated has continuous.* an AntiTransferRegressor"):
        anti().fit(X, Y, y_unrelated=X[:, 0])
    net = AntiTransferClassifier(unrelated=AntiTransferRegressor())
    with pytest.raises(ValueError, match=r"labels such as 'f', .* an AntiTransferClassifier as"):
        net.fit(X, Y, y_unrelated=SPEAKER)
