"""What networks return, and what criteria take: they go together, or the error says how."""

import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.multioutput import MultiOutputClassifier
from skorch import NeuralNet
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.inspection import probe_score
from atl_sklearn.modules import MLP

FAST = {"max_epochs": 1, "random_state": 0}


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(NeuralNet, "fit_loop", train)


def refused(net, X, y, match, **fit):
    """Check that a fit is refused and changes nothing, before an unrelated network is fitted."""
    net.set_params(unrelated=AntiTransferClassifier(max_epochs=1))
    before = dict(vars(net))
    with pytest.raises(ValueError, match=match):
        net.fit(X, y, y_unrelated=np.arange(len(X)) % 2, **fit)
    assert vars(net).keys() == before.keys()


# ---- one score for two classes ------------------------------------------------------------

SCORES = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
ONE_SCORE = {
    "column": (SCORES, nn.BCEWithLogitsLoss),
    "vector": (nn.Sequential(SCORES, nn.Flatten(0)), nn.BCEWithLogitsLoss),
    "probability": (nn.Sequential(SCORES, nn.Sigmoid()), nn.BCELoss),
    "auto": ("auto", nn.BCEWithLogitsLoss),
}


@pytest.mark.parametrize("name", ONE_SCORE)
def test_one_score_for_two_classes_trains(name, tabular, unrelated):
    X, _, nuisance = tabular
    module, criterion = ONE_SCORE[name]
    labels = np.array(["no", "yes"])[nuisance]
    net = AntiTransferClassifier(
        module,
        criterion=criterion,
        unrelated=unrelated,
        weight=0.1,
        class_weight="balanced",
        train_split=0.2,
        max_epochs=30,
        lr=0.05,
        random_state=0,
    ).fit(X, labels, sample_weight=np.full(len(X), 2.0))
    proba = net.predict_proba(X)
    assert proba.shape == (80, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(net.predict(X), np.where(proba[:, 1] > 0.5, "yes", "no"))
    assert net.score(X, labels) > 0.9
    assert net.history[-1, "valid_acc"] > 0.6
    scores = net.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), proba[:, 1], atol=1e-4)
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.predict_proba(X), proba)


