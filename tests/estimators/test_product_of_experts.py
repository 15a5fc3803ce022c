"""What unrelated tasks explain of the target, added to the scores while training."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils import compute_sample_weight
from torch.utils.data import Subset, TensorDataset

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._experts import Experts
from atl_sklearn.estimators._rule import explain
from atl_sklearn.unrelated import explained_scores, unexplained_share

# What a network learns of a few samples differs between processors.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:.*did not learn.*:UserWarning"
)
N = 600


def confounded(seed, *, conflicts):
    """Return X, y and the nuisance: easy to see, and going along with y but for some samples."""
    rng = np.random.RandomState(seed)
    y = rng.randint(2, size=N)
    s = np.where(rng.uniform(size=N) < conflicts, 1 - y, y)
    X = rng.normal(size=(N, 6))
    X[:, 0] += 1.5 * (2 * y - 1)
    X[:, 1] = 2 * (2 * s - 1) + 0.1 * X[:, 1]
    return X.astype(np.float32), y, s


X, Y, S = confounded(0, conflicts=0.04)
X_TEST, Y_TEST, _ = confounded(1, conflicts=0.5)
SMALL = {"module__hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0}


def make(**kwargs):
    return AntiTransferClassifier(**{**SMALL, "unrelated": "labels", "weight": 0, **kwargs})


def experts_of(answers, y, *, strength=1.0, n_classes=2):
    params = {"strength": strength, "n_classes": n_classes}
    return Experts([answers], y, sample_weight=None, task_weight=None, **params)


def weights(net):
    return [value.numpy() for value in net.module_.state_dict().values() if value.ndim]


def same(one, other):
    return all(map(np.array_equal, weights(one), weights(other)))


def test_the_network_learns_what_the_nuisance_leaves_unexplained():
    long = {"max_epochs": 25}
    plain = make(**long).fit(X, Y, y_unrelated=S).score(X_TEST, Y_TEST)
    added = make(**long, product_of_experts=1.0).fit(X, Y, y_unrelated=S).score(X_TEST, Y_TEST)
    assert added > plain + 0.05


def test_0_is_the_plain_network_bit_for_bit():
    plain = AntiTransferClassifier(**SMALL).fit(X, Y)
    assert same(plain, make(product_of_experts=0).fit(X, Y, y_unrelated=S))
    assert not same(plain, make(product_of_experts=1).fit(X, Y, y_unrelated=S))


def test_a_task_that_says_nothing_changes_hardly_anything():
    noise = np.random.RandomState(2).randint(2, size=N)
    plain = AntiTransferClassifier(**SMALL).fit(X, Y).predict_proba(X_TEST)
    added = make(product_of_experts=1).fit(X, Y, y_unrelated=noise).predict_proba(X_TEST)
    np.testing.assert_allclose(added, plain, atol=0.05)


def test_nothing_is_added_in_prediction_and_validation():
    net = make(product_of_experts=5.0, train_split=0.25, lr=0.0).fit(X, Y, y_unrelated=S)
    output = torch.from_numpy(X)
    with torch.no_grad():
        scores = net.module_(output)
    np.testing.assert_allclose(net.predict_proba(X), scores.softmax(dim=1), atol=1e-5)
    # The network does not learn here, so that its loss is the same on both parts but for that.
    loss = float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(Y)))
    assert net.history[-1]["valid_loss"] == pytest.approx(loss, abs=0.1)
    assert abs(net.history[-1]["train_loss"] - loss) > 0.2


def test_only_the_samples_that_are_trained_on_teach_what_is_explained():
    answers = np.eye(2)[S]
    data = TensorDataset(torch.zeros(N))
    part = np.random.RandomState(0).permutation(N)[:400]
    experts = experts_of(answers, Y, strength=2.0)
    experts.learn(Subset(Subset(data, list(range(N))), part.tolist()))
    expected = 2 * explained_scores(answers[part], Y[part])
    found = experts.added(torch.zeros(400, 2, dtype=torch.float64), torch.from_numpy(part))
    np.testing.assert_allclose(found, expected)
    rest = np.setdiff1d(np.arange(N), part)
    assert not experts.added(torch.zeros(200, 2), torch.from_numpy(rest)).any()


@pytest.mark.parametrize("unrelated", ["network", "estimator", "unfitted", "several"])
def test_any_source_will_do(unrelated):
    fit_params = {"y_unrelated": S}
    if unrelated == "network":
        source, fit_params = AntiTransferClassifier(**SMALL).fit(X, S), {}
    elif unrelated == "estimator":
        source, fit_params = LogisticRegression().fit(X, S), {}
    elif unrelated == "unfitted":
        source = LogisticRegression()
    else:
        source = [LogisticRegression().fit(X, S), "labels"]
    net = make(unrelated=source, product_of_experts=1.0).fit(X, Y, **fit_params)
    assert not same(net, AntiTransferClassifier(**SMALL).fit(X, Y))
    if unrelated == "unfitted":
        assert net.unrelated_score_ > 0.9
        assert hasattr(net.unrelated_, "coef_")


def test_an_embedding_is_no_posterior():
    """Of large values a softmax would leave the largest alone."""
    embedding = torch.nn.Linear(6, 3)
    with torch.no_grad():
        embedding.weight.zero_()
        embedding.weight[0, 1] = 100.0
        embedding.bias.copy_(torch.tensor([0.0, 1000.0, 0.0]))
    net = make(unrelated=embedding, product_of_experts=1.0, weight=1.0, unrelated_layer="output")
    left = net.fit(X, Y).history[-1]["penalty_weight"]
    assert left < 0.2


@pytest.mark.slow
def test_a_single_score_for_two_classes_is_told_the_difference():
    two = make(product_of_experts=1.0, max_epochs=15).fit(X, Y, y_unrelated=S)
    one = make(product_of_experts=1.0, max_epochs=15, criterion=torch.nn.BCEWithLogitsLoss).fit(
        X, Y, y_unrelated=S
    )
    assert one.score(X_TEST, Y_TEST) == pytest.approx(two.score(X_TEST, Y_TEST), abs=0.08)


def test_a_regressor_learns_the_residual():
    rng = np.random.RandomState(0)
    nuisance = rng.normal(size=N)
    Z = rng.normal(size=(N, 4)).astype(np.float32)
    Z[:, 0] = nuisance
    y = 3 * nuisance + Z[:, 1]
    found = {}
    for strength in (0, 1):
        net = AntiTransferRegressor(
            unrelated="labels", weight=0, product_of_experts=strength, random_state=0
        ).fit(Z, y, y_unrelated=nuisance)
        found[strength] = net.predict(Z)
    assert abs(np.corrcoef(found[0], nuisance)[0, 1]) > 0.9
    assert abs(np.corrcoef(found[1], nuisance)[0, 1]) < 0.3
    assert np.corrcoef(found[1], Z[:, 1])[0, 1] > 0.9


def test_together_with_a_penalty_and_weights():
    net = make(
        weight=0.1, unrelated=LogisticRegression(), product_of_experts=0.5,
        class_weight="balanced", train_split=0.2,
    )  # fmt: skip
    unlabeled = confounded(3, conflicts=0.5)[0][:100]
    weight = np.linspace(0, 1, N)
    net.fit(X, Y, y_unrelated=S, X_unlabeled=unlabeled, sample_weight=weight)
    assert net.history[-1]["train_penalty"] >= 0
    again = clone(net).fit(X, Y, y_unrelated=S, X_unlabeled=unlabeled, sample_weight=weight)
    assert same(net, again)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))


@pytest.mark.parametrize(("conflicts", "low", "high"), [(0.5, 0.95, 1.0), (0.02, 0.02, 0.15)])
def test_a_penalty_beside_it_weighs_what_is_left_of_the_tasks_gradient(conflicts, low, high):
    X, y, s = confounded(4, conflicts=conflicts)
    net = make(weight=3.0, product_of_experts=1.0).fit(X, y, y_unrelated=s)
    assert net.weight_ == 3
    (left,) = set(net.history[:, "penalty_weight"])
    assert low < left / 3 <= high


def test_what_is_left_is_the_gradient_of_scores_of_0_against_that_without_experts():
    answers = np.eye(2)[S]
    experts = experts_of(answers, Y)
    experts.learn(TensorDataset(torch.zeros(N)))
    scores = torch.from_numpy(np.log(np.bincount(Y) / N)).tile(N, 1).requires_grad_()
    loss = torch.nn.CrossEntropyLoss(reduction="sum")
    lengths = []
    for judged in (scores, experts.added(scores, torch.arange(N))):
        (gradient,) = torch.autograd.grad(loss(judged, torch.from_numpy(Y)), scores)
        lengths.append(float(gradient.norm(dim=1).sum()))
    assert experts.left == pytest.approx(lengths[1] / lengths[0], rel=1e-6)


def test_what_is_left_is_that_of_the_tasks_loss_with_its_weights_of_classes():
    rare = np.where(np.arange(N) % 5 > 0, 0, Y)  # a tenth is of class 1
    nuisance = np.where(np.random.RandomState(3).uniform(size=N) < 0.1, 1 - rare, rare)
    added = explained_scores(np.eye(2)[nuisance], rare)
    balanced = unexplained_share(added, rare, sample_weight=compute_sample_weight("balanced", rare))
    assert abs(balanced - unexplained_share(added, rare)) > 0.05
    net = make(product_of_experts=1.0, weight=1.0, class_weight="balanced")
    found = net.fit(X, rare, y_unrelated=nuisance).history[-1]["penalty_weight"]
    assert found == pytest.approx(balanced, rel=1e-6)


def test_tasks_that_say_something_together_alone():
    one, other = np.random.RandomState(3).randint(2, size=(2, N))
    target = one ^ other
    answers = [np.eye(2)[one], np.eye(2)[other]]
    assert explain(np.hstack(answers), target, n_classes=2).share < 0.02
    assert explain(answers, target, n_classes=2).share > 0.9
    numbers = [2.0 * one[:, None] - 1, 2.0 * other[:, None] - 1]
    assert explain(numbers, 1.0 * target, n_classes=None).share > 0.9
    net = make(unrelated=["labels", "labels"], product_of_experts=1.0, weight=1.0)
    net.fit(X, target, y_unrelated=np.stack([one, other], axis=1))
    assert net.history[-1]["penalty_weight_0"] < 0.2
    # Where they say no more together, or there are too many products, they stay apart.
    apart = [np.eye(2)[S], np.eye(2)[other]]
    expected = explain(np.hstack(apart), Y, n_classes=2).scores
    np.testing.assert_array_equal(explain(apart, Y, n_classes=2).scores, expected)
    many = [*answers, np.zeros((N, 30))]
    np.testing.assert_array_equal(
        explain(many, target, n_classes=2).scores,
        explain(np.hstack(many), target, n_classes=2).scores,
    )


@pytest.mark.parametrize("params", [{"product_of_experts": 1.0}, {"weight": "auto"}])
@pytest.mark.parametrize("train_split", [None, 0.25])
def test_what_is_explained_is_kept_in_memory(params, train_split, tmp_path, monkeypatch):
    settings = {**params, "train_split": train_split, "memory": tmp_path}
    first = make(**settings).fit(X, Y, y_unrelated=S)
    assert same(first, make(**settings | {"memory": None}).fit(X, Y, y_unrelated=S))
    files = sorted(tmp_path.rglob("explained/*.safetensors"))
    assert len(files) == 1 + (params == {"weight": "auto"} and train_split is not None)

    def computed(*args, **kwargs):
        raise AssertionError("it was computed again")

    with monkeypatch.context() as patched:
        patched.setattr("atl_sklearn.estimators._rule.explained_scores", computed)
        assert same(first, make(**settings).fit(X, Y, y_unrelated=S))
        with pytest.raises(AssertionError, match="computed again"):
            make(**settings).fit(X, np.roll(Y, 1), y_unrelated=S)
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.warns(UserWarning, match=r"'memory' folder cannot be used: .* computed again"):
        assert same(first, make(**settings).fit(X, Y, y_unrelated=S))


def test_of_numbers_the_residual_is_left():
    rng = np.random.RandomState(5)
    nuisance, own = rng.normal(size=(2, N))
    y = (3 * nuisance + own)[:, None]
    experts = experts_of(nuisance[:, None], y, n_classes=None)
    experts.learn(TensorDataset(torch.zeros(N)))
    assert experts.left == pytest.approx(1 / np.sqrt(10), abs=0.03)


def test_each_partial_fit_explains_its_own_samples():
    net = make(unrelated=LogisticRegression().fit(X, S), product_of_experts=1.0)
    for part in (slice(0, 300), slice(300, None)):
        net.partial_fit(X[part], Y[part], classes=[0, 1])
    assert len(net.history) == 6


def test_in_a_search():
    search = GridSearchCV(make(), {"product_of_experts": [0, 1.0]}, cv=2).fit(X, Y, y_unrelated=S)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("value", [-1, "strong", None, np.inf, np.nan, True])
def test_bad_values_are_refused(value):
    with pytest.raises(ValueError, match="'product_of_experts' parameter"):
        make(product_of_experts=value).fit(X, Y, y_unrelated=S)


def test_a_loss_of_probabilities_is_refused():
    with pytest.raises(ValueError, match="0 with criterion=NLLLoss"):
        make(product_of_experts=1.0, criterion=torch.nn.NLLLoss).fit(X, Y, y_unrelated=S)


@pytest.mark.parametrize("criterion", [torch.nn.PoissonNLLLoss, torch.nn.BCEWithLogitsLoss])
def test_a_loss_of_numbers_on_another_scale_is_refused(criterion):
    net = AntiTransferRegressor(
        unrelated="labels", product_of_experts=1.0, criterion=criterion, **SMALL
    )
    with pytest.raises(ValueError, match=rf"0 with criterion={criterion.__name__}, .*\.MSELoss"):
        net.fit(X, Y.astype(float), y_unrelated=S)


def test_batches_that_do_not_say_which_samples_they_have_are_refused():
    network = AntiTransferClassifier(**SMALL).fit(X, S)
    collate = torch.utils.data.default_collate
    net = make(unrelated=network, product_of_experts=1.0, iterator_train__collate_fn=collate)
    with pytest.raises(ValueError, match="which samples they have"):
        net.fit(X, Y)
