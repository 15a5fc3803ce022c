"""Each use on the device that ``--device`` names, beside the same on the CPU."""

import copy

import numpy as np
import pytest
import torch

from atl_sklearn import (
    AntiTransferClassifier,
    AntiTransferLoss,
    AntiTransferRegressor,
    load,
    save,
)
from atl_sklearn.inspection import extract_activations, invariance_report
from atl_sklearn.similarity import get_metric_names

# What a network learns of a few samples is little.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"max_epochs": 2, "random_state": 0, "penalty_every": 1}
USES = {
    "plain": {"unrelated": None},
    "penalty": {"weight": 1.0},
    "computed in every step": {"weight": 1.0, "cache": "live"},
    "kept in files": {"weight": 1.0, "cache": "mapped"},
    "unlabeled": {"weight": 1.0, "X_unlabeled": True},
    "product of experts": {"weight": 0.0, "product_of_experts": 1.0},
    "chosen": {},
    "chosen, unlabeled": {"X_unlabeled": True},
    "adversary": {"weight": 1.0, "metric": "adversarial"},
    "labels": {"unrelated": "labels", "weight": 1.0},
    "double precision": {"weight": 1.0, "precision": "float64"},
    "half precision": {"weight": 1.0, "precision": "bfloat16"},
}


def is_on(tensor, device):
    return tensor.device.type == torch.device(device).type


def fitted(use, device, images, unrelated_images, **params):
    X, y, nuisance = images
    given = {"unrelated": unrelated_images, **USES[use], **params}
    more = {"X_unlabeled": X[::2]} if given.pop("X_unlabeled", False) else {}
    if given["unrelated"] == "labels":
        more["y_unrelated"] = nuisance
    net = AntiTransferClassifier(
        device=device, module__channels=(4, 6), module__pool_after=(1,), **FAST, **given
    )
    return net.fit(X, y, **more)


@pytest.mark.parametrize("use", USES)
def test_it_is_what_the_cpu_gives(use, device, images, unrelated_images):
    found, expected = (fitted(use, d, images, unrelated_images) for d in (device, "cpu"))
    assert all(is_on(p, device) for p in found.module_.parameters())
    atol = 0.05 if use == "half precision" else 2e-3
    given, wanted = (net.predict_proba(images[0]) for net in (found, expected))
    assert isinstance(given, np.ndarray)
    np.testing.assert_allclose(given, wanted, atol=atol)
    np.testing.assert_allclose(
        found.history[:, "train_loss"], expected.history[:, "train_loss"], atol=10 * atol
    )


@pytest.mark.parametrize("use", ["penalty", "chosen, unlabeled", "adversary"])
def test_the_same_seed_gives_the_same(use, device, images, unrelated_images):
    first, second = (fitted(use, device, images, unrelated_images) for _ in range(2))
    given, wanted = (net.predict_proba(images[0]) for net in (first, second))
    # Some kernels of GPUs add in no fixed order.
    np.testing.assert_allclose(given, wanted, atol=0 if device == "cpu" else 1e-4)


def test_the_frozen_network_stays_as_it_is(device, images, unrelated_images):
    before = {k: v.clone() for k, v in unrelated_images.module_.state_dict().items()}
    fitted("penalty", device, images, unrelated_images)
    after = unrelated_images.module_.state_dict()
    assert all(is_on(value, "cpu") and value.equal(before[k]) for k, value in after.items())


@pytest.mark.parametrize("metric", get_metric_names())
def test_every_metric(metric, device, images, unrelated_images):
    found, expected = (
        fitted("penalty", d, images, unrelated_images, metric=metric) for d in (device, "cpu")
    )
    assert np.isfinite(found.history[-1, "train_penalty"])
    np.testing.assert_allclose(
        found.history[:, "train_penalty"], expected.history[:, "train_penalty"], atol=0.02
    )


def test_a_regressor(device, tabular, unrelated):
    X, y, _ = tabular
    nets = [
        AntiTransferRegressor(unrelated=unrelated, weight=1.0, device=d, **FAST).fit(X, y * 1.0)
        for d in (device, "cpu")
    ]
    np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), atol=2e-3)


def test_it_goes_on(device, images, unrelated_images):
    X, y, _ = images
    net = fitted("penalty", device, images, unrelated_images)
    n_epochs = len(net.history)
    net.partial_fit(X, y)
    assert len(net.history) > n_epochs
    assert all(is_on(p, device) for p in net.module_.parameters())


def test_saved_there_and_read_on_the_cpu(device, images, unrelated_images, tmp_path):
    net = fitted("penalty", device, images, unrelated_images)
    save(net, tmp_path / "net.atl")
    read = load(tmp_path / "net.atl").set_params(device="cpu")
    np.testing.assert_allclose(
        read.predict_proba(images[0]), net.predict_proba(images[0]), atol=1e-4
    )


def test_it_is_looked_into(device, images, unrelated_images):
    X, y, nuisance = images
    net = fitted("penalty", device, images, unrelated_images)
    assert isinstance(extract_activations(net, X), np.ndarray)
    there, here = (
        [m.value for m in invariance_report(n, X, y, nuisance).measures]
        for n in (net, copy.deepcopy(net).set_params(device="cpu"))
    )
    np.testing.assert_allclose(there, here, atol=1e-3)


@pytest.mark.parametrize("metric", get_metric_names())
def test_the_loss_for_bare_pytorch(metric, device):
    rng = np.random.RandomState(0)
    current, frozen = (torch.tensor(rng.normal(size=(24, n)), dtype=torch.float32) for n in (4, 4))
    values = []
    for where in (device, "cpu"):
        a, b = current.to(where).requires_grad_(), frozen.to(where)
        torch.manual_seed(0)
        loss = AntiTransferLoss(metric=metric)
        if metric == "adversarial":
            loss.initialize(current, frozen)
        penalty = loss.to(where)(a, b)
        penalty.total.backward()
        assert is_on(penalty.total, where)
        assert is_on(a.grad, where)
        values.append(penalty.total.item())
    assert values[0] == pytest.approx(values[1], abs=1e-4)
