"""`y_unrelated` under cross-validation, with and without memory."""

import functools
import importlib
import json
import multiprocessing
import pickle
import re
import shutil
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
import torch
from optuna.distributions import FloatDistribution
from optuna_integration import OptunaSearchCV
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.persistence import _file, _kept
from atl_sklearn.tuning import AntiTransferSearchCV
from tests.slow import all_but_slow

# A dozen samples held out are near chance on one processor and not on another; what is tested here
# does not depend on how well a network learnt.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'unrelated' estimator did not learn:UserWarning"
)

FAST = {"max_epochs": 2, "random_state": 0}
LEARNS = {"max_epochs": 20, "lr": 0.02, "random_state": 0}
FOLDS = KFold(3)


class Numberless(nn.Module):
    """Does not look at the last column, which has the number of the sample."""

    def __init__(self, n_outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, n_outputs))

    def forward(self, x):
        return self.layers(x[:, :-1])


N_FITS = [0]


class Recording(AntiTransferClassifier):
    """Remembers which samples it was fitted on."""

    def fit(self, X, y=None, **params):
        # Not found as a global name, which would make it part of what the class is.
        vars(sys.modules[__name__])["N_FITS"][0] += 1
        self.seen_ = frozenset(np.asarray(X)[:, -1].astype(int).tolist())
        return super().fit(X, y, **params)


@pytest.fixture
def numbered(tabular):
    """Return the tabular data with the number of each sample in a last column."""
    X, y, nuisance = tabular
    N_FITS[0] = 0
    return np.column_stack([X, np.arange(len(X))]), y, nuisance


@pytest.fixture
def pipeline():
    net = AntiTransferClassifier(Numberless, unrelated=Recording(Numberless, **LEARNS), **FAST)
    scaled = ColumnTransformer([("scale", StandardScaler(), slice(0, 6))], remainder="passthrough")
    return Pipeline([("scale", scaled), ("net", net)])


class Unseen:
    """A scorer that fails if the unrelated network was fitted on a sample that is scored."""

    def __init__(self):
        self.n_scored = 0

    def __call__(self, pipeline, X, y):
        numbers = set(X[:, -1].astype(int).tolist())
        seen = pipeline[-1].unrelated_.seen_
        assert seen
        assert not seen & numbers
        self.n_scored += 1
        return pipeline.score(X, y)


def search_with(name, pipeline, scorer):
    common = {"cv": FOLDS, "scoring": scorer, "refit": False, "error_score": "raise"}
    weights = {"net__weight": [0.5, 1.0]}
    if name == "GridSearchCV":
        return GridSearchCV(pipeline, weights, **common), 6
    if name == "HalvingRandomSearchCV":
        search = HalvingRandomSearchCV(
            pipeline, weights, n_candidates=2, min_resources=60, random_state=0,
            return_train_score=False, **common,
        )  # fmt: skip
        return search, 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls its search experimental
        weight = FloatDistribution(0.1, 10, log=True)
        search = OptunaSearchCV(
            pipeline, {"net__weight": weight}, n_trials=2, random_state=0, **common
        )
    return search, 6


SEARCHES = ["GridSearchCV", "HalvingRandomSearchCV", "OptunaSearchCV"]


@pytest.mark.parametrize("routing", [False, True])
def test_no_validation_sample_reaches_the_unrelated_fit(routing, pipeline, numbered):
    X, y, nuisance = numbered
    scorer = Unseen()
    with config_context(enable_metadata_routing=routing):
        params = {"y_unrelated" if routing else "net__y_unrelated": nuisance}
        cross_validate(pipeline, X, y, cv=FOLDS, params=params, scoring=scorer, error_score="raise")
    assert scorer.n_scored == 3


@pytest.mark.filterwarnings("ignore:`optuna.terminator`:FutureWarning")  # imported by its search
@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("name", all_but_slow(SEARCHES, "GridSearchCV"))
def test_nor_in_a_search(name, memory, pipeline, numbered, tmp_path):
    X, y, nuisance = numbered
    scorer = Unseen()
    pipeline.set_params(net__memory=tmp_path if memory else None)
    search, n_scores = search_with(name, pipeline, scorer)
    search.fit(X, y, net__y_unrelated=nuisance)
    assert scorer.n_scored == n_scores


def test_the_test_of_leakage_can_fail(pipeline, numbered):
    X, y, nuisance = numbered
    with pytest.raises(AssertionError):
        Unseen()(pipeline.fit(X, y, net__y_unrelated=nuisance), X[:5], y[:5])


