"""Networks that write into what they are given: what users own stays as it is."""

import numpy as np
import pytest
import torch
from torch import nn

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import extract_activations
from atl_sklearn.inspection._saliency import saliency_map

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


class Rectified(nn.Module):
    """Rectifies its input, and adds to it at the end."""

    def __init__(self, in_place=True):
        super().__init__()
        self.rectify = nn.ReLU(inplace=in_place)
        self.hidden, self.head = nn.Linear(5, 5), nn.Linear(5, 2)
        self.in_place = in_place

    def forward(self, x):
        hidden = self.hidden(self.rectify(x).clone())
        scores = self.head(hidden.relu())
        if self.in_place:
            x.zero_()
        return scores


def frozen(in_place):
    torch.manual_seed(5)
    return Rectified(in_place)


@pytest.mark.parametrize("cache", ["auto", "live"])
@pytest.mark.parametrize("on_unlabeled", [False, True])
def test_target_and_unrelated_networks_see_what_was_given(cache, on_unlabeled):
    found = []
    for own in (False, True):
        for unrelated in (False, True):
            data, more = X.copy(), X[:40] + 1
            net = AntiTransferClassifier(
                Rectified, module__in_place=own, unrelated=frozen(unrelated), weight=1.0,
                penalty_every=1, cache=cache, max_epochs=2, batch_size=16, random_state=0,
            ).fit(data, Y, X_unlabeled=more if on_unlabeled else None)  # fmt: skip
            np.testing.assert_array_equal(data, X)
            np.testing.assert_array_equal(more, X[:40] + 1)
            found.append(net.predict_proba(data))
            np.testing.assert_array_equal(data, X)
    for probabilities in found[1:]:
        np.testing.assert_allclose(probabilities, found[0], atol=1e-6)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("kind", ["array", "tensor", "map of a file", "float64"])
def test_activations_are_read_without_writing(in_place, kind, tmp_path):
    given = X.astype(np.float64) if kind == "float64" else X.copy()
    if kind == "map of a file":
        np.save(tmp_path / "X.npy", given)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    if kind == "tensor":
        given = torch.from_numpy(given)
    found = extract_activations(frozen(in_place), given, batch_size=16)
    np.testing.assert_allclose(found, extract_activations(frozen(False), X), atol=1e-6)
    np.testing.assert_array_equal(np.asarray(given), X)


@pytest.mark.parametrize("method", ["gradient", "occlusion"])
def test_what_a_network_looks_at_is_found_without_writing(method):
    images = np.random.default_rng(1).normal(size=(4, 1, 6, 6)).astype(np.float32)
    before, found = images.copy(), []
    for in_place in (False, True):
        torch.manual_seed(0)
        layers = nn.ReLU(inplace=in_place), nn.Flatten(), nn.Linear(36, 2)
        network = nn.Sequential(*layers)
        found.append(saliency_map(network, images, 0, method=method, n_patches=(2, 2)))
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(images, before)
