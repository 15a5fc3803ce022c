"""What is unrelated may be any estimator, a whole pipeline, labels, or computed elsewhere."""

import pickle

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier
from skorch.helper import SliceDict
from torch import nn

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._confounding import confounding
from atl_sklearn.tuning import compare, share_network

# Networks here learn next to nothing; what is compared, and whether it is the same, is tested.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*far from converged.*"),
    pytest.mark.filterwarnings("ignore:.* predicts .*"),
    pytest.mark.filterwarnings("ignore:The 'unrelated' estimator did not learn:UserWarning"),
]
FAST = {"max_epochs": 2, "random_state": 0, "module__hidden_layer_sizes": (6,)}


@pytest.fixture(scope="module")
def badly_scaled():
    """Return X whose columns have units of their own, a target, and who spoke."""
    rng = np.random.default_rng(0)
    speaker = rng.integers(0, 4, 90)
    X = rng.normal(size=(90, 8)) * 0.3
    X[:, :4] += 2 * np.eye(4)[speaker]
    X = X * np.geomspace(1e-3, 1e3, 8) + np.linspace(-500, 500, 8)
    return X, (speaker > 1).astype(int), speaker


def trained(unrelated, X, y, *, kind=AntiTransferClassifier, params=FAST, **given):
    params = {"weight": 1.0, "penalty_every": 1, **params}
    return kind(unrelated=unrelated, **params).fit(X, y, **given)


def assert_same(one, other):
    """Two fits compared with the same, and learnt the same."""
    names = [n for n in one.history[-1] if "penalty" in n or "similarity" in n]
    assert names == [n for n in other.history[-1] if "penalty" in n or "similarity" in n]
    assert names
    for name in names:
        np.testing.assert_allclose(one.history[:, name], other.history[:, name], rtol=1e-5)
    theirs = other.module_.state_dict()
    for name, value in one.module_.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-5)


# ---- pipelines ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speaker_pipeline(badly_scaled):
    X, _, speaker = badly_scaled
    net = AntiTransferClassifier(max_epochs=15, random_state=0)
    return make_pipeline(StandardScaler(), net).fit(X, speaker)


def test_the_other_steps_of_a_pipeline_are_applied(badly_scaled, speaker_pipeline):
    """The network behind the scaler is given what the scaler makes of X, and of X only."""
    X, y, _ = badly_scaled
    scaled = speaker_pipeline[:-1].transform(X)
    extra = {"train_split": 0.2, "penalty_data": "both"}
    for source in (speaker_pipeline, FrozenEstimator(speaker_pipeline)):
        found = trained(source, X, y, params={**FAST, **extra}, X_unlabeled=X[:50])
        expected = trained(
            speaker_pipeline[-1], X, y, params={**FAST, **extra}, X_unrelated=scaled,
            X_unlabeled=X[:50], X_unrelated_unlabeled=scaled[:50],
        )  # fmt: skip
        assert "valid_penalty" in found.history[-1]
        assert_same(found, expected)
        assert found.unrelated_ is source


def test_the_automatic_weight_sees_them(badly_scaled, speaker_pipeline):
    X, y, _ = badly_scaled  # who spoke gives the target away
    auto = {**FAST, "weight": "auto"}
    assert trained(speaker_pipeline, X, y, params=auto).weight_ == 0.3
    assert trained(speaker_pipeline[-1], X, y, params=auto).weight_ == 0


def test_columns_are_found_by_their_names(badly_scaled):
    """The pipeline is given X as it was passed, and not the array that the network is given."""
    pd = pytest.importorskip("pandas")
    X, y, speaker = badly_scaled
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(8)])
    picked = make_column_transformer((StandardScaler(), ["c0", "c3"]))
    unrelated = make_pipeline(picked, LogisticRegression()).fit(frame, speaker)
    found = trained(unrelated, frame, y)
    assert_same(found, trained("precomputed", X, y, Z_unrelated=unrelated.predict_proba(frame)))