def test_what_is_validated_changes_nothing(pipeline, numbered):
    """A fold's networks are bit for bit the same whatever the samples are that it leaves out."""
    X, y, nuisance = numbered
    train, test = next(FOLDS.split(X))
    X_other, nuisance_other = X.copy(), nuisance.copy()
    X_other[test, :-1] = 1e3
    nuisance_other[test] = 7
    fitted = [
        cross_validate(
            pipeline, data, y, cv=[(train, test)], params={"net__y_unrelated": labels},
            return_estimator=True, error_score="raise",
        )["estimator"][0]
        for data, labels in ((X, nuisance), (X_other, nuisance_other))
    ]  # fmt: skip
    for one, other in (
        [pipeline[-1].module_ for pipeline in fitted],
        [pipeline[-1].unrelated_.module_ for pipeline in fitted],
    ):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])


# ---- memory -------------------------------------------------------------------------------


def test_memory_fits_once_per_fold(pipeline, numbered, tmp_path):
    X, y, nuisance = numbered
    found = []
    for memory, n_fits in (
        (None, 3 * 4),
        (tmp_path, 4),
        (joblib.Memory(str(tmp_path), verbose=0), 0),
    ):
        N_FITS[0] = 0
        search = GridSearchCV(
            pipeline.set_params(net__memory=memory), {"net__weight": [0.3, 1.0, 3.0]}, cv=2
        )
        search.set_params(error_score="raise", refit=False).fit(X, y, net__y_unrelated=nuisance)
        found.append(search.cv_results_["mean_test_score"])
        assert N_FITS[0] == n_fits  # two for each: one is scored on samples held out
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


# As one layer may not, and the tests of what is remembered do not care.
MAY_NOT_LEARN = pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn")


@MAY_NOT_LEARN
@pytest.mark.parametrize(
    "changed",
    [
        {"unrelated__lr": 0.01},
        {"unrelated__random_state": 1},
        {"unrelated__module": nn.Sequential(nn.Linear(7, 2))},
        {"X": 1},
        {"y_unrelated": 1},
    ],
)
def test_memory_is_found_by_all_that_matters(changed, pipeline, numbered, tmp_path):
    X, y, nuisance = numbered
    net = clone(pipeline[-1]).set_params(memory=tmp_path)
    net.fit(X, y, y_unrelated=nuisance)
    N_FITS[0] = 0
    if "X" in changed:
        X = X + np.eye(1, X.shape[1])
    elif "y_unrelated" in changed:
        nuisance = 1 - nuisance
    else:
        net.set_params(**changed)
    net.fit(X, y, y_unrelated=nuisance)
    assert N_FITS[0] == 2


def test_a_module_is_known_by_its_weights(numbered, tmp_path):
    X, y, nuisance = numbered

    def module(seed):
        torch.manual_seed(seed)
        return Numberless()

    for seed, n_fits in ((0, 2), (0, 2), (1, 4)):
        unrelated = Recording(module(seed), **LEARNS)
        net = AntiTransferClassifier(Numberless, unrelated=unrelated, memory=tmp_path, **FAST)
        net.fit(X, y, y_unrelated=nuisance)
        assert N_FITS[0] == n_fits


@MAY_NOT_LEARN
def test_a_class_that_was_edited_is_fitted_again(numbered, tmp_path, monkeypatch):
    X, y, nuisance = numbered
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "import torch\n\nclass Net(torch.nn.Module):\n"
        "    def __init__(self, n_outputs=2):\n        super().__init__()\n"
        "        self.layer = torch.nn.Linear(6, n_outputs)\n\n"
        "    def forward(self, x):\n        return self.layer({} * x[:, :-1])\n"
    )
    for factor, n_fits in ((1, 2), (1, 2), (2, 4)):
        (tmp_path / "edited_networks.py").write_text(text.format(factor))
        importlib.invalidate_caches()
        sys.modules.pop("edited_networks", None)
        module = importlib.import_module("edited_networks")
        net = AntiTransferClassifier(
            Numberless, unrelated=Recording(module.Net, **LEARNS), memory=tmp_path, **FAST
        )
        net.fit(X, y, y_unrelated=nuisance)
        assert N_FITS[0] == n_fits
    del sys.modules["edited_networks"]


