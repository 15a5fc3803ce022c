"""What is saved comes back: the same predictions, everywhere, and the same training."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
import warnings
from copy import deepcopy
from pathlib import Path

import joblib
import numpy as np
import own_parts
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch.callbacks import Checkpoint, EarlyStopping
from skorch.dataset import ValidSplit

import atl_sklearn
from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, load, save
from atl_sklearn.audio import (
    AddNoise,
    AudioSegmenter,
    LibrosaFeatures,
    SegmentAggregator,
    Standardizer,
    TimeFrequencyMask,
)
from atl_sklearn.persistence import CannotSaveError, UntrustedClassError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype("f4")
IMAGES = RNG.normal(size=(24, 8, 6)).astype("f4")
y = np.array(["no", "yes"])[np.arange(40) % 2]
SETTINGS = {"max_epochs": 1, "random_state": 0, "weight": 1.0}


@pytest.fixture(scope="module")
def speaker():
    return AntiTransferClassifier(**SETTINGS).fit(X, X[:, 0] > 0)


@pytest.fixture(scope="module")
def word(speaker):
    return AntiTransferClassifier(unrelated=speaker, **SETTINGS).fit(X, y)


def again(estimator, folder, trusted=(), **kwargs):
    save(estimator, folder / "model.safetensors", **kwargs)
    return load(folder / "model.safetensors", trusted=trusted)


def test_what_prediction_needs_comes_back(word, tmp_path):
    loaded = again(word, tmp_path)
    assert np.array_equal(loaded.predict_proba(X), word.predict_proba(X))
    assert np.array_equal(loaded.predict(X), word.predict(X))
    assert loaded.classes_.dtype == word.classes_.dtype
    assert list(loaded.history) == list(word.history)
    assert loaded.summary_ == word.summary_
    assert (loaded.input_shape_, loaded.n_features_in_) == ((6,), 6)
    params, before = loaded.get_params(deep=False), word.get_params(deep=False)
    assert {k: v for k, v in params.items() if k != "unrelated"} == {
        k: v for k, v in before.items() if k != "unrelated"
    }


@pytest.mark.parametrize("module", ["convnet", "vgg", "mlp"])
def test_the_order_of_weights_in_memory_comes_back(module, tmp_path):
    kwargs = {"module__width": 1 / 64} if module == "vgg" else {}
    net = AntiTransferClassifier(module, **kwargs, **SETTINGS).fit(IMAGES, y[:24])
    loaded = again(net, tmp_path)
    assert np.array_equal(loaded.predict_proba(IMAGES), net.predict_proba(IMAGES))
    for mine, yours in zip(net.module_.parameters(), loaded.module_.parameters(), strict=True):
        assert mine.stride() == yours.stride()
        assert yours.requires_grad


def test_a_regressor_keeps_the_units_and_the_type_of_its_target(tmp_path):
    target = (1000 * X[:, 0]).astype("f8")
    net = AntiTransferRegressor(**SETTINGS).fit(X, target)
    loaded = again(net, tmp_path)
    assert loaded.predict(X).dtype == np.float64
    assert np.array_equal(loaded.predict(X), net.predict(X))


def test_half_precision_comes_back(tmp_path):
    net = AntiTransferClassifier(precision="float64", **SETTINGS).fit(X, y)
    assert np.array_equal(again(net, tmp_path).predict_proba(X), net.predict_proba(X))
    layers = [torch.nn.Linear(6, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)]
    module = torch.nn.Sequential(*layers).to(torch.bfloat16)
    net = AntiTransferClassifier(unrelated=module, **SETTINGS).fit(X, y)
    loaded = again(net, tmp_path, include_unrelated=True)
    assert torch.equal(loaded.unrelated[0].weight, module[0].weight)
    assert loaded.unrelated[0].weight.dtype is torch.bfloat16


def test_pipelines_of_plain_steps(tmp_path):
    table = np.column_stack([X, np.arange(40) % 3])
    prepare = make_column_transformer(
        (StandardScaler(), slice(0, 6)), (OneHotEncoder(sparse_output=False), [6])
    )
    net = AntiTransferClassifier(**SETTINGS)
    model = make_pipeline(prepare, SelectKBest(f_classif, k=4), FunctionTransformer(np.tanh), net)
    model.fit(table, y)
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.predict_proba(table), model.predict_proba(table))
    assert loaded[2].func is np.tanh


def test_steps_of_this_package(tmp_path):
    waves = list(RNG.normal(size=(16, 2000)).astype("f4"))
    model = make_pipeline(
        AddNoise(snr=(20, 30), random_state=np.random.RandomState(3)),
        LibrosaFeatures(sr=8000, duration=0.25, n_mels=12, memory=tmp_path / "kept"),
        Standardizer(memory_map=tmp_path),
        TimeFrequencyMask(random_state=0),
        AntiTransferClassifier(**SETTINGS),
    ).fit(waves, y[:16])
    loaded = again(model, tmp_path)
    assert (loaded[1].memory, loaded[2].memory_map) == (None, None), "folders of this machine"
    assert np.array_equal(loaded.predict_proba(waves), model.predict_proba(waves))
    assert loaded[0].random_state.randint(99) == np.random.RandomState(3).randint(99)


def test_windows_of_recordings(tmp_path):
    waves = list(RNG.normal(size=(6, 8000)).astype("f4"))
    features = LibrosaFeatures(sr=8000, duration=0.5, n_mels=12)
    windows = make_pipeline(features, AntiTransferClassifier(**SETTINGS))
    model = SegmentAggregator(windows, AudioSegmenter(0.5, sr=8000)).fit(waves, y[:6])
    loaded = again(model, tmp_path)
    assert np.array_equal(loaded.predict_proba(waves), model.predict_proba(waves))


def test_of_a_search_the_best_is_saved(tmp_path):
    net = AntiTransferClassifier(**SETTINGS)
    search = GridSearchCV(net, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, y)
    loaded = again(search, tmp_path)
    assert isinstance(loaded, AntiTransferClassifier)
    assert np.array_equal(loaded.predict_proba(X), search.predict_proba(X))
    search = GridSearchCV(net, {"lr": [1e-3]}, cv=2, refit=False).fit(X, y)
    with pytest.raises(ValueError, match="refit=True"):
        save(search, tmp_path / "other")


@pytest.mark.parametrize("wrong", [AntiTransferClassifier(), StandardScaler()])
def test_only_what_is_fitted_is_saved(wrong, tmp_path):
    with pytest.raises(NotFittedError):
        save(wrong, tmp_path / "model")
    with pytest.raises(ValueError, match="fitted estimator"):
        save({"a": 1}, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(with_mean=False).fit(csr_matrix(X)),
        OneHotEncoder().fit(np.array([["a", 1], ["b", None]], dtype=object)),
        LogisticRegression(random_state=np.random.RandomState(1)).fit(X, y),
        FunctionTransformer(kw_args={"where": [1 + 2j, (None, b"x", {3}, range(4))]}).fit(X),
        FunctionTransformer(
            kw_args={
                "a": np.asfortranarray(X),
                "b": np.array(["2020-01-01"], "M8[D]"),
                "c": np.float16("nan"),
                "d": [float("inf"), float("nan")],
                "e": np.arange(3, dtype=">u2"),
                "f": Path("a") / "b",
                "g": np.random.default_rng(4),
                "h": csr_matrix(X > 1),
                "i": [np.array(1 + 1j), np.array(1.5)],
                "j": np.zeros((0, 3)),
            }
        ).fit(X),
    ],
)
def test_values_come_back_as_they_were(scaler, tmp_path):
    loaded = again(scaler, tmp_path)
    states = [dict(vars(each)) for each in (loaded, scaler)]
    for state in states:
        if "random_state" in state and state["random_state"] is not None:
            state["random_state"] = state["random_state"].get_state()
        if state.get("kw_args"):
            state["kw_args"] = {k: v for k, v in state["kw_args"].items() if k not in "fgh"}
    # One by one: hashes are others where two attributes are one object.
    copied = ("coef_", "intercept_")
    states = [{k: np.array(v) if k in copied else v for k, v in s.items()} for s in states]
    hashes = [{k: joblib.hash(v) for k, v in state.items()} for state in states]
    assert hashes[0] == hashes[1]
    if hasattr(scaler, "kw_args") and "a" in scaler.kw_args:
        mine, its = loaded.kw_args, scaler.kw_args
        assert mine["a"].flags.f_contiguous
        assert mine["e"].dtype == ">u2"
        assert mine["f"] == its["f"]  # from Python 3.12 on a path also keeps how it was joined
        assert mine["g"].random() == deepcopy(its["g"]).random()
        assert mine["h"].dtype == bool and (mine["h"] != its["h"]).nnz == 0


@pytest.mark.slow  # another process, which imports everything
def test_a_colleague_with_this_package_alone_predicts_the_same(word, tmp_path):
    save(word, tmp_path / "model.safetensors")
    np.save(tmp_path / "X.npy", X)
    code = """