def test_steps_that_have_been_applied_are_warned_of(badly_scaled, speaker_pipeline):
    X, y, _ = badly_scaled
    around = make_pipeline(
        StandardScaler(), AntiTransferClassifier(unrelated=speaker_pipeline, **FAST)
    )
    with pytest.warns(UserWarning, match=r"both have StandardScaler: X is transformed twice"):
        around.fit(X, y)
    with config_context(enable_metadata_routing=True):
        around.fit(X, y, X_unrelated=X)  # no warning: it is given what it was fitted on
    last = clone(around).set_params(antitransferclassifier__unrelated=speaker_pipeline[-1])
    last.fit(X, y)
    np.testing.assert_allclose(
        around[-1].history[:, "train_penalty"], last[-1].history[:, "train_penalty"], rtol=1e-4
    )


def test_data_that_a_pipeline_cannot_take_are_refused(badly_scaled, speaker_pipeline):
    X, y, _ = badly_scaled
    with pytest.raises(
        ValueError, match=r"other steps of the unrelated Pipeline cannot take X.*\(90, 5\).*X_unrel"
    ):
        trained(speaker_pipeline, X[:, :5], y)
    raw = make_pipeline(StandardScaler(), nn.Linear(8, 2))  # a step that was never fitted
    with pytest.raises(ValueError, match=r"cannot be used: .*not fitted"):
        trained(raw, X, y)


# ---- estimators of scikit-learn's ---------------------------------------------------------


SUPERVISED = {
    "classifier": LogisticRegression(max_iter=500),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "frozen": FrozenEstimator(LogisticRegression(max_iter=500)),
}


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_fitted_estimator_is_compared_by_what_it_says(name, tabular):
    X, y, nuisance = tabular
    source = SUPERVISED[name]
    if isinstance(source, FrozenEstimator):
        source = FrozenEstimator(clone(source.estimator).fit(X, nuisance))
    else:
        source = clone(source).fit(X, nuisance)
    extra = {**FAST, "train_split": 0.25, "unrelated_layer": "posterior"}
    found = trained(source, X, y, params=extra, X_unlabeled=X[:30])
    expected = trained(
        "precomputed", X, y, params={**FAST, "train_split": 0.25}, X_unlabeled=X[:30],
        Z_unrelated=source.predict_proba(X), Z_unlabeled=source.predict_proba(X[:30]),
    )  # fmt: skip
    assert_same(found, expected)
    assert found.unrelated_ is source
    assert found.unrelated_score_ is None
    assert clone(found).unrelated is source


def test_images_for_an_estimator_of_rows(images, tabular):
    X, y, nuisance = images
    known = LogisticRegression(max_iter=50).fit(X.reshape(len(X), -1), nuisance)
    small = {"max_epochs": 1, "random_state": 0, "module__channels": (3,)}
    found = trained(known, X, y, params=small)
    Z = known.predict_proba(X.reshape(len(X), -1))
    assert_same(found, trained("precomputed", X, y, params=small, Z_unrelated=Z))
    other = LogisticRegression().fit(*tabular[:2])
    with pytest.raises(ValueError, match=r"LogisticRegression cannot take X, of shape \(48, 10"):
        trained(other, X, y, params=small)
    with pytest.raises(ValueError, match=r"cannot be fitted on the data, of shape \(48, 10, 12\)"):
        trained(LogisticRegression(), X, y, params=small, y_unrelated=nuisance)


@pytest.mark.parametrize("kind", [AntiTransferClassifier, AntiTransferRegressor])
def test_regressors_say_a_number(kind, tabular):
    X, y, _ = tabular
    known = Ridge().fit(X, X[:, 1])
    found = trained(known, X, y, kind=kind)
    assert_same(found, trained("precomputed", X, y, kind=kind, Z_unrelated=known.predict(X)))


def test_unsupervised_ones_need_no_labels(tabular):
    X, y, nuisance = tabular
    for source in (PCA(2), KMeans(3, n_init=1, random_state=0), make_pipeline(PCA(3), PCA(2))):
        found = trained(source, X, y)
        assert found.unrelated_ is not source
        assert not hasattr(source, "n_features_in_")  # a clone was fitted
        assert found.unrelated_score_ is None
        Z = found.unrelated_.transform(X)
        assert_same(found, trained("precomputed", X, y, Z_unrelated=Z))
    with pytest.raises(ValueError, match="y_unrelated was given, but there is no unfitted"):
        trained(PCA(2), X, y, y_unrelated=nuisance)