def factor_of(progress):
    return 1.0


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (factor_of, None),
        (functools.partial(min, 1.0), "min.* cannot be saved|cannot be saved: .*min"),
        (lambda progress: 1.0, "'weight_schedule' parameter of Recording .* a lambda"),
    ],
)
def test_parameters_that_are_functions(schedule, reason, numbered, tmp_path, capsys):
    X, y, nuisance = numbered
    for _ in range(2):
        unrelated = Recording(Numberless, weight_schedule=schedule, **LEARNS)
        net = AntiTransferClassifier(Numberless, unrelated=unrelated, memory=tmp_path, **FAST)
        net.set_params(verbose=1).fit(X, y, y_unrelated=nuisance)
    said = capsys.readouterr().out
    assert N_FITS[0] == (2 if reason is None else 4)
    if reason is not None:
        assert re.search(rf"Recording is not kept in 'memory': .*({reason})", said)


def test_a_search_keeps_fits_with_functions_by_itself(tabular):
    X, y, nuisance = tabular
    unrelated = AntiTransferClassifier(weight_schedule=lambda progress: 1.0, **LEARNS)
    net = AntiTransferClassifier(unrelated=unrelated, **FAST)
    search = AntiTransferSearchCV(net, n_trials=2, cv=2, random_state=0, refit=False)
    search.fit(X, y, y_unrelated=nuisance)
    assert len(search.cv_results_["params"]) == 2


def test_what_cannot_be_told_from_others_is_not_kept(numbered, tmp_path, capsys):
    X, y, nuisance = numbered
    lock = threading.Lock()

    def schedule(progress):
        with lock:
            return 1.0

    unrelated = AntiTransferClassifier(Numberless, weight_schedule=schedule, **LEARNS)
    net = AntiTransferClassifier(Numberless, unrelated=unrelated, memory=tmp_path, **FAST)
    net.set_params(verbose=1).fit(X, y, y_unrelated=nuisance)
    said = capsys.readouterr().out
    assert "is not kept in 'memory': unrelated > weight_schedule > closure > lock" in said
    assert not list(tmp_path.rglob("fits/*"))


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[:100])


def damage_by_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def damage_by_emptying(path):
    path.write_bytes(b"")


def damage_by_another_fit(path):
    content = _file.read(path)
    content.model["items"][0][1] = "0" * 40
    _file.write(content, path)


def damage_by_a_pickle(path):
    path.write_bytes(pickle.dumps(Runs()))


def damage_by_code(path):
    content = _file.read(path)
    text = json.dumps(content.model).replace('"atl_sklearn.unrelated._fitting:FittedSource"',
                                             '"os:system"')  # fmt: skip
    assert "os:system" in text
    _file.write(content._replace(model=json.loads(text)), path)


def damage_by_a_class_of_others(path):
    content = _file.read(path)
    text = json.dumps(content.model)
    name = f"{Recording.__module__}:Recording"
    assert name in text
    text = text.replace(name, f"{Recording.__module__}:Other")
    _file.write(content._replace(model=json.loads(text)), path)


class Runs:
    def __reduce__(self):
        return RAN.append, ("a pickle",)


class Other(Recording):
    """Lies in the same module, but is no part of what is fitted."""

    @classmethod
    def _from_saved_state(cls, *args):
        RAN.append("a class")


RAN = []


DAMAGES = [
    damage_by_cutting, damage_by_a_byte, damage_by_emptying, damage_by_another_fit,
    damage_by_a_pickle, damage_by_code, damage_by_a_class_of_others,
]  # fmt: skip


@pytest.mark.parametrize("damage", all_but_slow(DAMAGES, damage_by_a_byte, damage_by_code))
def test_what_cannot_be_used_is_fitted_again(damage, pipeline, numbered, tmp_path):
    X, y, nuisance = numbered
    net = clone(pipeline[-1]).set_params(memory=tmp_path)
    expected = net.fit(X, y, y_unrelated=nuisance).predict_proba(X)
    (entry,) = tmp_path.rglob("fits/*.safetensors")
    damage(entry)
    N_FITS[0] = 0
    with pytest.warns(UserWarning, match="cannot be used: .* fitted again") as caught:
        net.fit(X, y, y_unrelated=nuisance)
    assert sum("cannot be used" in str(w.message) for w in caught) == 1
    assert N_FITS[0] == 2
    assert RAN == []
    np.testing.assert_array_equal(net.predict_proba(X), expected)
    net.fit(X, y, y_unrelated=nuisance)
    assert N_FITS[0] == 2, "it was written anew"
    np.testing.assert_array_equal(net.predict_proba(X), expected)


