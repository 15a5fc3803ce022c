"""What skorch trains trains here: its hooks, its ways of calling, and what its nets are made of."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, InputShapeSetter
from skorch.dataset import Dataset
from skorch.exceptions import SkorchTrainingImpossibleError
from skorch.history import History
from skorch.scoring import loss_scoring
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

FAST = {"max_epochs": 1, "random_state": 0}


class Sized(nn.Module):
    """A network whose input has another size than the data."""

    def __init__(self, input_dim=3, hidden=4):
        super().__init__()
        self.hidden = nn.Linear(input_dim, hidden)
        self.output = nn.Linear(hidden, 2)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


class Accumulating(AntiTransferClassifier):
    """Makes a step of the optimizer after every second batch, as skorch's documentation has it."""

    def train_step(self, batch, **fit_params):
        n_batches = len(self.history[-1, "batches"])
        step = self.train_step_single(batch, **fit_params)
        if n_batches % 2 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


# ---- how many epochs ---------------------------------------------------------------------------


def test_epochs_of_one_call(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, y, epochs=3)
    same = AntiTransferClassifier(unrelated=unrelated, **{**FAST, "max_epochs": 3}).fit(X, y)
    assert net.history[:, "train_penalty"] == same.history[:, "train_penalty"]
    assert net.history[:, "lr"] == same.history[:, "lr"]  # the schedule covers the call
    assert net.summary_.max_epochs == 3
    assert net.max_epochs == 1
    assert len(net.partial_fit(X, y, epochs=2).history) == 5
    assert len(net.partial_fit(X, y, epochs=None).history) == 6
    assert len(net.fit(X, y, epochs=0).history) == 0


@pytest.mark.parametrize("epochs", [-1, 1.5, "2", True])
def test_epochs_that_are_no_number_are_refused(tabular, epochs):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"'epochs' parameter of AntiTransferClassifier.fit must"):
        AntiTransferClassifier(**FAST).fit(X, y, epochs=epochs)


def test_fit_loop_goes_on_with_labels_and_penalty(tabular, unrelated):
    X, y, _ = tabular
    labels = np.array(["yes", "no"])[y]
    nets = [AntiTransferClassifier(unrelated=unrelated, **FAST).fit(X, labels) for _ in range(2)]
    nets[0].fit_loop(X, labels, epochs=2)
    nets[1].partial_fit(X, labels, epochs=2)
    assert len(nets[0].history) == 3
    assert nets[0].history[:, "train_penalty"] == nets[1].history[:, "train_penalty"]
    assert set(nets[0].predict(X)) <= {"yes", "no"}


def test_no_epochs_at_all(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, max_epochs=0, random_state=0).fit(X, y)
    assert net.predict(X).shape == y.shape


# ---- parts of one's own ------------------------------------------------------------------------


def test_a_loss_that_is_an_object(tabular):
    X, y, _ = tabular
    loss = nn.CrossEntropyLoss(label_smoothing=0.3)
    net = AntiTransferClassifier(criterion=loss, **FAST)
    by_class = AntiTransferClassifier(criterion__label_smoothing=0.3, **FAST)
    assert (
        clone(net).fit(X, y).history[:, "train_loss"]
        == (by_class.fit(X, y).history[:, "train_loss"])
    )


def test_modules_among_the_parameters_of_a_subclass(tabular):
    X, y, _ = tabular

    class Two(AntiTransferClassifier):
        def __init__(self, *args, second=None, **kwargs):
            self.second = second
            super().__init__(*args, **kwargs)

        def get_loss(self, y_pred, y_true, *args, **kwargs):
            own = super().get_loss(y_pred, y_true, *args, **kwargs)
            return own + self.second(y_pred, torch.as_tensor(y_true))

    net = Two(second=nn.CrossEntropyLoss(label_smoothing=0.1), **FAST)
    net.set_params(second=nn.CrossEntropyLoss())
    plain = AntiTransferClassifier(**FAST)
    first = clone(net).fit(X, y, epochs=1).history[0, "train_loss"]
    assert first > 1.5 * plain.fit(X, y).history[0, "train_loss"]
    assert "second_" not in vars(net)