def test_its_loss_is_that_of_torch(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(
        SCORES, criterion=nn.BCEWithLogitsLoss, batch_size=-1, lr=0.0, **FAST
    ).fit(X, y)
    scores = net.module_(torch.tensor(X, dtype=torch.float32))[:, 0]
    loss = nn.functional.binary_cross_entropy_with_logits(scores, torch.tensor(y).float())
    assert net.history[-1, "train_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_a_network_with_one_score_can_be_avoided(tabular):
    X, y, nuisance = tabular
    knows = AntiTransferClassifier(criterion=nn.BCEWithLogitsLoss, max_epochs=20, random_state=0)
    knows.fit(X, nuisance)
    net = AntiTransferClassifier(
        unrelated=knows, unrelated_layer="posterior", weight="auto", conditional=True, **FAST
    ).fit(X, y)
    assert 0 < net.weight_ < 1
    assert 0.5 < probe_score(knows, X, nuisance) <= 1


def test_a_loss_of_ones_own_needs_what_makes_probabilities(tabular):
    class Own(nn.Module):
        def forward(self, scores, target):
            return nn.functional.soft_margin_loss(scores[:, 0], 2.0 * target - 1)

    X, _, y = tabular
    net = AntiTransferClassifier(SCORES, criterion=Own, **FAST)
    refused(net, X, y, r"one score for two classes, and Own does not.* predict_nonlinearity")
    net = AntiTransferClassifier(SCORES, criterion=Own, max_epochs=30, lr=0.05, random_state=0)
    net.set_params(predict_nonlinearity=torch.sigmoid).fit(X, y)
    assert net.score(X, y) > 0.9
    np.testing.assert_array_equal(net.decision_function(X) > 0, net.predict(X) == 1)


@pytest.mark.parametrize(
    ("n_outputs", "criterion", "n_classes", "match"),
    [
        (1, nn.CrossEntropyLoss, 2, r"\(n_samples, 2\).*criterion=torch.nn.BCEWithL"),
        (1, nn.CrossEntropyLoss, 3, r"\(n_samples, 3\), one for each class. Got"),
        (
            2,
            nn.CrossEntropyLoss,
            3,
            r"scores of shape \(n_samples, 3\).*Got \(8, 2\)",
        ),
        (
            5,
            nn.CrossEntropyLoss,
            3,
            r"\(n_samples, 3\).*\(8, 5\).*5 classes.*'classes'",
        ),
        (2, nn.BCEWithLogitsLoss, 2, r"one score for.*Got \(8, 2\).*n_outputs=1"),
        (3, nn.BCEWithLogitsLoss, 3, "is for two classes, and y has 3"),
        (1, nn.BCELoss, 2, r"must return probabilities.*BCEWithLogitsLoss"),
    ],
)
def test_what_does_not_go_together(
    n_outputs, criterion, n_classes, match, tabular, nothing_is_trained
):
    X, _, _ = tabular
    net = AntiTransferClassifier(nn.Linear(6, n_outputs), criterion=criterion)
    refused(net, X, np.arange(80) % n_classes, match)


def test_classes_that_y_does_not_have_are_named(tabular):
    X, _, y = tabular
    net = AntiTransferClassifier(nn.Linear(6, 5), classes=range(5), **FAST).fit(X, y)
    assert net.predict_proba(X).shape == (80, 5)
    net = AntiTransferClassifier(nn.Linear(6, 3), **FAST).partial_fit(X, y, classes=[7, 0, 1])
    assert net.predict_proba(X).shape == (80, 3)
    with pytest.raises(ValueError, match=r"\(n_samples, 4\).* Got \(8, 3\)"):
        AntiTransferClassifier(nn.Linear(6, 3), **FAST).partial_fit(X, y, classes=range(4))


def test_what_a_criterion_is_made_with_is_named(tabular, nothing_is_trained):
    X, _, y = tabular
    for weight, why in ((torch.ones(3), "cannot compute .* 2 classes"), ([1.0, 2.0], "be made")):
        net = AntiTransferClassifier(criterion__weight=weight)
        refused(net, X, y, f"'criterion' parameter, .*criterion__weight.*{why}|{why}.*_weight")


class Words(nn.Module):
    def __init__(self, sparse, head=True):
        super().__init__()
        self.words = nn.Embedding(10, 2, sparse=sparse)
        self.head = nn.Linear(2, 2) if head else None

    def forward(self, x):
        found = self.words(x.long().clamp(0, 9)[:, 0])
        return found if self.head is None else self.head(found)


def test_optimizers_and_gradients_go_together(tabular, nothing_is_trained):
    X, y, _ = tabular
    sparse = Words(True)
    refused(AntiTransferClassifier(sparse), X, y, "'optimizer' .*sparse grad.*'words.weight' are")
    net = AntiTransferClassifier(sparse, optimizer="sgd")
    refused(net, X, y, "'max_grad_norm' parameter .* None for sparse gradients.*Got 5.0")
    for module, name in ((MLP, "weight"), (Words(True), "head.weight"), (Words(False), "words")):
        net = AntiTransferClassifier(module, optimizer="sparseadam")
        refused(
            net, X, y, f"'optimizer' .* for dense gradients, such as 'adam'.*there is '.*{name}"
        )


def test_and_trains_where_there_are(tabular):
    X, y, _ = tabular
    for optimizer, head in (("sparseadam", False), ("sgd", True)):
        module = Words(True, head=head)
        net = AntiTransferClassifier(
            module, optimizer=optimizer, max_grad_norm=None, weight_decay=0, **FAST
        ).fit(X, y)
        assert not torch.equal(net.module_.words.weight, module.words.weight)


# ---- probabilities and scores -------------------------------------------------------------


def test_logarithms_for_negative_log_likelihood_are_refused(tabular, nothing_is_trained):
    X, y, _ = tabular
    module = nn.Sequential(nn.Linear(6, 2), nn.LogSoftmax(-1))
    net = AntiTransferClassifier(module, criterion=nn.NLLLoss)
    refused(net, X, y, r"probabilities, of which skorch takes the logarithm.*CrossEntropyLoss; or")


def test_probabilities_for_cross_entropy_are_warned_of(tabular):
    X, y, _ = tabular
    module = nn.Sequential(nn.Linear(6, 2), nn.Softmax(-1))
    with pytest.warns(UserWarning, match="CrossEntropyLoss takes scores.*Leave out the Softmax"):
        AntiTransferClassifier(module, **FAST).fit(X, y)


# ---- several outputs, several labels ------------------------------------------------------


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, x):
        return self.linear(x), x


class OfPair(nn.Module):
    def forward(self, output, target):
        return nn.functional.cross_entropy(output[0], target)


@pytest.mark.parametrize("estimator", [AntiTransferClassifier, AntiTransferRegressor])
def test_a_tuple_needs_a_criterion_that_takes_it(estimator, tabular, nothing_is_trained):
    X, y, _ = tabular
    refused(estimator(Pair), X, y, r"returns a tuple, but the criterion, .* Return the scores")


def test_and_trains_with_one(tabular):
    X, _, y = tabular
    net = AntiTransferClassifier(Pair, criterion=OfPair, max_epochs=30, lr=0.05, random_state=0)
    net.set_params(predict_nonlinearity=nn.Softmax(dim=-1)).fit(X, y)
    assert net.score(X, y) > 0.9
    assert net.decision_function(X).shape == (80,)


@pytest.mark.parametrize("sparse", [False, True])
def test_several_labels_of_a_sample_name_the_estimator_for_it(sparse, tabular, nothing_is_trained):
    X, _, _ = tabular
    labels = np.random.RandomState(0).randint(2, size=(80, 3))
    net = AntiTransferClassifier()
    match = r"one label for each.*\(80, 3\).*MultiOutputClassifier\(AntiTransferClassifier"
    refused(net, X, csr_matrix(labels) if sparse else labels, match)
    refused(net, X, np.eye(3)[np.arange(80) % 3], r"pass y\.argmax\(axis=1\)")
    dataset = torch.utils.data.TensorDataset(torch.tensor(X).float(), torch.tensor(labels))
    with pytest.raises(ValueError, match=match):
        net.set_params(unrelated=None).fit(dataset)


def test_which_trains(tabular):
    X, y, nuisance = tabular
    labels = np.column_stack([y, nuisance])
    model = MultiOutputClassifier(AntiTransferClassifier(max_epochs=20, random_state=0))
    assert model.fit(X, labels).predict(X).shape == (80, 2)
    assert np.mean(model.predict(X)[:, 1] == nuisance) > 0.9


# ---- batches of one -----------------------------------------------------------------------

EACH = torch.utils.data.SequentialSampler(range(80))
NORMALISED = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": 1},
        {"iterator_train__batch_size": 1},
        {"batch_size": 79, "iterator_train__sampler": EACH},
    ],
    ids=lambda parameters: " ".join(parameters),
)
def test_batches_of_one_name_the_batch_size(parameters, tabular, nothing_is_trained):
    X, y, _ = tabular
    net = AntiTransferClassifier(NORMALISED, **parameters)
    refused(net, X, y, r"batch of one sample.* batch_size=\d+ makes one of 80.*Raise batch_size")


