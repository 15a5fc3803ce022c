"""Weights alone in files, what is forgotten after training, and how large pickles are."""

import io
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint, EpochScoring
from skorch.dataset import ValidSplit

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, load, save
from atl_sklearn.modules import MLP

FAST = {"max_epochs": 2, "random_state": 0}
NAMES = np.array(["no", "yes"])


def size_of(*nets):
    """Return the bytes of weights and optimizers."""
    states = [each.state_dict() for net in nets for each in (net.module_, net.optimizer_)]
    tensors = []

    def collect(value):
        if isinstance(value, torch.Tensor):
            tensors.append(value)
        elif isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                collect(part)

    collect(states)
    return sum(t.numel() * t.element_size() for t in tensors)


# ---- pickles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", ["memory", "live"])
def test_pickles_are_weights_and_optimizer_state(cache, unrelated, tmp_path):
    rng = np.random.default_rng(0)
    X, X_unlabeled = (rng.normal(size=(n, 6)).astype("f4") for n in (3000, 4000))
    y = NAMES[rng.integers(2, size=3000)]
    net = AntiTransferClassifier(
        unrelated=unrelated, cache=cache, train_split=ValidSplit(4), batch_size=200,
        callbacks=[
            Checkpoint(dirname=tmp_path, f_pickle="checkpoint", monitor=None),
            EpochScoring("f1_macro", on_train=True, name="f1"),
        ],
        **FAST,
    ).fit(X, y, X_unlabeled=X_unlabeled)  # fmt: skip
    limit = size_of(net, unrelated) + 2 * 100_000
    assert len(pickle.dumps(unrelated)) <= size_of(unrelated) + 100_000
    assert len(pickle.dumps(net)) <= limit
    assert (tmp_path / "checkpoint").stat().st_size <= limit
    with open(tmp_path / "checkpoint", "rb") as file:
        kept = pickle.load(file)
    assert not any(module._forward_hooks for module in kept.module_.modules())


# ---- after training ----------------------------------------------------------------------------


