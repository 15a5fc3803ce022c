import weakref

import numpy as np
import pytest
import sklearn
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import LayerStudy, StudyPoint, _layer_study, layer_study
from atl_sklearn.inspection._displays._style import overlapping_labels
from atl_sklearn.inspection._streaming import rows_of


def quick(unrelated, **settings):
    return AntiTransferClassifier(
        unrelated=unrelated, max_epochs=1, random_state=0, module__hidden_layer_sizes=(8, 6),
        **settings,
    )  # fmt: skip


def test_every_layer_and_weight_is_fitted_once_and_kept(tabular, unrelated, tmp_path):
    X, y, nuisance = tabular
    settings = {"weights": [0.5, 2], "cv": 2, "folder": tmp_path}
    first = layer_study(quick(unrelated), X, y, nuisance, **settings)
    places = [(p.layer, p.weight) for p in first.points]
    assert places == [(None, 0.0), (0, 0.5), (0, 2.0), (1, 0.5), (1, 2.0)]
    assert first.n_fitted == 10 == len(list(tmp_path.glob("*.json")))
    damaged, gone, *_ = sorted(tmp_path.glob("*.json"))
    damaged.write_text('{"score": 1.0')
    gone.unlink()
    again = layer_study(quick(unrelated), X, y, nuisance, **settings)
    assert again.n_fitted == 2 and again.points == first.points
    other = layer_study(
        quick(unrelated, lr=0.1), X, y, nuisance, layers=[1], weights=[2], cv=2, folder=tmp_path
    )
    assert other.n_fitted == 4


def test_a_folder_of_the_home_is_there_and_not_here(tabular, unrelated, home):
    settings = {"layers": ["last"], "weights": [1], "cv": 2}
    layer_study(quick(unrelated), *tabular, **settings, folder="~/kept")
    assert len(list((home / "kept").glob("*.json"))) == 4


def test_numbers_are_those_of_a_fit_by_hand(tabular, unrelated):
    X, y, nuisance = tabular
    pipeline = make_pipeline(StandardScaler(), quick(unrelated))
    test = (X[60:], y[60:], nuisance[60:])
    study = layer_study(
        pipeline, X[:60], y[:60], nuisance[:60], layers=["hidden.0.activation"], weights=[1],
        test=test,
    )  # fmt: skip
    pipeline.set_params(antitransferclassifier__layer="hidden.0.activation")
    assert study.points[1].score == pytest.approx(pipeline.fit(X[:60], y[:60]).score(*test[:2]))
    plain = make_pipeline(StandardScaler(), quick(None)).fit(X[:60], y[:60])
    assert study.points[0].score == pytest.approx(plain.score(*test[:2]))
    score = study.points[1].score
    assert study.points[1].standard_error == pytest.approx(np.sqrt(score * (1 - score) / 30))


def test_the_plain_network_adds_nothing_to_the_scores(tabular, unrelated):
    X, y, nuisance = tabular
    fitted = []

    class Noted(AntiTransferClassifier):
        def fit(self, *args, **params):
            fitted.append(super().fit(*args, **params))
            return self

    net = Noted(unrelated=unrelated, max_epochs=1, random_state=0, product_of_experts=1)
    layer_study(net, X, y, nuisance, layers=["last"], weights=[1], cv=2)
    found = [(net.weight, net.product_of_experts_) for net in fitted]
    assert found == [(0, 0)] * 2 + [(1, 1)] * 2