def test_networks_that_take_them_are_trained_on_them(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(batch_size=1, **FAST).fit(X[:10], y[:10])
    assert net.history[-1, "train_batch_count"] == 10
    module = nn.Sequential(nn.Linear(6, 4), nn.Dropout(), nn.Linear(4, 2))
    same = [
        AntiTransferClassifier(module, batch_size=size, lr=0.0, **FAST).fit(X[:9], y[:9])
        for size in (1, 2)
    ]
    np.testing.assert_allclose(*(net.predict_proba(X) for net in same), rtol=1e-5)


def test_the_trial_leaves_running_statistics_as_they_were(tabular):
    X, y, _ = tabular
    bare = nn.Sequential(nn.Unflatten(1, (1, 6)), nn.BatchNorm1d(1), nn.Flatten(), nn.Linear(6, 2))
    net = AntiTransferClassifier(bare, batch_size=1, max_epochs=0, random_state=0).fit(X, y)
    assert int(net.module_[1].num_batches_tracked) == 0


# ---- the loss -----------------------------------------------------------------------------


def test_a_loss_object_is_a_loss(tabular):
    X, y, _ = tabular
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    net = AntiTransferClassifier(criterion=loss, **FAST).fit(X, y)
    same = AntiTransferClassifier(criterion__label_smoothing=0.1, **FAST).fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), same.predict_proba(X))
    assert net.criterion_ is not loss


class Counting(nn.CrossEntropyLoss):
    def forward(self, output, target):
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(output, target)


class OfNothing(nn.Module):
    def forward(self, output, target):
        return None


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        (
            {"criterion__weight": torch.ones(3)},
            "'criterion' .*CrossEntropyLoss with criterion__weight, cannot",
        ),
        ({"criterion__reduction": "none"}, "Leave out criterion__reduction='none'"),
        ({"criterion": nn.MSELoss}, "'criterion' parameter, MSELoss, cannot compute"),
        ({"criterion": OfNothing}, "'criterion' .* a single number.* has None"),
        ({"predict_nonlinearity": torch.linalg.inv}, "'predict_nonlinearity' .* cannot take"),
        ({"predict_nonlinearity": list}, "'predict_nonlinearity' .* returns a tensor"),
    ],
)
def test_the_loss_is_tried_before_training(parameters, match, tabular, nothing_is_trained):
    X, y, _ = tabular
    refused(AntiTransferClassifier(**parameters), X, y, match)


def test_with_a_copy_of_the_criterion(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(criterion=Counting, batch_size=-1, max_epochs=3).fit(X, y)
    assert net.criterion_.calls == 3


class OwnLoss(AntiTransferClassifier):
    def train_step_single(self, batch, **fit_params):
        self.prepared_ = 2.0
        return super().train_step_single(batch, **fit_params)

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return self.prepared_ * super().get_loss(y_pred, y_true, *args, **kwargs)


def test_but_not_one_that_the_users_own_steps_prepare(tabular):
    X, y, _ = tabular
    assert OwnLoss(**FAST).fit(X, y).history[-1, "train_loss"] > 0.5