def test_what_is_kept_is_what_was_fitted(pipeline, numbered, tmp_path):
    X, y, nuisance = numbered
    net = clone(pipeline[-1]).set_params(memory=tmp_path, unrelated__memory=tmp_path / "inner")
    first = net.fit(X, y, y_unrelated=nuisance).unrelated_
    again = net.fit(X, y, y_unrelated=nuisance).unrelated_
    assert again is not first
    assert type(again) is type(first)
    assert again.get_params(deep=False) == first.get_params(deep=False)
    assert list(again.history) == list(first.history)
    for each in (first, again):
        each.partial_fit(X, nuisance)
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))


def test_a_folder_that_cannot_be_written_is_warned_of(pipeline, numbered, tmp_path, monkeypatch):
    X, y, nuisance = numbered

    def full(*args):
        raise OSError(28, "No space left on device")

    net = clone(pipeline[-1]).set_params(memory=tmp_path, cache="live")
    expected = net.fit(X, y, y_unrelated=nuisance).predict_proba(X)
    shutil.rmtree(tmp_path / "joblib" / "atl_sklearn")
    monkeypatch.setattr(_kept, "written_at_once", full)
    with pytest.warns(UserWarning, match="cannot be kept in the 'memory' folder.*No space"):
        net.fit(X, y, y_unrelated=nuisance)
    np.testing.assert_array_equal(net.predict_proba(X), expected)


def _fit(memory, X, y, nuisance):
    net = AntiTransferClassifier(
        Numberless, unrelated=AntiTransferClassifier(Numberless, **LEARNS), memory=memory, **FAST
    )
    return net.fit(X, y, y_unrelated=nuisance).predict_proba(X)


@pytest.mark.slow  # two processes, which import everything
def test_two_processes_share_a_memory(numbered, tmp_path):
    context = multiprocessing.get_context("forkserver")
    with context.Pool(2) as pool:
        found = pool.starmap(_fit, [(str(tmp_path), *numbered)] * 4, chunksize=1)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    assert len(list(tmp_path.rglob("fits/*.safetensors"))) == 1


def test_a_dataset_is_not_remembered(tabular, tmp_path):
    X, y, nuisance = tabular
    dataset = torch.utils.data.TensorDataset(torch.tensor(X).float(), torch.tensor(y))
    net = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(**LEARNS), memory=tmp_path, **FAST
    )
    net.fit(dataset, y_unrelated=nuisance)
    assert net.unrelated_score_ > 0.7
    assert not list(tmp_path.rglob("fits/*"))


# ---- the score ----------------------------------------------------------------------------


def test_the_score_says_what_was_learnt(tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), **FAST)
    assert 0.8 < net.fit(X, y, y_unrelated=nuisance).unrelated_score_ <= 1
    assert net.set_params(weight=0).fit(X, y, y_unrelated=nuisance).unrelated_score_ is None
    known = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(**FAST).fit(X, nuisance), **FAST
    )
    assert known.fit(X, y).unrelated_score_ is None
    assert AntiTransferClassifier(**FAST).fit(X, y).unrelated_score_ is None


def test_several_scores(tabular):
    X, y, nuisance = tabular
    known = AntiTransferClassifier(**FAST).fit(X, nuisance)
    net = AntiTransferClassifier(unrelated=[known, AntiTransferRegressor(**LEARNS)], **FAST)
    scores = net.fit(X, y, y_unrelated=X[:, 1]).unrelated_score_
    assert scores[0] is None
    assert scores[1] > 0.5


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
def test_a_task_at_chance_is_warned_of(estimator, tabular, tmp_path):
    X, y, _ = tabular
    noise = np.random.RandomState(3).randint(2, size=len(X))
    labels = noise if estimator is AntiTransferClassifier else noise + 0.5
    net = AntiTransferClassifier(unrelated=estimator(**LEARNS), memory=tmp_path, **FAST)
    for _ in range(2):  # fitted, and remembered
        with pytest.warns(UserWarning, match=r"did not learn y_unrelated: .* at chance"):
            net.fit(X, y, y_unrelated=labels)
    assert net.unrelated_score_ < 0.7


def test_few_samples_and_rare_classes_have_no_or_some_score(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), **FAST)
    assert net.fit(X[:8], y[:8], y_unrelated=[0, 1] * 4).unrelated_score_ is None
    rare = (X[:, 1] > 1).astype(int)
    rare[0] = 2  # a single sample
    assert net.fit(X, y, y_unrelated=rare).unrelated_score_ > 0.5


def test_partial_fit_keeps_the_score(tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**LEARNS), **FAST)
    score = net.partial_fit(X, y, y_unrelated=nuisance).unrelated_score_
    assert score is not None
    assert net.partial_fit(X, y).unrelated_score_ == score