class Seen(ClassifierMixin, BaseEstimator):
    """Remembers which samples it was fitted on, by the last column of X."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = np.asarray(X)[:, -1].astype(int)
        self.labels_seen_ = np.asarray(y)
        return self

    def predict_proba(self, X):
        column = 1 / (1 + np.exp(-self.C * np.asarray(X)[:, 0]))
        return np.c_[1 - column, column]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_unfitted_ones_are_fitted_in_each_fold(tabular):
    X, y, nuisance = tabular
    X = np.c_[X, np.arange(len(X))]
    net = AntiTransferClassifier(unrelated=Seen(), **FAST)
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            net, X, y, cv=KFold(2), params={"y_unrelated": nuisance}, return_estimator=True,
            return_indices=True, error_score="raise",
        )  # fmt: skip
    for fitted, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        assert sorted(fitted.unrelated_.seen_) == sorted(train)
        np.testing.assert_array_equal(fitted.unrelated_.labels_seen_, nuisance[train])
        assert 0 <= fitted.unrelated_score_ <= 1
    assert not hasattr(net.unrelated, "seen_")


def test_their_parameters_are_searched(tabular):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(unrelated=LogisticRegression(), **FAST)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(net, {"unrelated__C": [0.1, 10.0]}, cv=2, error_score="raise")
        search.fit(X, y, y_unrelated=nuisance)
    assert search.best_params_ == {"unrelated__C": search.best_estimator_.unrelated_.C}
    fitted = AntiTransferClassifier(unrelated=LogisticRegression().fit(X, nuisance))
    with pytest.raises(ValueError, match=r"'unrelated__C' cannot be set: .* is fitted"):
        fitted.set_params(unrelated__C=1.0)


def test_fits_are_kept_in_memory(tabular, tmp_path, monkeypatch):
    X, y, nuisance = tabular
    fits = []
    real = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda *a, **k: fits.append(0) or real(*a, **k))
    params = {**FAST, "memory": tmp_path}
    first, second = (
        trained(LogisticRegression(), X, y, params=params, y_unrelated=nuisance) for _ in range(2)
    )
    assert len(fits) == 2  # once, and once for the score
    assert first.unrelated_score_ == second.unrelated_score_
    assert_same(first, second)


# ---- labels, and what was computed elsewhere ----------------------------------------------


def test_labels_are_a_column_for_each_class(tabular):
    X, y, _ = tabular
    who = np.array(["a", "b", "c"])[np.arange(80) % 3]
    found = trained("labels", X, y, y_unrelated=who, X_unlabeled=X[:30], Z_unlabeled=who[:30])
    Z = (who[:, None] == np.array(["a", "b", "c"])).astype(float)
    expected = trained("precomputed", X, y, Z_unrelated=Z, X_unlabeled=X[:30], Z_unlabeled=Z[:30])
    assert_same(found, expected)
    assert (found.unrelated_, found.unrelated_score_) == ("labels", None)
    assert "Similarity to labels" in str(found.summary_)
    assert "labels" in found._repr_html_()


def test_unlabeled_data_may_have_other_classes(tabular):
    X, y, nuisance = tabular
    other = np.where(np.arange(30) % 2, 7, nuisance[:30])
    trained("labels", X, y, y_unrelated=nuisance, X_unlabeled=X[:30], Z_unlabeled=other)
    with pytest.raises(ValueError, match="Z_unlabeled must be labels of the kind of y_unrelated"):
        trained("labels", X, y, y_unrelated=nuisance, X_unlabeled=X[:30],
                Z_unlabeled=np.array(["a"] * 30))  # fmt: skip


def test_numbers_are_taken_as_they_are(tabular):
    X, y, nuisance = tabular
    age = np.linspace(20, 60, 80)
    found = trained("labels", X, y, y_unrelated=age)
    assert_same(found, trained("precomputed", X, y, Z_unrelated=age))
    classes = trained("labels", X, y, y_unrelated=nuisance)
    numbers = trained("labels", X, y, y_unrelated=nuisance.astype(float))
    # Of two classes, columns and a number say the same to a linear comparison.
    np.testing.assert_allclose(
        classes.history[:, "train_penalty"], numbers.history[:, "train_penalty"], rtol=0.2
    )


def test_numbers_that_are_taken_for_classes_are_warned_of(tabular):
    X, y, nuisance = tabular
    with pytest.warns(UserWarning, match=r"80 different values in 80 samples.* pass floats"):
        trained("labels", X, y, y_unrelated=np.arange(80))
    with pytest.raises(ValueError, match="Floats are numbers, anything else are classes"):
        trained("labels", X, y, y_unrelated=nuisance, X_unlabeled=X[:30],
                Z_unlabeled=nuisance[:30] + 0.0)  # fmt: skip


def test_several_columns_are_several_tasks(tabular):
    pd = pytest.importorskip("pandas")
    X, y, nuisance = tabular
    frame = pd.DataFrame({"who": nuisance, "age": np.linspace(0, 1, 80)})
    params = {**FAST, "weight": [0.5, 2.0]}
    found = trained("labels", X, y, params=params, y_unrelated=frame)
    assert found.weight_ == [0.5, 2.0]
    assert found.unrelated_ == ["labels", "labels"]
    Z = [np.eye(2)[nuisance], frame["age"].to_numpy()]
    assert_same(found, trained("precomputed", X, y, params=params, Z_unrelated=Z))
    with pytest.raises(ValueError, match=r"'weight' .* one for each of the 1 unrelated"):
        trained("labels", X, y, params=params, y_unrelated=nuisance)


def test_a_list_of_everything(tabular, unrelated):
    X, y, nuisance = tabular
    sources = ["labels", unrelated, "precomputed", LogisticRegression(), PCA(2)]
    found = trained(
        sources, X, y, y_unrelated=np.c_[nuisance, nuisance], Z_unrelated=X[:, :2],
        X_unlabeled=X[:30], Z_unlabeled=[nuisance[:30], X[:30, :2]],
    )  # fmt: skip
    assert found.unrelated_[:3] == ["labels", unrelated, "precomputed"]
    assert [score is None for score in found.unrelated_score_] == [True, True, True, False, True]
    first = {
        name: found.history.to_list()[0][name] for name in found.history[0] if "train_p" in name
    }
    assert list(first) == [f"train_penalty_{at}" for at in range(5)]
    assert all(0 <= value <= 1.0001 for value in first.values())


@pytest.mark.parametrize("several", [False, True])
def test_what_was_computed_elsewhere_is_split_with_x(several, tabular):
    X, y, _ = tabular
    Z = np.random.default_rng(1).normal(size=(80, 3, 4))
    given = SliceDict(a=Z, b=Z[:, 0]) if several else Z
    net = AntiTransferClassifier(unrelated="precomputed", weight=1.0, penalty_every=1, **FAST)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), net)
        found = cross_validate(
            pipeline, X, y, cv=KFold(2), params={"Z_unrelated": given}, return_estimator=True,
            return_indices=True, error_score="raise",
        )  # fmt: skip
        search = GridSearchCV(pipeline, {"antitransferclassifier__weight": [0, 1]}, cv=2,
                              error_score="raise").fit(X, y, Z_unrelated=given)  # fmt: skip
    assert search.best_estimator_[-1].unrelated == "precomputed"
    for fitted, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        part = [Z[train], Z[train, 0]] if several else Z[train]
        scaled = fitted[0].transform(X[train])
        assert_same(fitted[-1], trained("precomputed", scaled, y[train], Z_unrelated=part))


def test_a_map_is_read_a_batch_at_a_time(tabular, tmp_path, monkeypatch):
    X, y, _ = tabular
    np.save(tmp_path / "z.npy", np.random.default_rng(1).normal(size=(80, 5)))
    Z = np.load(tmp_path / "z.npy", mmap_mode="r")
    monkeypatch.setattr("atl_sklearn.unrelated._rows._NUMBERS_AT_ONCE", 50)
    largest = []
    taken = np.memmap.__getitem__

    def spy(self, index):
        found = taken(self, index)
        largest.append(len(found))
        return found

    monkeypatch.setattr(np.memmap, "__getitem__", spy)
    found = trained("precomputed", X, y, params={**FAST, "batch_size": 10}, Z_unrelated=Z)
    assert max(largest) <= 10
    monkeypatch.undo()
    expected = trained("precomputed", X, y, params={**FAST, "batch_size": 10},
                       Z_unrelated=np.array(Z))  # fmt: skip
    assert_same(found, expected)


@pytest.mark.parametrize("unrelated", ["labels", "precomputed"])
def test_each_call_of_partial_fit_brings_its_own(unrelated, tabular):
    X, y, nuisance = tabular
    name = "y_unrelated" if unrelated == "labels" else "Z_unrelated"
    net = AntiTransferClassifier(unrelated=unrelated, **FAST)
    net.partial_fit(X[:40], y[:40], **{name: nuisance[:40]})
    net.partial_fit(X[40:], y[40:], **{name: nuisance[40:]})
    assert len(net.history) == 4
    with pytest.raises(ValueError, match=f"pass (them|it).*{name}"):
        net.partial_fit(X[40:], y[40:])


def test_wide_answers_are_measured_by_their_products():
    rng = np.random.default_rng(0)
    answers, targets = rng.normal(size=(30, 200)), rng.integers(0, 2, 30)
    answers[:, 0] += 30 * targets
    found = confounding(answers, targets)
    rotated = confounding(answers @ np.linalg.qr(rng.normal(size=(200, 200)))[0], targets)
    assert found == pytest.approx(rotated, abs=1e-6)
    assert found > 0.5
    assert confounding(answers[:, 1:], targets) < 0.3


# ---- another view -------------------------------------------------------------------------


class Words(nn.Module):
    """Means of word vectors; takes indices, and as a mapping a mask as well."""

    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(10, 5)
        self.scores = nn.Linear(5, 2)

    def forward(self, ids, mask=None):
        assert not ids.is_floating_point()
        x = self.vectors(ids)
        x = x.mean(1) if mask is None else (x * mask[..., None]).mean(1)
        return self.scores(x)


def test_a_network_is_given_another_view(tabular):
    X, y, _ = tabular
    torch.manual_seed(0)
    words = Words()
    ids = np.random.default_rng(0).integers(0, 10, size=(80, 7))
    Z = words(torch.as_tensor(ids)).detach().numpy()
    params = {**FAST, "unrelated_layer": "output", "train_split": 0.25}
    given = {"X_unlabeled": X[:30], "X_unrelated_unlabeled": ids[:30]}
    found = trained(words, X, y, params=params, X_unrelated=ids, **given)
    expected = trained("precomputed", X, y, params={**FAST, "train_split": 0.25}, Z_unrelated=Z,
                       X_unlabeled=X[:30], Z_unlabeled=Z[:30])  # fmt: skip
    assert_same(found, expected)
    mask = np.ones(ids.shape, dtype=np.float32)
    both = {"ids": ids, "mask": mask}
    given["X_unrelated_unlabeled"] = {name: x[:30] for name, x in both.items()}
    assert_same(trained(words, X, y, params=params, X_unrelated=both, **given), expected)


def test_another_view_is_split_with_x_and_fitted_on(tabular):
    X, y, nuisance = tabular
    view = np.c_[X[:, 1] * 3, np.arange(80)]
    net = AntiTransferClassifier(unrelated=Seen(), weight=1.0, penalty_every=1, **FAST)
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            make_pipeline(StandardScaler(), net), X, y, cv=KFold(2), return_estimator=True,
            params={"y_unrelated": nuisance, "X_unrelated": view}, return_indices=True,
            error_score="raise",
        )  # fmt: skip
    for fitted, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        known = fitted[-1].unrelated_
        assert sorted(known.seen_) == sorted(train)
        Z = known.predict_proba(view[train])
        scaled = fitted[0].transform(X[train])
        assert_same(fitted[-1], trained("precomputed", scaled, y[train], Z_unrelated=Z))


def test_an_unfitted_network_learns_from_it(tabular):
    X, y, nuisance = tabular
    view = X[:, :2].astype(np.float32)
    known = AntiTransferClassifier(max_epochs=1, random_state=0)
    found = trained(known, X, y, X_unrelated=view, y_unrelated=nuisance)
    assert found.unrelated_.input_shape_ == (2,)
    assert_same(found, trained(found.unrelated_, X, y, X_unrelated=view))


def test_paths_go_in_and_two_views_come_out(tabular):
    """Of the same names, the network's own steps make one view and the unrelated ones another."""
    X, y, nuisance = tabular
    names = [f"{place}.wav" for place in range(80)]

    def view(columns):
        return FunctionTransformer(lambda names: X[[int(name[:-4]) for name in names]][:, columns])

    unrelated = make_pipeline(view(slice(0, 2)), LogisticRegression()).fit(names, nuisance)
    pipeline = make_pipeline(
        view(slice(2, 6)),
        AntiTransferClassifier(
            unrelated=FrozenEstimator(unrelated), weight=1.0, penalty_every=1, **FAST
        ),
    )
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            pipeline, names, y, cv=KFold(2), params={"X_unrelated": names}, return_estimator=True,
            return_indices=True, error_score="raise",
        )  # fmt: skip
    for fitted, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        Z = unrelated.predict_proba([names[place] for place in train])
        expected = trained("precomputed", X[train, 2:], y[train], Z_unrelated=Z)
        assert_same(fitted[-1], expected)


