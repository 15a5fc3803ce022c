"""Half precisions: close to single, computed in single where it matters."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

FAST = {"max_epochs": 3, "random_state": 0}
HALF = ["bfloat16", "float16"]


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"metric": "squared_cosine", "aggregation": "none"},
        {"metric": "adversarial"},
        {"metric": "adversarial", "penalty_every": 1},
        {"cache": "live"},
    ],
)
def test_it_is_close_to_single_precision(precision, params, tabular, unrelated):
    X, y, _ = tabular
    params = {**FAST, **params, "unrelated": unrelated}
    half = AntiTransferClassifier(precision=precision, **params).fit(X, y)
    single = AntiTransferClassifier(**params).fit(X, y)
    assert {p.dtype for p in half.module_.parameters()} == {torch.float32}
    assert half.predict_proba(X).dtype == np.float32
    np.testing.assert_allclose(half.predict_proba(X), single.predict_proba(X), atol=0.05)
    for name in ("train_loss", "train_penalty"):
        np.testing.assert_allclose(half.history[:, name], single.history[:, name], atol=0.05)
    assert half.history[-1, "train_loss"] != single.history[-1, "train_loss"]


@pytest.mark.parametrize("precision", HALF)
def test_networks_run_in_it_and_similarities_in_single(precision, images, monkeypatch):
    X, y = images[:2]
    dtypes = set()

    class Watches(Callback):
        def on_batch_end(self, net, y_pred=None, loss=None, **kwargs):
            dtypes.update({("returned", y_pred.dtype), ("loss", loss.dtype)})

        def on_train_begin(self, net, **kwargs):
            for module in net.module_.modules():
                if isinstance(module, torch.nn.Conv2d):
                    module.register_forward_hook(
                        lambda module, args, output: dtypes.add(("inside", output.dtype))
                    )

    unrelated = AntiTransferClassifier(**FAST).fit(X, 1 - y)
    net = AntiTransferClassifier(
        unrelated=unrelated, precision=precision, callbacks=[Watches()], **FAST
    ).fit(X, y)
    half = getattr(torch, precision)
    assert dtypes == {("inside", half), ("returned", torch.float32), ("loss", torch.float32)}
    assert np.isfinite(net.history[-1, "train_penalty"])


def test_gradients_are_as_they_are_for_callbacks(tabular):
    X, y, _ = tabular
    sizes = {}

    class Sizes(Callback):
        def on_grad_computed(self, net, named_parameters=None, **kwargs):
            largest = max(float(p.grad.abs().max()) for _, p in named_parameters)
            sizes.setdefault(net.precision, []).append(largest)

    for precision in ("float16", "float32"):
        AntiTransferClassifier(precision=precision, callbacks=[Sizes()], **FAST).fit(X, y)
    np.testing.assert_allclose(sizes["float16"], sizes["float32"], rtol=0.1)


def test_regression(tabular):
    X, _, _ = tabular
    net = AntiTransferRegressor(precision="bfloat16", **FAST).fit(X, X[:, 0])
    assert net.predict(X).dtype == np.float64
    assert np.isfinite(net.predict(X)).all()


def test_an_optimizer_that_computes_the_loss_several_times(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(precision="float16", optimizer=torch.optim.LBFGS, **FAST)
    with pytest.raises(ValueError, match=r"'precision' parameter .* several times in a step"):
        net.fit(X, y)
    net.set_params(precision="bfloat16", batch_size=-1).fit(X, y)