def test_a_history_of_the_users(tabular):
    X, y, _ = tabular

    class Own(History):
        pass

    history = Own()
    net = AntiTransferClassifier(history=history, **FAST).fit(X, y)
    assert net.history is history
    assert len(net.fit(X, y).history) == 1
    assert net.history is history
    # One that fails before training has lost nothing.
    with pytest.raises(ValueError, match="lr"):
        net.set_params(lr=-1).fit(X, y)
    assert len(history) == 1
    assert "history" not in net.get_params()
    other = AntiTransferClassifier(**FAST)
    other.history = history
    assert other.fit(X, y).history is history


def test_the_network_is_made_anew_where_training_begins(tabular, unrelated):
    X, y, _ = tabular
    parameters = {"callbacks": [InputShapeSetter()], "unrelated": unrelated, **FAST}
    net, same = (
        AntiTransferClassifier(Sized, metric="cka", **parameters).fit(X, y) for _ in range(2)
    )
    assert net.module_.hidden.in_features == X.shape[1]
    assert net.history[0, "train_penalty"] > 0  # read from the new network
    np.testing.assert_array_equal(net.predict_proba(X), same.predict_proba(X))


def test_parameters_that_are_set_where_training_begins(tabular):
    X, y, _ = tabular

    class Wider(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            net.set_params(module__hidden=9)

    net = AntiTransferClassifier(Sized, module__input_dim=6, callbacks=[Wider()], **FAST)
    net.fit(X, y)
    assert net.module_.hidden.out_features == 9
    trained = [p.detach().clone() for p in net.module_.parameters()]
    net.partial_fit(X, y)
    assert any(
        not torch.equal(a, b) for a, b in zip(trained, net.module_.parameters(), strict=True)
    )


def test_a_criterion_under_a_name_of_ones_own(tabular):
    X, y, _ = tabular

    class Own(AntiTransferClassifier):
        def initialize_criterion(self):
            self.loss_ = nn.CrossEntropyLoss()
            return self

        def get_loss(self, y_pred, y_true, *args, **kwargs):
            return self.loss_(y_pred, torch.as_tensor(y_true))

    net = Own(**FAST).fit(X, y)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-5)


def test_the_network_has_its_name(tabular):
    X, y, _ = tabular

    class Other(AntiTransferClassifier):
        def initialize_module(self):
            self.network_ = Sized(6)
            return self

    net = Other(Sized, **FAST)
    assert isinstance(net.initialize().network_, Sized)
    with pytest.raises(TypeError, match=r"Other.initialize_module must set module_"):
        net.fit(X, y)


@pytest.mark.parametrize("metric", ["cross_correlation", "adversarial"])
def test_a_training_step_of_ones_own_with_unlabeled_data(tabular, unrelated, metric):
    X, y, _ = tabular
    net = Accumulating(
        unrelated=unrelated, weight=1.0, penalty_every=1, metric=metric, batch_size=16, **FAST
    )
    net.fit(X, y, X_unlabeled=X[:50])
    assert np.isfinite(net.history[0, "train_penalty"])
    # A batch is drawn for every step: 5 of 6 go once through 50 by 96, which are one batch each.
    assert len(net.history[0, "batches"]) == 5
    if metric == "adversarial":
        readers = Accumulating(
            unrelated=unrelated, weight=1.0, penalty_every=1, metric=metric, batch_size=16, **FAST
        )
        readers.fit(X, y)
        state = readers._penalty_state["readers"]["state"]
        assert {int(entry["step"]) for entry in state.values()} == {5}


def test_a_training_step_of_ones_own_has_scaled_gradients_refused(tabular):
    X, y, _ = tabular
    with pytest.raises(ValueError, match="another one where train_step is your own"):
        Accumulating(precision="float16", **FAST).fit(X, y)


def test_unexpected_arguments_of_fit_are_named(tabular):
    X, y, _ = tabular
    with pytest.raises(TypeError, match=r"unexpected arguments \['foo'\]"):
        AntiTransferClassifier(**FAST).fit(X, y, foo=1)


def test_one_file_for_the_weights(tabular, tmp_path):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    path = tmp_path / "weights"
    for call in (net.save_params, net.load_params):
        with pytest.raises(
            TypeError, match=f"{call.__name__} called with both f_params and f_module"
        ):
            call(f_params=path, f_module=path)


