"""Frames of fairlearn's as rivals in a report."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, confusion_matrix, mean_squared_error, r2_score

from atl_sklearn.inspection import (
    ComparisonDisplay,
    GroupConfusionDisplay,
    InvarianceReport,
    invariance_report,
)

fairlearn = pytest.importorskip("fairlearn.metrics")

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
METRICS = {"accuracy": accuracy_score, "confusion": confusion_matrix}
METRICS |= {name: getattr(fairlearn, name) for name in RATES}
QUICK = {"n_resamples": 20}


@pytest.fixture(scope="module")
def data(tabular):
    X, target, nuisance = tabular
    return X, target, np.array(["no", "yes"])[nuisance]


@pytest.fixture(scope="module")
def model(data):
    X, y, _ = data
    return LogisticRegression().fit(X, y)


def frame_of(model, data, metrics=METRICS, **kwargs):
    X, y, group = data
    kwargs = {"sensitive_features": group, **kwargs}
    return fairlearn.MetricFrame(
        metrics=metrics, y_true=y, y_pred=model.predict(X), random_state=0, **kwargs
    )


def test_a_frame_says_what_its_estimator_does(model, data):
    report = invariance_report({"frame": frame_of(model, data), "model": model}, *data, **QUICK)
    assert report.names == ("model", "frame")
    parts = {m.part for m in report.measures if m.estimator == "frame"}
    assert parts >= {"score", "worst_group_score", "equalized_odds_difference", *RATES}
    for m in report.measures:
        if m.estimator == "frame":
            place = m.place if m.part == "score" or m.part in RATES else None
            expected = report.value(m.part, estimator="model", place=place)
            assert m.value == pytest.approx(expected), m.part
    np.testing.assert_array_equal(report.confusion["frame"], report.confusion["model"])
    assert all(m.estimator != "frame" for m in report.differences)
    left_out = "; ".join(report.left_out)
    assert "probes of frame" in left_out and "n_boot" in left_out
    assert repr(report).count("frame") >= 1 and InvarianceReport.from_json(report.to_json())


def test_an_empty_label_is_a_group_of_frames_too(model, data):
    X, y, group = data
    group = np.where(group == "no", "", group)
    frame = frame_of(model, data, sensitive_features=group)
    report = invariance_report({"frame": frame, "model": model}, X, y, group, **QUICK)
    for place in ("(empty)", "yes", ""):
        scores = [report.value("score", estimator=e, place=place) for e in ("frame", "model")]
        assert scores[0] == pytest.approx(scores[1])
    np.testing.assert_array_equal(report.confusion["frame"], report.confusion["model"])


def test_fairlearns_gaps_are_the_reports(model, data):
    X, y, group = data
    report = invariance_report(frame_of(model, data), *data, **QUICK)
    for name in ("demographic_parity_difference", "equalized_odds_difference"):
        expected = getattr(fairlearn, name)(y, model.predict(X), sensitive_features=group)
        assert report.value(name) == pytest.approx(expected)
    assert report.names == ("MetricFrame",) and report.score_name == "accuracy"


def test_bootstrapped_frames_have_their_intervals(model, data):
    options = {"n_boot": 20, "ci_quantiles": [0.05, 0.5, 0.95]}
    metrics = {name: METRICS[name] for name in ("accuracy", "selection_rate")}
    frame = frame_of(model, data, metrics, **options)
    report = invariance_report(frame, *data, confidence=0.9, **QUICK)
    found = next(m for m in report.measures if (m.part, m.place) == ("score", "yes"))
    expected = [frame.by_group_ci[k]["accuracy"]["yes"] for k in (0, 2)]
    assert [found.low, found.high] == pytest.approx(expected)
    assert not any("n_boot" in text for text in report.left_out)
    # The quantiles of another coverage are not taken for it.
    other = invariance_report(frame, *data, confidence=0.95, **QUICK)
    assert any("n_boot" in text for text in other.left_out)


def test_a_frame_of_one_metric_and_frames_of_numbers(model, data):
    X, y, group = data
    report = invariance_report(frame_of(model, data, accuracy_score), *data, **QUICK)
    assert report.value("score") == pytest.approx(model.score(X, y))
    ridge = Ridge().fit(X, X[:, 0])
    numbers = (X, X[:, 0], group)
    frame = frame_of(ridge, numbers, {"r2": r2_score, "error": mean_squared_error})
    report = invariance_report({"ridge": ridge, "frame": frame}, *numbers, **QUICK)
    assert report.score_name == "r2"
    assert any("error of frame" in text for text in report.left_out)


def test_displays_draw_reports_with_frames(model, data):
    plt = pytest.importorskip("matplotlib.pyplot")
    other = LogisticRegression(C=1e-3).fit(*data[:2])
    models = {"model": model, "other": other, "frame": frame_of(model, data)}
    report = invariance_report(models, *data, **QUICK)
    report.plot()
    ComparisonDisplay.from_report(report).plot()
    display = GroupConfusionDisplay.from_report(report, estimator="frame")
    np.testing.assert_array_equal(display.confusion, report.confusion["model"])
    plt.close("all")


def test_frames_that_cannot_be_taken_say_why(model, data):
    X, y, group = data
    with pytest.raises(ValueError, match="exactly one metric of"):
        invariance_report(frame_of(model, data, {"rate": fairlearn.selection_rate}), *data)
    two = np.column_stack([group, group])
    with pytest.raises(ValueError, match="one sensitive feature"):
        invariance_report(frame_of(model, data, sensitive_features=two), *data)
    with pytest.raises(ValueError, match="the groups of y_unrelated"):
        invariance_report(frame_of(model, data), X, y, np.where(group == "no", "a", "b"))
    with pytest.raises(ValueError, match="all of classifiers or all of regressors"):
        frame = frame_of(model, data, {"r2": r2_score})
        invariance_report({"model": model, "frame": frame}, *data)