def test_a_net_of_skorch_behind_steps_is_fitted_in_single_precision(tabular):
    """X is in double precision here, which its loss would not take."""
    X, y, nuisance = tabular
    assert X.dtype == np.float64
    module = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2), nn.Softmax(dim=-1))
    other = NeuralNetClassifier(module, max_epochs=1, verbose=0, train_split=None)
    found = trained(make_pipeline(StandardScaler(), other), X, y, y_unrelated=nuisance)
    assert found.unrelated_[-1].history[-1]["train_loss"] > 0


def test_each_of_several_names_its_own_layer(tabular, unrelated):
    X, y, nuisance = tabular
    sources = ["labels", unrelated]
    found = trained(
        sources, X, y, params={**FAST, "unrelated_layer": [None, "posterior"]}, y_unrelated=nuisance
    )
    expected = trained(
        ["precomputed", "precomputed"], X, y,
        Z_unrelated=[np.eye(2)[nuisance], unrelated.predict_proba(X)],
    )  # fmt: skip
    assert_same(found, expected)


@pytest.mark.parametrize("metric", ["adversarial", "hsic", "distance_correlation", "ridge_r2"])
def test_other_metrics_compare_them_too(metric, tabular):
    X, y, nuisance = tabular
    found = trained("labels", X, y, params={**FAST, "metric": metric}, y_unrelated=nuisance)
    assert np.isfinite(found.history[:, "train_penalty"]).all()


