"""Layers that take mean and scale from the training data."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine
from sklearn.model_selection import cross_val_score

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.modules import MLP, VGG, ConvNet, Rescale, Standardize
from atl_sklearn.modules._scaling import Moments

FAST = {"max_epochs": 2, "random_state": 0}
RNG = np.random.RandomState(0)
RAW = RNG.normal(size=(80, 3)) * [1e4, 1e-3, 1.0] + [5e5, 7.0, 0.1]
Y = (RAW[:, 2] > 0).astype(int)


# ---- moments ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(50, 4), (50, 4, 3), (50, 4, 2, 3)])
@pytest.mark.parametrize("n_pieces", [1, 3, 50])
def test_moments_of_pieces_are_those_of_the_whole(shape, n_pieces):
    X = RNG.normal(size=shape) * 10 + 1e6
    weight = RNG.randint(4, size=50).astype(float)
    moments, weighted = Moments(), Moments()
    for part in np.array_split(np.arange(50), n_pieces):
        moments.add(X[part])
        weighted.add(X[part], weight[part])
    axes = (0, *range(2, X.ndim))
    for found, whole in ((moments, X), (weighted, np.repeat(X, weight.astype(int), axis=0))):
        mean, spread = found.result()
        np.testing.assert_allclose(mean, whole.mean(axes), rtol=1e-12)
        np.testing.assert_allclose(spread, whole.std(axes), rtol=1e-9)


# ---- the layers ---------------------------------------------------------------------------


def adapted(layer, X):
    moments = Moments()
    with pytest.raises(ValueError, match="sample_weight has none above 0"):
        moments.result()
    moments.add(X)
    layer.adapt(moments)
    return layer


def test_standardised_as_by_scikit_learn():
    layer = adapted(Standardize(3).double(), RAW)
    found = layer(torch.tensor(RAW)).numpy()
    # The third column is near enough to the standard scale.
    np.testing.assert_allclose(found[:, :2].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(found[:, :2].std(0), 1)
    np.testing.assert_array_equal(found[:, 2], RAW[:, 2])


def test_what_is_standard_stays_bit_for_bit():
    X = RNG.normal(size=(100, 4)).astype(np.float32)
    layer = adapted(Standardize(4), X)
    assert layer.is_identity
    batch = torch.tensor(X)
    assert layer(batch) is batch


@pytest.mark.parametrize("constant", [0.0, 7.0, 1e30, 1e-30])
def test_constant_features_lose_their_mean_only(constant):
    layer = adapted(Standardize(1), np.full((5, 1), constant, np.float32))
    found = layer(torch.tensor([[constant], [constant + 1.0]]))
    assert torch.isfinite(found).all()
    assert float(layer.scale) == 1
    if constant < 1e6:
        np.testing.assert_allclose(found, [[0.0], [1.0]], atol=1e-5)


def test_silent_bands_are_not_magnified():
    X = RNG.normal(size=(50, 3, 20)) * [[100.0], [1e-4], [50.0]]
    free, bounded = adapted(Standardize(3), X), adapted(Standardize(3, same_units=True), X)
    assert float(free.scale[1]) == pytest.approx(1e-4, rel=0.1)
    assert float(bounded.scale[1]) == pytest.approx(0.1 * np.sqrt((1e4 + 2500) / 3), rel=0.1)


def test_it_travels_with_the_weights():
    layer = adapted(Standardize(3), RAW)
    X = torch.tensor(RAW, dtype=torch.float32)
    fresh = Standardize(3)
    assert not fresh.adapted
    fresh.load_state_dict(layer.state_dict())
    for again in (fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert again.adapted
        assert torch.equal(again(X), layer(X))


def test_another_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"knows 3 features .* shape \(2, 4\), which has 4"):
        adapted(Standardize(3), RAW)(torch.zeros(2, 4))


def test_rescaling_and_standardising_undo_each_other():
    y = RNG.normal(size=(30, 2)) * [300.0, 0.01] + [1000.0, 5.0]
    layer = adapted(Rescale(2).double(), y)
    z = layer.standardized(torch.tensor(y))
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(layer(z), y)


@pytest.mark.parametrize(
    ("cls", "shape", "params"),
    [(MLP, (6,), {}), (ConvNet, (9, 8), {}), (VGG, (9, 8), {"width": 1 / 32, "grid_size": 2})],
)
def test_networks_have_the_layers_that_are_asked_for(cls, shape, params):
    torch.manual_seed(0)
    without = cls(shape, 2, **params)
    torch.manual_seed(0)
    network = cls(shape, 2, standardize=True, rescale=True, **params).eval()
    names = network.state_dict().keys() - without.state_dict().keys()
    assert {name.split(".")[0] for name in names} == {"standardize", "rescale"}
    X = torch.randn(5, *shape)
    without.eval()
    assert torch.equal(network(X), without(X))
    adapted(network.standardize, X.numpy() * 10 + 3)
    adapted(network.rescale, np.array([[50.0, 7.0], [30.0, 9.0]]))
    shifted = (X - network.standardize.mean.view(-1, *(1,) * (len(shape) - 1))) / (
        network.standardize.scale.view(-1, *(1,) * (len(shape) - 1))
    )
    expected = without(shifted) * network.rescale.scale + network.rescale.mean
    torch.testing.assert_close(network(X), expected)


# ---- in the estimators --------------------------------------------------------------------


def test_a_raw_table_trains_as_a_standardised_one():
    X, y = load_wine(return_X_y=True)
    net = AntiTransferClassifier(random_state=0)
    scores = {
        standardize: cross_val_score(
            net.set_params(module__standardize=standardize), X, y, cv=3
        ).mean()
        for standardize in (True, False)
    }
    assert scores[True] > 0.95
    assert scores[False] < 0.85


@pytest.mark.slow
def test_a_raw_target_trains_as_a_standardised_one():
    X, y = load_diabetes(return_X_y=True)
    net = AntiTransferRegressor(random_state=0)
    scores = [cross_val_score(net, X, scale * y + shift, cv=3) for scale, shift in
              ((1, 0), (1e-3, 5.0), (1e3, -1e4))]  # fmt: skip
    np.testing.assert_allclose(scores[1:], [scores[0]] * 2, atol=0.01)
    assert np.mean(scores[0]) > 0.4
    raw = net.set_params(module__rescale=False)
    assert cross_val_score(raw, X, y, cv=3).mean() < 0


def test_predictions_and_losses_have_their_units():
    X, y = load_diabetes(return_X_y=True)
    net = AntiTransferRegressor(random_state=0).fit(X, y)
    residual = np.mean((net.predict(X) - y) ** 2)
    assert float(net.module_.rescale.scale) == pytest.approx(y.std(), rel=1e-5)
    loss = float(net.get_loss(net.forward(X), torch.tensor(y[:, None], dtype=torch.float32)))
    assert loss == pytest.approx(residual / y.var(), rel=1e-4)
    assert net.history[-1, "train_loss"] < 1


@pytest.mark.parametrize(
    ("criterion", "there"),
    [
        (torch.nn.MSELoss, True),
        (torch.nn.L1Loss, True),
        (torch.nn.HuberLoss, False),
        (torch.nn.PoissonNLLLoss, False),
    ],
)
def test_losses_that_depend_on_units_see_them(criterion, there):
    net = AntiTransferRegressor(criterion=criterion, **FAST).fit(RAW, np.abs(RAW[:, 0]) / 1e4)
    assert (net.module_.rescale is not None) is there


def test_statistics_are_those_of_the_training_part():
    def split(dataset, y, **params):
        half = len(dataset) // 2
        return torch.utils.data.Subset(dataset, range(half)), torch.utils.data.Subset(
            dataset, range(half, len(dataset))
        )

    net = AntiTransferClassifier(train_split=split, **FAST).fit(RAW, Y)
    np.testing.assert_allclose(net.module_.standardize.mean[0], RAW[:40, 0].mean(), rtol=1e-6)


def test_weights_count_as_repetitions():
    weight = RNG.randint(3, size=80)
    params = {"precision": "float64", "batch_size": -1, **FAST}
    weighted = AntiTransferClassifier(**params).fit(RAW, Y, sample_weight=weight)
    repeated = AntiTransferClassifier(**params).fit(
        np.repeat(RAW, weight, axis=0), np.repeat(Y, weight)
    )
    np.testing.assert_allclose(weighted.predict_proba(RAW), repeated.predict_proba(RAW), rtol=1e-9)


def test_they_are_taken_once():
    net = AntiTransferClassifier(**FAST).partial_fit(RAW[:40], Y[:40])
    mean = net.module_.standardize.mean.clone()
    net.partial_fit(RAW[40:], Y[40:])
    assert torch.equal(net.module_.standardize.mean, mean)
    net.fit(RAW[40:], Y[40:])
    assert not torch.equal(net.module_.standardize.mean, mean)


def test_a_dataset_and_an_own_network_have_them_too():
    X = torch.tensor(RAW, dtype=torch.float32)
    dataset = torch.utils.data.TensorDataset(X, torch.tensor(Y))
    network = torch.nn.Sequential(Standardize(3), torch.nn.Linear(3, 2))
    net = AntiTransferClassifier(network, **FAST).fit(dataset)
    np.testing.assert_allclose(net.module_[0].mean[0], RAW[:, 0].mean(), rtol=1e-6)
    assert not network[0].adapted


def test_loaded_weights_predict_in_the_units_of_the_target(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    net = AntiTransferRegressor(**FAST).fit(X, y)
    net.save_params(f_params=tmp_path / "weights.pt")
    again = AntiTransferRegressor(**FAST).fit(X, y + 1000)
    again.load_params(f_params=tmp_path / "weights.pt")
    np.testing.assert_allclose(again.predict(X), net.predict(X), rtol=1e-6)


def test_an_unrelated_network_standardises_for_itself():
    unrelated = AntiTransferClassifier(max_epochs=20, random_state=0).fit(RAW, Y)
    weights = {name: value.clone() for name, value in unrelated.module_.state_dict().items()}
    net = AntiTransferClassifier(unrelated=unrelated, weight="auto", **FAST).fit(RAW, Y)
    assert net.weight_ == 0.3  # it answers as it does by itself
    for name, value in unrelated.module_.state_dict().items():
        assert torch.equal(value, weights[name])