import hashlib, sys
import numpy as np
import atl_sklearn
atl_sklearn.load
assert not {"torch", "sklearn"} & set(sys.modules)
model = atl_sklearn.load("model.safetensors")
print(hashlib.sha256(model.predict_proba(np.load("X.npy")).tobytes()).hexdigest())
"""
    root = Path(atl_sklearn.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mine = hashlib.sha256(word.predict_proba(X).tobytes()).hexdigest()
    assert done.stdout.split()[-1] == mine


# ---- what stays behind -------------------------------------------------------------------------


def test_the_unrelated_network_stays_behind_unless_asked_for(word, tmp_path):
    loaded = again(word, tmp_path)
    assert "did not travel" in repr(loaded.unrelated)
    small = (tmp_path / "model.safetensors").stat().st_size
    for method in (loaded.fit, clone(loaded).fit):
        with pytest.raises(ValueError, match=r"fitted AntiTransferClassifier.*include_unrelated"):
            method(X, y)
    assert np.array_equal(loaded.predict_proba(X), word.predict_proba(X))
    loaded.set_params(unrelated=None).fit(X, y)

    loaded = again(word, tmp_path, include_unrelated=True)
    assert (tmp_path / "model.safetensors").stat().st_size > 1.5 * small
    assert loaded.unrelated is loaded.unrelated_
    kept, given = loaded.unrelated, word.unrelated
    assert np.array_equal(kept.predict_proba(X), given.predict_proba(X))
    assert np.array_equal(
        loaded.fit(X, y).predict_proba(X), deepcopy(word).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("wrap", [FrozenEstimator, make_pipeline, lambda net: [net, net.module_]])
def test_unrelated_networks_of_all_kinds_travel(wrap, speaker, tmp_path):
    net = AntiTransferClassifier(unrelated=wrap(speaker), **SETTINGS).fit(X, y)
    loaded = again(net, tmp_path)
    assert "did not travel" in repr(loaded.unrelated)
    loaded = again(net, tmp_path, include_unrelated=True)
    assert type(loaded.unrelated) is type(net.unrelated)
    expected = clone(net).fit(X, y).predict_proba(X)
    assert np.array_equal(clone(loaded).fit(X, y).predict_proba(X), expected)


def test_an_unfitted_unrelated_is_a_recipe_and_travels(tmp_path):
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**SETTINGS), **SETTINGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what chance made of the labels
        net.fit(X, y, y_unrelated=X[:, 0] > 0)
        loaded = again(net, tmp_path)
        fitted = loaded.fit(X, y, y_unrelated=X[:, 0] > 0)
    assert np.array_equal(fitted.predict_proba(X), net.predict_proba(X))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", torch.optim.LBFGS])
def test_training_goes_on_bit_for_bit_with_the_optimizer(optimizer, speaker, tmp_path):
    net = AntiTransferClassifier(
        unrelated=speaker, optimizer=optimizer, warm_start=True, module__dropout=0.3,
        metric="adversarial", **SETTINGS,
    )  # fmt: skip
    net.fit(X, y)
    loaded = again(net, tmp_path, include_optimizer=True, include_unrelated=True)
    for method in ("partial_fit", "fit"):
        for each in (net, loaded):
            getattr(each, method)(X, y)
        assert np.array_equal(loaded.predict_proba(X), net.predict_proba(X))
    assert len(loaded.history) == len(net.history) == 3


def test_training_goes_on_without_the_optimizer_from_the_same_weights(tmp_path):
    net = AntiTransferClassifier(warm_start=True, **SETTINGS).fit(X, y)
    loaded = again(net, tmp_path)
    assert not loaded.optimizer_.state
    before = deepcopy(loaded.module_.state_dict())
    loaded.set_params(lr=1e-12).fit(X, y)
    for name, value in loaded.module_.state_dict().items():
        assert torch.allclose(before[name].float(), value.float(), atol=1e-6)


def test_callbacks_travel_unless_they_work_with_files(tmp_path):
    callbacks = [EarlyStopping(patience=7), ("keep", Checkpoint(dirname=tmp_path / "kept"))]
    net = AntiTransferClassifier(callbacks=callbacks, train_split=ValidSplit(2), **SETTINGS)
    net.fit(X, y)
    with pytest.warns(UserWarning, match="not saved: Checkpoint"):
        save(net, tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    loaded = load(tmp_path / "model")
    assert sorted(tmp_path.rglob("*")) == before
    assert [type(c) for c in loaded.callbacks] == [EarlyStopping]
    assert loaded.callbacks[0].patience == 7
    loaded.fit(X, y)


def test_hooks_stay_behind_with_a_word(tmp_path):
    net = AntiTransferClassifier(**SETTINGS).fit(X, y)
    net.module_.register_forward_hook(lambda *args: None)
    with pytest.warns(UserWarning, match="1 hooks of MLP do not travel"):
        save(net, tmp_path / "model")
    net = AntiTransferClassifier(own_parts.NormedNet, **SETTINGS).fit(X, y)
    with pytest.raises(CannotSaveError, match="computes weights in a hook"):
        save(net, tmp_path / "other")


# ---- parts of one's own ------------------------------------------------------------------------

OWN = "own_parts.OwnNet"


def test_a_class_of_ones_own_is_found_by_name_if_trusted(tmp_path):
    net = AntiTransferClassifier(own_parts.OwnNet, **SETTINGS).fit(X, y)
    save(net, tmp_path / "model")
    with pytest.raises(UntrustedClassError, match=rf"{OWN}.*trusted=\['{OWN}'\]"):
        load(tmp_path / "model")
    for trusted in (OWN, [OWN], [own_parts.OwnNet]):
        loaded = load(tmp_path / "model", trusted=trusted)
        assert np.array_equal(loaded.predict_proba(X), net.predict_proba(X))
        assert type(loaded.module_) is own_parts.OwnNet
        assert loaded.module_._non_persistent_buffers_set == {"shift"}
    with pytest.raises(ValueError, match="'trusted' parameter of load"):
        load(tmp_path / "model", trusted=["OwnNet"])


def test_its_source_travels_and_is_run_only_if_trusted(tmp_path, monkeypatch):
    net = AntiTransferClassifier(own_parts.OwnNet, **SETTINGS).fit(X, y)
    save(net, tmp_path / "model", include_source=True)
    expected = net.predict_proba(X)
    # Somebody who does not have the module.
    monkeypatch.setitem(sys.modules, "own_parts", None)
    with pytest.raises(UntrustedClassError, match="source code is in the file"):
        load(tmp_path / "model")
    loaded = load(tmp_path / "model", trusted=OWN)
    assert np.array_equal(loaded.predict_proba(X), expected)
    assert type(loaded.module_) is not own_parts.OwnNet
    # It goes on from there, with its source.
    save(loaded, tmp_path / "more", include_source=True)
    more = load(tmp_path / "more", trusted=[OWN])
    assert np.array_equal(more.predict_proba(X), expected)
    assert clone(loaded).module is loaded.module


def test_a_module_that_is_not_here_is_named(tmp_path, monkeypatch):
    net = AntiTransferClassifier(own_parts.OwnNet, **SETTINGS).fit(X, y)
    save(net, tmp_path / "model")
    monkeypatch.setitem(sys.modules, "own_parts", None)
    with pytest.raises(ValueError, match=r"needs own_parts.OwnNet.*not here"):
        load(tmp_path / "model", trusted=OWN)


def test_a_function_of_ones_own_needs_trust(tmp_path):
    step = FunctionTransformer(own_parts.halved).fit(X)
    save(step, tmp_path / "step")
    with pytest.raises(UntrustedClassError, match=r"own_parts\.halved"):
        load(tmp_path / "step")
    assert load(tmp_path / "step", trusted=own_parts.halved).func is own_parts.halved


def local():
    class Local(torch.nn.Linear):
        pass

    return Local(6, 2)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"weight_schedule": lambda epoch: 1.0}, "'weight_schedule' parameter of .* a lambda"),
        ({"train_split": lambda dataset, y: (dataset, None)}, "'train_split' parameter"),
        ({"module": local()}, "inside a function"),
        ({"predict_nonlinearity": threading.Lock().acquire}, "'predict_nonlinearity'"),
    ],
)
def test_what_has_no_name_is_refused_before_anything_is_written(params, match, tmp_path):
    (tmp_path / "model").write_bytes(b"what was there")
    net = AntiTransferClassifier(**{**SETTINGS, **params})
    if "predict_nonlinearity" in params:
        net = AntiTransferClassifier(**SETTINGS).fit(X, y).set_params(**params)
    else:
        net.fit(X, y)
    with pytest.raises(CannotSaveError, match=match):
        save(net, tmp_path / "model", include_source=True)
    assert [f.name for f in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == b"what was there"


def test_estimators_that_are_more_than_attributes_are_refused(tmp_path):
    forest = RandomForestClassifier(2).fit(X, y)
    model = make_pipeline(StandardScaler(), forest)
    with pytest.raises(CannotSaveError, match=r"Tree.*pickle or skops"):
        save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


# ---- the file ----------------------------------------------------------------------------------


def test_the_file_has_the_permissions_of_new_files(word, tmp_path):
    before = os.umask(0o027)
    try:
        save(word, tmp_path / "model")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


def test_a_file_stays_where_saving_fails(word, tmp_path, monkeypatch):
    save(StandardScaler().fit(X), tmp_path / "model")
    before = (tmp_path / "model").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(word, tmp_path / "model")
    assert [f.name for f in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == before


def test_the_same_estimator_makes_the_same_file(word, tmp_path):
    save(word, tmp_path / "a")
    save(deepcopy(word), tmp_path / "b")
    save(load(tmp_path / "a"), tmp_path / "c")
    a, b, c = (safe_open(tmp_path / name, "pt").metadata() for name in "abc")
    assert a == b
    assert json.loads(a["model"]) == json.loads(c["model"])


def test_any_program_that_knows_safetensors_reads_the_weights(word, tmp_path):
    save(word, tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    for name, value in word.module_.state_dict().items():
        assert torch.equal(tensors[f"module_.{name}"], value)