def test_a_trimmed_network_predicts_and_is_smaller(tabular, unrelated, tmp_path):
    X, y, _ = tabular
    callbacks = [EpochScoring("f1_macro")]
    net = AntiTransferClassifier(unrelated=unrelated, callbacks=callbacks, **FAST).fit(X, NAMES[y])
    proba, before, params = net.predict_proba(X), len(pickle.dumps(net)), net.get_params(deep=False)
    net.trim_for_prediction()
    net.trim_for_prediction()
    np.testing.assert_array_equal(net.predict_proba(X), proba)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert net.get_params(deep=False) == params
    assert callbacks == params["callbacks"] != []
    assert len(pickle.dumps(net)) < before - size_of(unrelated) * 0.5

    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    save(net, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    for trimmed in (net, again):
        for method in ("fit", "partial_fit"):
            with pytest.raises(Exception, match="trimmed for prediction"):
                getattr(trimmed, method)(X, y)
        np.testing.assert_array_equal(trimmed.predict_proba(X), proba)
    fresh = clone(net)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    np.testing.assert_array_equal(fresh.fit(X, NAMES[y]).predict_proba(X), proba)


def test_a_trimmed_regressor_predicts(tabular):
    X, y, _ = tabular
    net = AntiTransferRegressor(**FAST).fit(X, 1000.0 * y)
    expected = net.predict(X)
    net.trim_for_prediction()
    np.testing.assert_array_equal(net.predict(X), expected)
    with pytest.raises(NotFittedError):
        AntiTransferRegressor().trim_for_prediction()


# ---- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("module", ["auto", MLP])
def test_weights_in_the_order_of_skorch(module, safe, tabular, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(module, **FAST).fit(X, NAMES[y])
    net.save_params(f_params=tmp_path / "weights", use_safetensors=safe)
    again = AntiTransferClassifier(module, **FAST).initialize()
    again.load_params(f_params=tmp_path / "weights", use_safetensors=safe)
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert (again.input_shape_, again.n_features_in_, again.n_outputs_) == ((6,), 6, 2)
    assert again.get_params(deep=False) == net.get_params(deep=False)
    with pytest.raises(ValueError, match="7 features"):
        again.predict(np.zeros((2, 7)))
    again.partial_fit(X, NAMES[y])


def test_optimizer_criterion_and_history_come_too(tabular, tmp_path):
    X, y, _ = tabular
    params = {**FAST, "lr_schedule": "constant", "optimizer": "sgd", "optimizer__momentum": 0.9}
    net = AntiTransferClassifier(**params).fit(X, y)
    files = {f"f_{n}": tmp_path / n for n in ("params", "optimizer", "criterion", "history")}
    net.save_params(**files)
    again = AntiTransferClassifier(**params).initialize()
    again.load_params(**files)
    assert list(again.history) == list(net.history)
    momentum = [n.optimizer_.state_dict()["state"][0]["momentum_buffer"] for n in (net, again)]
    assert torch.equal(*momentum)
    assert again.get_params()["device"] == "auto"
    with pytest.raises(ValueError, match="Safetensors can only store tensors"):
        net.save_params(f_optimizer=tmp_path / "no", use_safetensors=True)


def test_files_that_are_open_and_checkpoints(tabular, tmp_path):
    X, y, _ = tabular
    keep = Checkpoint(dirname=tmp_path, monitor=None, f_history="history.json")
    net = AntiTransferClassifier(callbacks=[keep], **FAST).fit(X, NAMES[y])
    again = AntiTransferClassifier(**FAST)
    again.load_params(checkpoint=keep)
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert len(again.history) == len(net.history)
    for safe in (False, True):
        file = io.BytesIO()
        net.save_params(file, use_safetensors=safe)
        file.seek(0)
        again = AntiTransferClassifier(**FAST)
        again.load_params(file, use_safetensors=safe)
        np.testing.assert_array_equal(again.predict(X), net.predict(X))


def test_a_regressor_keeps_its_units_and_shape(tabular, tmp_path):
    X, y, _ = tabular
    targets = np.column_stack([1000.0 * y, y]).astype("f4")
    for target in (targets, targets[:, 0], targets[:, :1]):
        net = AntiTransferRegressor(**FAST).fit(X, target)
        net.save_params(tmp_path / "weights", use_safetensors=True)
        again = AntiTransferRegressor().initialize()
        again.load_params(tmp_path / "weights", use_safetensors=True)
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
        assert again.predict(X).dtype == net.predict(X).dtype == np.float32


def test_weights_of_another_shape_are_refused_and_nothing_changes(tabular, images, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    expected = net.predict_proba(X)
    other = AntiTransferClassifier(**FAST).fit(X[:, :4], y)
    for safe in (False, True):
        other.save_params(tmp_path / "other", use_safetensors=safe)
        for each in (net, AntiTransferClassifier(module__input_shape=6, module__n_outputs=2)):
            with pytest.raises(ValueError, match=r"shape \(4,\), and this .* of shape \(6,\)"):
                each.load_params(tmp_path / "other", use_safetensors=safe)
    np.testing.assert_array_equal(net.predict_proba(X), expected)
    # Written by something else: names and shapes of weights are all that is known.
    torch.save(dict(other.module_.state_dict()), tmp_path / "plain")
    with pytest.raises(ValueError, match=r"has shape \(100, 4\) in the file and \(100, 6\) here"):
        net.load_params(tmp_path / "plain")
    deep = AntiTransferClassifier(module__hidden_layer_sizes=(100, 50, 5), **FAST).fit(X, y)
    deep.save_params(tmp_path / "deep")
    with pytest.raises(ValueError, match=r"only the file has 'hidden\.2"):
        net.load_params(tmp_path / "deep")
    np.testing.assert_array_equal(net.predict_proba(X), expected)
    fresh = AntiTransferClassifier()
    with pytest.raises(ValueError, match="Set module__input_shape and module__n_outputs"):
        fresh.load_params(tmp_path / "plain")
    assert not fresh.initialized_


def test_weights_without_classes_say_so(tabular, tmp_path):
    X, _, _ = tabular
    net = NeuralNetClassifier(MLP, module__input_shape=6, module__n_outputs=2)
    net.initialize().save_params(tmp_path / "weights")
    again = AntiTransferClassifier(MLP, module__input_shape=6, module__n_outputs=2).initialize()
    again.load_params(tmp_path / "weights")
    assert again.predict_proba(X.astype("f4")).shape == (80, 2)
    with pytest.raises(AttributeError, match=r"saved without them\. Set classes"):
        again.predict(X)
    assert set(again.set_params(classes=NAMES).predict(X)) <= set(NAMES)


def test_skorch_reads_the_weights(tabular, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(MLP, **FAST).fit(X, y)
    for safe in (False, True):
        net.save_params(tmp_path / "weights", use_safetensors=safe)
        sizes = {"module__input_shape": 6, "module__n_outputs": 2}
        plain = NeuralNetClassifier(MLP, criterion=torch.nn.CrossEntropyLoss, **sizes)
        plain.initialize().load_params(tmp_path / "weights", use_safetensors=safe)
        np.testing.assert_array_equal(plain.predict_proba(X.astype("f4")), net.predict_proba(X))


def test_a_file_of_another_format_is_named(tabular, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    net.save_params(tmp_path / "weights")
    with pytest.raises(ValueError, match=r"weights' is no file of safetensors"):
        net.load_params(tmp_path / "weights", use_safetensors=True)


# ---- images: weights in the order of memory in which they are fast -----------------------------


def test_weights_of_images_are_saved_in_both_formats(images, tmp_path):
    X, y, _ = images
    net = AntiTransferClassifier(**FAST).fit(X, y)
    assert any(not p.is_contiguous() for p in net.module_.parameters())
    for safe in (False, True):
        net.save_params(tmp_path / "weights", use_safetensors=safe)
        again = AntiTransferClassifier(**FAST).initialize()
        again.load_params(tmp_path / "weights", use_safetensors=safe)
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    assert load_file(tmp_path / "weights")["head.weight"].shape == (3, 64)
    with open(tmp_path / "weights", "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        facts = json.loads(json.loads(file.read(size))["__metadata__"]["atl_sklearn"])
    assert facts["input_shape_"] == [10, 12]
    other = AntiTransferClassifier(**FAST).fit(X[:, :8], y)
    with pytest.raises(ValueError, match=r"\(10, 12\), and this .*\(8, 12\)"):
        other.load_params(tmp_path / "weights", use_safetensors=True)


@pytest.mark.parametrize("axes", [3, 4])
def test_lbfgs_trains_images(axes, images, unrelated_images):
    X, y, _ = images
    X = X if axes == 3 else X[:, None]
    net = AntiTransferClassifier(
        optimizer=torch.optim.LBFGS, lr=0.1, batch_size=-1, max_epochs=3, random_state=0,
        unrelated=unrelated_images if axes == 3 else None, weight=1.0,
        module__channels=(4, 6), module__pool_after=(1,),
    ).fit(X, y)  # fmt: skip
    losses = net.history[:, "train_loss"]
    assert losses[-1] < losses[0]
