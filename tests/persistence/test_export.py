"""Networks for other programs predict what the estimators do, for batches of any size."""

import json
import sys

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor, export_onnx
from atl_sklearn.audio import Standardizer
from atl_sklearn.persistence import export_program
from tests.slow import all_but_slow

RNG = np.random.default_rng(0)
TABLE = (100 + 30 * RNG.normal(size=(40, 6))).astype("f4")
IMAGES = (5 + 3 * RNG.normal(size=(40, 9, 7))).astype("f4")
y = np.array(["a", "b", "c"])[np.arange(40) % 3]
FAST = {"max_epochs": 1, "random_state": 0}


def networks():
    bce = {"criterion": torch.nn.BCEWithLogitsLoss}
    vgg = {"module__width": 1 / 32, "module__batch_norm": True}
    two, numbers = y[:40] == "a", (1000 * TABLE[:, 0]).astype("f8")
    steps = Standardizer(per="element"), AntiTransferClassifier(**FAST)
    return {
        "mlp": (AntiTransferClassifier(**FAST), TABLE, y),
        "convnet": (AntiTransferClassifier(**FAST), IMAGES, y),
        "vgg": (AntiTransferClassifier("vgg", **vgg, **FAST), IMAGES, y),
        "one score": (AntiTransferClassifier(**bce, **FAST), TABLE, two),
        "regressor": (AntiTransferRegressor(**FAST), TABLE, numbers),
        "targets": (AntiTransferRegressor(**FAST), IMAGES, np.column_stack([numbers, numbers])),
        "scaler": (make_pipeline(StandardScaler(), AntiTransferClassifier(**FAST)), TABLE, y),
        "standardizer": (make_pipeline(*steps), IMAGES, y),
        "double": (AntiTransferClassifier(precision="float64", **FAST), TABLE, y),
    }


NETWORKS = networks()


def expected_of(model, X):
    return model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)


@pytest.mark.parametrize("name", all_but_slow(NETWORKS, "mlp"))
def test_programs_of_torch_predict_the_same(name):
    model, X, target = NETWORKS[name]
    model.fit(X, target)
    program = export_program(model)
    dtype = torch.float64 if name == "double" else torch.float32
    for n in (1, 2, 40):
        found = program.module()(torch.as_tensor(X[:n], dtype=dtype)).detach().numpy()
        expected = expected_of(model, X[:n])
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    all_but_slow(
        ["mlp", "convnet", "vgg", "one score", "regressor", "standardizer"], "mlp", "convnet"
    ),
)
def test_files_of_onnx_predict_the_same(name, tmp_path):
    pytest.importorskip("onnxscript", reason="the extra 'onnx' is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    model, X, target = NETWORKS[name]
    model.fit(X, target)
    net = model[-1] if hasattr(model, "steps") else model
    net.module_.train()
    export_onnx(model, tmp_path / "model.onnx")
    assert net.module_.training, "its mode is the caller's"
    assert all(p.requires_grad for p in net.module_.parameters())
    assert [f.name for f in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for n in (1, 2, 40):
        found = session.run(None, {"X": X[:n]})[0]
        expected = expected_of(model, X[:n])
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    properties = session.get_modelmeta().custom_metadata_map
    if hasattr(model, "classes_"):
        assert json.loads(properties["classes"]) == model.classes_.tolist()
    assert json.loads(properties["input_shape"]) == list(X.shape[1:])
    assert [o.name for o in session.get_outputs()] == [
        "probabilities" if hasattr(model, "classes_") else "prediction"
    ]


class Random(torch.nn.Module):
    """Predicts something else each time."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.layer = torch.nn.Linear(6, n_outputs)

    def forward(self, x):
        return self.layer(x + torch.rand_like(x))


class Sorted(torch.nn.Module):
    """Looks at the values of its input."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.layer = torch.nn.Linear(6, n_outputs)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else -self.layer(x)


def test_what_cannot_be_exported_is_named(tmp_path):
    pytest.importorskip("onnxscript", reason="the extra 'onnx' is not installed")
    (tmp_path / "model").write_bytes(b"what was there")
    scaled = make_pipeline(MinMaxScaler(), AntiTransferClassifier(**FAST)).fit(TABLE, y)
    with pytest.raises(ValueError, match=r"'minmaxscaler' of the Pipeline.*pipeline\[1:\]"):
        export_onnx(scaled, tmp_path / "model")
    looks = AntiTransferClassifier(Sorted, **FAST).fit(TABLE, y)
    with pytest.raises(ValueError, match="a Sorted, cannot be exported by"):
        export_onnx(looks, tmp_path / "model")
    changes = AntiTransferClassifier(Random, **FAST).fit(TABLE, y)
    with pytest.raises(ValueError, match="was not kept"):
        export_onnx(changes, tmp_path / "model")
    with pytest.raises(NotFittedError):
        export_onnx(AntiTransferClassifier(), tmp_path / "model")
    with pytest.raises(ValueError, match="ends in one"):
        export_onnx(MinMaxScaler().fit(TABLE), tmp_path / "model")
    assert [f.name for f in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == b"what was there"


def test_the_best_of_a_search_and_what_follows_a_step(tmp_path):
    search = GridSearchCV(AntiTransferClassifier(**FAST), {"lr": [1e-3]}, cv=2).fit(TABLE, y)
    found = export_program(search).module()(torch.from_numpy(TABLE))
    np.testing.assert_allclose(found, search.predict_proba(TABLE), atol=1e-5)
    scaled = make_pipeline(MinMaxScaler(), AntiTransferClassifier(**FAST)).fit(TABLE, y)
    X = scaled[0].transform(TABLE).astype("f4")
    found = export_program(scaled[1:]).module()(torch.from_numpy(X))
    np.testing.assert_allclose(found, scaled.predict_proba(TABLE), atol=1e-5)


def test_without_the_extra_it_says_which(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = AntiTransferClassifier(**FAST).fit(TABLE, y)
    with pytest.raises(ImportError, match=r"atl_sklearn\[onnx\]"):
        export_onnx(model, tmp_path / "model")