def test_what_is_trimmed_says_what_can_be_fitted(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(**FAST).fit(X, y)
    net.trim_for_prediction()
    with pytest.raises(SkorchTrainingImpossibleError, match=r"fit sklearn.base.clone"):
        net.fit(X, y)
    with pytest.raises(NotFittedError):
        clone(net).predict(X)


# ---- outputs and targets -----------------------------------------------------------------------


class OwnLoss(nn.Module):
    def forward(self, y_pred, y_true):
        return nn.functional.cross_entropy(y_pred, y_true)


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss, nn.MultiMarginLoss, OwnLoss])
def test_more_outputs_than_classes_are_refused(tabular, criterion):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\), one for each class. Got \(8, 5"):
        AntiTransferClassifier(nn.Linear(6, 5), criterion=criterion, **FAST).fit(X, y)
    net = AntiTransferClassifier(
        nn.Linear(6, 5), criterion=criterion, classes=[0, 1, 2, 3, 4], **FAST
    )
    assert net.fit(X, y).predict_proba(X).shape == (80, 5)


def test_a_regressor_whose_network_returns_one_axis(tabular):
    X, _, _ = tabular
    y = X[:, 0]
    flat = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    net = AntiTransferRegressor(flat, **FAST).fit(X, y)
    column = AntiTransferRegressor(nn.Linear(6, 1), **FAST)
    torch.manual_seed(0)
    assert net.predict(X).shape == y.shape
    column.fit(X, y)
    for one in (net, column):
        expected = np.mean((one.predict(X) - y) ** 2)
        assert loss_scoring(one, X, y) == pytest.approx(expected, rel=1e-4)
    assert net.fit(X, y[:, None]).predict(X).shape == (80, 1)
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\)"):
        net.fit(X, X[:, :2])


@pytest.mark.parametrize("labels", [np.array([7, 3]), np.array(["b", "a"])])
def test_loss_scoring_of_any_labels(tabular, labels):
    X, y, _ = tabular
    plain = AntiTransferClassifier(**FAST).fit(X, 1 - y)  # the order in which the labels sort
    net = AntiTransferClassifier(**FAST).fit(X, labels[y])
    expected = loss_scoring(plain, X, 1 - y)
    assert loss_scoring(net, X, labels[y]) == pytest.approx(expected, rel=1e-6)
    if labels.dtype.kind == "i":
        assert loss_scoring(net, Dataset(X, labels[y])) == pytest.approx(expected, rel=1e-6)
        with pytest.raises(IndexError):  # nothing is guessed for a label that is none
            loss_scoring(net, Dataset(X, np.full(80, 5)))
    np.testing.assert_array_equal(net.predict(Dataset(X)), net.predict(X))


def test_log_softmax_with_nllloss_says_what_skorch_takes(tabular):
    X, y, _ = tabular
    net = nn.Sequential(nn.Linear(6, 2), nn.LogSoftmax(-1))
    with pytest.raises(ValueError, match=r"must return probabilities, of which skorch takes"):
        AntiTransferClassifier(net, criterion=nn.NLLLoss, **FAST).fit(X, y)


def test_several_labels_name_the_way_out(tabular):
    X, y, nuisance = tabular
    with pytest.raises(ValueError, match=r"sklearn.multioutput.MultiOutputClassifier"):
        AntiTransferClassifier(**FAST).fit(X, np.stack([y, nuisance], axis=1))


@pytest.mark.parametrize("flat", [False, True])
def test_one_output_for_two_classes(tabular, flat):
    X, y, _ = tabular
    net = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)) if flat else nn.Linear(6, 1)
    net = AntiTransferClassifier(net, criterion=nn.BCEWithLogitsLoss, **FAST).fit(X, y)
    assert net.predict_proba(X).shape == (80, 2)


# ---- kinds of data -----------------------------------------------------------------------------