def test_rows_that_got_lost_are_noticed(tabular):
    X, y, _ = tabular
    shorter = FunctionTransformer(lambda X: X[::2])
    with pytest.raises(ValueError, match=r"row for each of the 80 samples of X. Got 40"):
        trained(shorter, X, y)


def test_comparisons_hand_them_on(tabular):
    X, y, nuisance = tabular
    Z = np.random.default_rng(0).normal(size=(80, 3))
    nets = {
        "plain": AntiTransferClassifier(**FAST),
        "labels": AntiTransferClassifier(unrelated="labels", **FAST),
        "computed": AntiTransferClassifier(unrelated="precomputed", **FAST),
        "components": AntiTransferClassifier(unrelated=PCA(2), **FAST),
    }
    found = compare(nets, X, y, y_unrelated=nuisance, Z_unrelated=Z, cv=2)
    assert found.names == tuple(nets)
    assert np.isfinite(found.scores).all()
    with pytest.raises(ValueError, match="Z_unrelated must have a row for each of the 80"):
        compare(nets, X, y, y_unrelated=nuisance, Z_unrelated=Z[:70], cv=2)


def test_a_fitted_estimator_is_shared(tabular, tmp_path):
    X, y, nuisance = tabular
    source = LogisticRegression().fit(X, nuisance)
    shared = share_network(source, tmp_path)
    assert len(pickle.dumps(shared)) < 1000
    assert_same(trained(shared, X, y), trained(source, X, y))


@pytest.mark.parametrize("kind", ["labels", "precomputed", "estimator"])
def test_numbers_far_from_zero_are_compared_by_their_differences(kind, tabular):
    """As times in seconds since 1970, of which float32 knows every second minute."""
    X, y, nuisance = tabular
    near = 1800.0 * nuisance + np.random.RandomState(0).uniform(0, 900, len(y))
    similarities = []
    for numbers in (near, near + 1.7e9):
        unrelated = LinearRegression().fit(X, numbers) if kind == "estimator" else kind
        given = {"labels": {"y_unrelated": numbers}, "precomputed": {"Z_unrelated": numbers}}
        net = AntiTransferClassifier(unrelated=unrelated, weight=1.0, **FAST)
        net.fit(X, y, **given.get(kind, {}))
        similarities.append(net.history[-1, "train_penalty"])
    assert similarities[1] == pytest.approx(similarities[0], rel=1e-3)
    assert similarities[0] > 0.01