@pytest.mark.parametrize(
    "unrelated",
    [
        AntiTransferClassifier(max_epochs=5, random_state=0),
        "labels",
        PCA(2, random_state=0),  # takes none
        ["labels", PCA(2, random_state=0)],
    ],
    ids=str,
)
def test_an_unrelated_that_is_not_fitted_gets_its_labels(tabular, unrelated):
    X, y, nuisance = tabular
    net = quick(unrelated)
    study = layer_study(net, X, y, nuisance, layers=["last"], weights=[1], cv=2)
    assert len(study.points) == 2 and study.on_folds


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_hand_on_what_fit_needs(tabular, routing):
    X, y, nuisance = tabular
    with sklearn.config_context(enable_metadata_routing=routing):
        net = quick(AntiTransferClassifier(max_epochs=5, random_state=0))
        scale = {"transform_input": ["X_unlabeled"]} if routing else {}
        pipeline = Pipeline([("scale", StandardScaler()), ("net", net)], **scale)
        unlabeled = {"X_unlabeled": X[:20]} if routing else {}
        study = layer_study(
            pipeline, X, y, nuisance, layers=["last"], weights=[1], cv=2, **unlabeled
        )
    assert len(study.points) == 2


def test_the_rule_takes_the_least_read_of_those_that_are_good_enough():
    points = (
        StudyPoint(None, 0.0, 0.80, 0.02, 0.7, 0.9),
        StudyPoint("a", 1.0, 0.79, 0.02, 0.7, 0.5),
        StudyPoint("a", 3.0, 0.70, 0.02, 0.7, 0.1),
        StudyPoint("b", 1.0, 0.785, 0.02, 0.7, 0.6),
        StudyPoint("b", 3.0, 0.6, 0.02, 0.7, 0.2),
    )
    study = LayerStudy(points, 5, True)
    assert (study.best_layer, study.best_weight) == ("a", 1.0)
    assert repr(study).startswith("Recommended: layer='a', weight=1.")
    assert study.to_frame().recommended.tolist() == [False, True, False, False, False]
    assert "<table>" in study._repr_html_()
    plain = LayerStudy(points[:1] + points[2:3], 2, False)
    assert plain.best_layer is None and "the plain network" in repr(plain)
    pytest.importorskip("matplotlib")
    panels = study.plot()
    assert overlapping_labels(panels[0].figure) == []
    drawn = panels[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn.astype(float), [0.79, 0.785])
    many = [StudyPoint(f"encoder.{k}.activation", 1.0, 0.5, 0.1, 0.5, 0.5) for k in range(40)]
    panels = LayerStudy((points[0], *many), 41, True).plot()
    assert overlapping_labels(panels[0].figure) == []


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights": [0]}, "'weights' parameter .* positive numbers"),
        ({"weights": []}, "'weights' parameter"),
        ({"layers": ["nope"]}, "Layer 'nope'"),
        ({"layers": []}, "'layers' parameter"),
        ({"estimator": AntiTransferClassifier()}, "with an unrelated task"),
        ({"estimator": StandardScaler()}, "'estimator' parameter"),
        ({"y_unrelated": [0] * 90}, "one label only"),
        (
            {
                "y_unrelated": [1] * 2 + [0] * 43 + [1] * 2 + [0] * 43,
                "cv": [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))],
            },
            "rarest label .* has 2 samples",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_fitted(
    tabular, unrelated, monkeypatch, change, match
):
    X, y, nuisance = tabular
    given = {"estimator": quick(unrelated), "X": X, "y": y, "y_unrelated": nuisance, **change}
    monkeypatch.setattr(AntiTransferClassifier, "fit", None)
    with pytest.raises(ValueError, match=match):
        layer_study(**given)


def test_training_rows_are_copied_for_one_fit_at_a_time(tabular, unrelated, monkeypatch):
    copies, alive_at_once = [], []

    def watched(X, rows):
        found = rows_of(X, rows)
        if found.base is None:
            alive_at_once.append(1 + sum(copy() is not None for copy in copies))
            copies.append(weakref.ref(found))
        return found

    monkeypatch.setattr(_layer_study, "rows_of", watched)
    layer_study(quick(unrelated), *tabular, layers=["last"], weights=[0.5, 1, 2], cv=3)
    assert len(copies) == 2 * 4 * 3  # of each fit what it learns from, and what is held out
    assert max(alive_at_once) <= 3