class Clips(torch.utils.data.Dataset):
    """Clips of different lengths."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        rng = np.random.RandomState(index)
        return rng.normal(size=(3, 5 + index % 4)).astype(np.float32), index % 2


def padded(items):
    length = max(x.shape[-1] for x, _ in items)
    x = [np.pad(x, [(0, 0), (0, length - x.shape[-1])]) for x, _ in items]
    return torch.as_tensor(np.stack(x)), torch.as_tensor([y for _, y in items])


class OfClips(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.output = nn.Conv1d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, X):
        return self.output(torch.relu(self.conv(X)).mean(-1))


def test_a_collate_fn_of_ones_own(unrelated):
    known = AntiTransferClassifier(OfClips, iterator_train__collate_fn=padded, **FAST)
    known.fit(Clips())
    net = AntiTransferClassifier(
        OfClips,
        unrelated=known,
        iterator_train__collate_fn=padded,
        iterator_valid__collate_fn=padded,
        train_split=0.2,
        batch_size=8,
        **FAST,
    )
    net.fit(Clips(), X_unlabeled=torch.utils.data.Subset(Clips(), range(30)))
    assert net.history[0, "train_penalty"] > 0
    assert net.history[0, "valid_loss"] > 0
    assert net.predict(Clips()).shape == (40,)


def test_an_iterator_of_ones_own_is_asked_for_its_first_batch():
    class Mine:
        def __init__(self, dataset, batch_size, generator):
            self.dataset, self.size, self.generator = dataset, batch_size, generator

        def __iter__(self):
            order = torch.randperm(len(self.dataset), generator=self.generator).tolist()
            for start in range(0, len(order), self.size):
                yield padded([self.dataset[i] for i in order[start : start + self.size]])

    losses = []
    for epochs in (1, 1):
        generator = torch.Generator().manual_seed(3)
        net = AntiTransferClassifier(
            OfClips, iterator_train=Mine, iterator_train__generator=generator, **FAST
        )
        net.fit(Clips(), epochs=epochs)
        losses.append(net.history[0, "train_loss"])
    assert losses[0] == losses[1]
    # The trial has not advanced the user's generator: one permutation was drawn, that of training.
    drawn = torch.Generator().manual_seed(3)
    torch.randperm(40, generator=drawn)
    assert torch.equal(generator.get_state(), drawn.get_state())


class Tokens(nn.Module):
    def __init__(self, n_outputs=2):
        super().__init__()
        self.embed, self.output = nn.Embedding(50, 4), nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.output(self.embed(X).mean(1))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_integers_that_are_looked_up(dtype, tmp_path):
    rng = np.random.RandomState(0)
    X, y = rng.randint(50, size=(40, 6)).astype(dtype), np.arange(40) % 2
    known = AntiTransferClassifier(Tokens, **FAST).fit(X, y)
    net = AntiTransferClassifier(Tokens, unrelated=known, metric="cka", layer="output", **FAST)
    net.fit(X, y, X_unlabeled=X[:30])
    assert net.predict(X.tolist()).shape == (40,)
    assert net.module_.embed.weight.dtype == torch.float32
    net.save_params(f_params=tmp_path / "weights")
    other = AntiTransferClassifier(Tokens, **FAST)
    other.load_params(f_params=tmp_path / "weights")
    np.testing.assert_array_equal(other.predict(X), net.predict(X))


def test_floats_are_not_looked_up():
    X, y = np.ones((20, 3)), np.arange(20) % 2
    with pytest.raises(ValueError, match=r"looks X up in an Embedding, which takes integers"):
        AntiTransferClassifier(Tokens, **FAST).fit(X, y)


def test_an_unrelated_network_looks_up_what_the_target_network_takes_as_numbers():
    rng = np.random.RandomState(0)
    X, y = rng.randint(50, size=(40, 6)), np.arange(40) % 2
    net = AntiTransferClassifier(
        unrelated=Tokens(), weight=1.0, penalty_every=1, metric="cka", layer="output", **FAST
    )
    assert net.fit(X, y).history[0, "train_penalty"] > 0
    # and the reverse
    known = AntiTransferClassifier(**FAST).fit(X, y)
    net = AntiTransferClassifier(
        Tokens, unrelated=known, weight=1.0, penalty_every=1, metric="cka", layer="output", **FAST
    )
    assert net.fit(X, y).history[0, "train_penalty"] > 0


def test_integers_are_numbers_for_other_networks(tabular):
    _, y, _ = tabular
    X = np.random.RandomState(0).randint(9, size=(80, 6))

    class WithTable(nn.Module):  # which looks up something else
        def __init__(self):
            super().__init__()
            self.table, self.output = nn.Embedding(2, 6), nn.Linear(6, 2)

        def forward(self, X):
            return self.output(X + self.table(torch.zeros(1, dtype=torch.long)))

    for module in (nn.Linear(6, 2), WithTable, "auto"):
        nets = [AntiTransferClassifier(module, **FAST).fit(x, y) for x in (X, X.astype(float))]
        np.testing.assert_array_equal(nets[0].predict_proba(X), nets[1].predict_proba(X * 1.0))


def test_a_data_loader_is_not_a_dataset(tabular):
    X, y, _ = tabular
    loader = torch.utils.data.DataLoader(Dataset(X, y), batch_size=7)
    net = AntiTransferClassifier(**FAST)
    match = r"is a DataLoader.*Pass loader.dataset instead, and set batch_size=7"
    with pytest.raises(TypeError, match=match):
        net.fit(loader)
    net.fit(X, y)
    with pytest.raises(TypeError, match=match):
        net.predict(loader)
    with pytest.raises(TypeError, match=f"X_unlabeled {match}"):
        net.fit(X, y, X_unlabeled=loader)


def test_lists_of_several_shapes_name_the_way_out():
    X = [np.zeros((3 + i % 2, 2)) for i in range(10)]
    with pytest.raises(ValueError, match=r"Got \(3, 2\) and \(4, 2\).*iterator_train__collate_fn"):
        AntiTransferClassifier(**FAST).fit(X, np.arange(10) % 2)


class Items(torch.utils.data.Dataset):
    def __init__(self, item):
        self.item = item

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.item


@pytest.mark.parametrize(
    ("item", "got"),
    [
        (np.zeros(6, "f4"), r"ndarray of shape \(6,\)"),
        ((np.zeros(6, "f4"),), "tuples of 1"),
        ((np.zeros(6, "f4"), 1, 2), "tuples of 3"),
        ({"X": np.zeros(6, "f4")}, "dict"),
    ],
)
def test_datasets_of_other_things_than_pairs_are_refused(tabular, item, got):
    X, y, _ = tabular
    match = rf"must be pairs \(X, y\) of a sample and its target. Got {got}"
    net = AntiTransferClassifier(**FAST)
    for arguments in ((Items(item),), (Items(item), np.arange(8) % 2)):
        with pytest.raises(ValueError, match=match):
            net.fit(*arguments)
    net.set_params(batch_size=2).fit(X, y)  # a batch of two would pass for a pair
    with pytest.raises(ValueError, match=match):
        net.predict(Items(item))


def test_a_dataset_without_targets_is_refused(tabular):
    X, y, _ = tabular
    for dataset in (Dataset(X), torch.utils.data.Subset(Dataset(X), range(80))):
        with pytest.raises(ValueError, match=r"holds no targets. Pass them beside it"):
            AntiTransferClassifier(**FAST).fit(dataset)
        assert AntiTransferClassifier(**FAST).fit(dataset, y).predict(X).shape == (80,)


def test_targets_of_a_part_of_a_dataset_that_a_range_chooses(tabular):
    X, y, _ = tabular
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    one, other = (
        AntiTransferClassifier(**FAST).fit(torch.utils.data.Subset(data, indices))
        for indices in (range(10, 70), list(range(10, 70)))
    )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_a_batch_of_one_names_batch_size(tabular):
    X, y, _ = tabular
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="Raise batch_size"):
        AntiTransferClassifier(net, batch_size=1, **FAST).fit(X, y)


def test_no_classes_at_all(tabular):
    X, y, _ = tabular
    with pytest.raises(ValueError, match=r"each label once and at least one. Got \[\]"):
        AntiTransferClassifier(classes=[], **FAST).fit(X, y)


class Long:
    def __repr__(self):
        return "x" * 10**6


@pytest.mark.parametrize(
    "name",
    ["aggregation", "cache", "callbacks", "class_weight", "classes", "criterion", "dataset"]
    + ["device", "iterator_train", "layer", "lr", "lr_schedule", "memory", "metric", "module"]
    + ["optimizer", "penalty_data", "precision", "random_state", "target_similarity"]
    + ["train_split", "unrelated", "unrelated_layer", "weight", "weight_schedule"],
)
def test_errors_are_short(tabular, name):
    X, y, _ = tabular
    with pytest.raises((TypeError, ValueError)) as caught:
        AntiTransferClassifier(**{**FAST, name: Long()}).fit(X, y)
    assert len(str(caught.value)) < 1200
