import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from torch import nn

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures, Standardizer
from atl_sklearn.datasets import make_notes
from atl_sklearn.inspection import (
    ComparisonDisplay,
    EmbeddingDisplay,
    GroupConfusionDisplay,
    InvarianceReport,
    LayerSimilarityDisplay,
    LiveTraining,
    Measure,
    PairedDifference,
    ProbeDisplay,
    SpectrogramDisplay,
    TradeOffDisplay,
    TradeOffPoint,
    TrainingDisplay,
    invariance_report,
)
from atl_sklearn.inspection._displays import _live
from atl_sklearn.inspection._displays._style import COLORS, fit_labels, overlapping_labels
from atl_sklearn.inspection._saliency import saliency_map
from tests.slow import all_but_slow

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


def large_report(n_groups=10, n_layers=40, names=("plain", "anti-transfer", "adversarial")):
    """Return a report with as many groups and layers, of long names."""
    groups = tuple(f"speaker number {k}" for k in range(n_groups))
    layers = [f"encoder.blocks.{k}.activation" for k in range(n_layers)]
    measures = []
    for at, name in enumerate(names):
        measures.append(Measure(name, "score", "", "", 0.5 + at / 10, 0.4, 0.7))
        measures += [Measure(name, "score", g, "", 0.4, 0.3, 0.6) for g in groups]
        measures += [
            Measure(name, "probe", layer, "linear", 0.9 - k / 100 - at / 10, 0.2, 0.9)
            for k, layer in enumerate(layers)
        ]
        measures += [Measure(name, "similarity", layer, "cka", 0.5) for layer in layers]
    measures.append(Measure("raw input", "probe", "", "linear", 0.8, 0.7, 0.9))
    measures += [Measure("untrained network", "probe", x, "linear", 0.6, 0.5, 0.7) for x in layers]
    differences = [
        Measure(name, "score", g, "", 0.1, 0.0, 0.2) for name in names[1:] for g in ("", *groups)
    ]
    rng = np.random.default_rng(0)
    classes = tuple(f"class {k}" for k in range(10))
    return InvarianceReport(
        names=names, groups=groups, classes=classes, measures=tuple(measures),
        differences=tuple(differences),
        confusion={n: rng.integers(9, size=(n_groups, 10, 10)) for n in names},
        score_name="accuracy", probe_scoring="balanced_accuracy", chance=1 / n_groups,
        n_samples=1000, n_probed=1000, confidence=0.95, left_out=(),
    )  # fmt: skip


def histories(n=4, n_epochs=40):
    rows = [
        {"train_loss": 1 / e, "valid_loss": 2 / e, "train_penalty": 0.5, "penalty_weight": 1.0,
         "lr": 0.1 / e, "train_loss_best": True, "dur": 1.0}
        for e in range(1, n_epochs + 1)
    ]  # fmt: skip
    return {f"network {k}": rows for k in range(n)}


def embedding(n_labels=16):
    rng = np.random.default_rng(0)
    labels = np.array([f"a long speaker's name {k % n_labels:02}" for k in range(200)])
    return EmbeddingDisplay(rng.normal(size=(200, 2)), {"target": labels, "unrelated": labels})


LARGE = {
    "training": lambda: TrainingDisplay.from_history(histories()),
    "probes": lambda: ProbeDisplay.from_report(large_report()),
    "layers": lambda: LayerSimilarityDisplay(
        np.random.default_rng(0).random((40, 40)), metric="cka",
        layers=[f"encoder.blocks.{k}.activation" for k in range(40)],
        unrelated_layers=[f"encoder.blocks.{k}.activation" for k in range(40)],
    ),
    "few layers": lambda: LayerSimilarityDisplay(
        np.eye(8), metric="cka", layers=list("abcdefgh"), unrelated_layers=["encoder.first"] * 8
    ),
    "confusion": lambda: GroupConfusionDisplay.from_report(large_report()),
    "small confusion": lambda: GroupConfusionDisplay(
        np.full((10, 6, 6), 12345), groups=[f"group {k}" for k in range(10)], classes="abcdef"
    ),
    "trade-off": lambda: TradeOffDisplay.from_report(
        large_report(names=tuple(f"weight {k / 10}" for k in range(10)))
    ),
    "crowded trade-off": lambda: TradeOffDisplay(
        [TradeOffPoint(f"weight {k}", 0.5 + k / 1e4, 0.5 - k / 1e4) for k in range(40)], chance=0.1
    ),
    "comparison": lambda: ComparisonDisplay.from_report(large_report()),
    "embedding": embedding,
    "spectrogram": lambda: SpectrogramDisplay(
        np.zeros((40, 60)), saliency=np.random.default_rng(0).random((40, 60)), sr=8000,
        hop_length=96, fmax=4000, title="seven, mean of 100 clips",
    ),
}  # fmt: skip


HIDDEN = ("_theo", "__init__", "")  # labels that matplotlib leaves out of legends
WITH_HIDDEN = {
    "training": lambda: TrainingDisplay.from_history(
        dict.fromkeys(HIDDEN, histories(1)["network 0"])
    ),
    "probes": lambda: ProbeDisplay.from_report(large_report(2, 3, HIDDEN)),
    "embedding": lambda: EmbeddingDisplay(np.eye(6, 2), {"target": [*HIDDEN, *HIDDEN]}),
}


def legends_of(axes):
    legends = [ax.get_legend() for ax in axes if ax.get_legend() is not None]
    return [[text.get_text().strip() for text in legend.get_texts()] for legend in legends]


@pytest.mark.parametrize("name", WITH_HIDDEN)
def test_legends_name_labels_that_begin_with_an_underscore(name):
    (found, *_) = legends_of(np.ravel(WITH_HIDDEN[name]().plot().ax_))
    expected = [f"{label}, training".removeprefix(", ") for label in HIDDEN]
    assert set(expected if name == "training" else HIDDEN) <= set(found)


def test_legends_of_the_four_panels_name_such_estimators():
    for found in legends_of(large_report(2, 3, HIDDEN).plot()[:3]):
        assert set(HIDDEN) <= set(found)


@pytest.mark.parametrize("name", all_but_slow(LARGE, "probes", "comparison", "few layers"))
def test_no_two_labels_overlap_and_nothing_hangs_out(name):
    display = LARGE[name]().plot()
    assert overlapping_labels(display.figure_) == []
    box = display.figure_.get_tightbbox()
    width, height = display.figure_.get_size_inches()
    assert box.x0 > -0.1 and box.y0 > -0.1 and box.x1 < width + 0.1 and box.y1 < height + 0.1


def test_no_two_labels_of_the_four_panels_overlap():
    assert overlapping_labels(large_report().plot()[0].figure) == []


def test_overlaps_are_seen():
    figure, ax = plt.subplots()
    ax.text(0.5, 0.5, "one")
    ax.text(0.5, 0.5, "two")
    assert overlapping_labels(figure) == [("one", "two")]
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.set_xticks(range(40), ["name"] * 40)
    assert overlapping_labels(figure)
    ax.set_xlim(-1, 40)
    fit_labels(ax.xaxis, ["name"] * 40)
    assert overlapping_labels(figure) == []
    assert 2 < len(ax.get_xticks()) < 40  # what is too much was left out


def test_neighbouring_colours_differ_in_grey():
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in COLORS])
    grey = rgb @ [0.299, 0.587, 0.114]
    assert np.all(np.abs(np.diff(grey)) > 0.08)


def test_dark_figures_stay_dark():
    with plt.style.context("dark_background"):
        display = TrainingDisplay.from_history(histories(2)).plot()
        ProbeDisplay.from_report(large_report(3, 4)).plot()
        assert plt.gcf().get_facecolor() == (0, 0, 0, 1)
        for ax in [*display.ax_, plt.gca()]:
            assert not any(line.get_color() in ("k", "black") for line in ax.lines)


@pytest.mark.parametrize("name", LARGE)
def test_a_display_draws_into_axes_that_are_given(name):
    display = LARGE[name]()
    n = 1
    if hasattr(display, "panels"):
        n = len(display.panels)
    elif hasattr(display, "groups"):
        n = len(display.groups)
    elif hasattr(display, "labels"):
        n = len(display.labels)
    _, axes = plt.subplots(1, n)
    assert display.plot(ax=axes) is display
    assert display.figure_ is np.atleast_1d(axes)[0].figure
    if n > 1:
        with pytest.raises(ValueError, match=f"'ax' parameter .* {n} matplotlib Axes"):
            display.plot(ax=[axes[0]])
    assert len(display.frame()) > 0


@pytest.mark.parametrize("name", [*LARGE, "live"])
def test_without_matplotlib_the_error_says_what_to_install(name, monkeypatch):
    display = LARGE[name]() if name in LARGE else None
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"needs matplotlib: pip install atl_sklearn\[plot\]"):
        LiveTraining().initialize() if display is None else display.plot()


def test_without_matplotlib_a_report_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"InvarianceReport.plot needs matplotlib"):
        large_report(2, 2).plot()


@pytest.fixture(scope="module")
def fitted(tabular, unrelated):
    X, target, _ = tabular
    settings = {"max_epochs": 3, "random_state": 0, "module__hidden_layer_sizes": (8, 6)}
    net = AntiTransferClassifier(unrelated=unrelated, train_split=0.2, **settings)
    return net.fit(X, target)


def test_training_is_that_of_the_history(fitted):
    display = TrainingDisplay.from_estimator(fitted).plot()
    assert display.panels == ("loss", "similarity", "weight", "rate")
    lines = {line.get_label(): line.get_ydata() for line in display.ax_[0].lines}
    np.testing.assert_array_equal(lines["training"], fitted.history[:, "train_loss"])
    np.testing.assert_array_equal(lines["validation"], fitted.history[:, "valid_loss"])
    np.testing.assert_array_equal(display.ax_[3].lines[0].get_ydata(), fitted.history[:, "lr"])
    assert display.ax_[-1].get_xlabel() == "epoch"
    one = display.plot(panels=["rate"])
    assert len(one.ax_) == 1
    with pytest.raises(ValueError, match=r"'panels' parameter .*'loss', 'similarity'"):
        display.plot(panels=["los"])
    with pytest.raises(TypeError, match="takes fitted networks"):
        TrainingDisplay.from_estimator(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="nothing to draw"):
        TrainingDisplay.from_history([])


def test_probes_are_those_of_the_report(fitted, tabular):
    X, _, nuisance = tabular
    display = ProbeDisplay.from_estimator(fitted, X, nuisance, cv=2, n_resamples=5).plot()
    (line,) = [x for x in display.ax_.lines if x.get_label() == "AntiTransferClassifier"]
    report = invariance_report(fitted, X, None, nuisance, cv=2, n_resamples=5, probes=["linear"])
    expected = [
        m.value for m in report.measures
        if m.part == "probe" and m.estimator == "AntiTransferClassifier"
    ]  # fmt: skip
    np.testing.assert_array_equal(line.get_ydata(), expected)
    names = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert names == ["hidden.0.activation", "hidden.1.activation", "head"]
    with pytest.raises(ValueError, match=r"one of \['linear'\], which the report has"):
        ProbeDisplay.from_report(report, probe="nonlinear")


def test_layers_are_compared_with_the_unrelated_network(fitted, tabular):
    X, _, _ = tabular
    display = LayerSimilarityDisplay.from_estimator(fitted, X, metric="cka")
    assert display.similarity.shape == (3, 3)
    own = LayerSimilarityDisplay.from_estimator(fitted, X, unrelated=fitted, metric="cka")
    np.testing.assert_allclose(own.similarity.diagonal(), 1, atol=1e-5)
    np.testing.assert_array_equal(display.plot().ax_.images[0].get_array(), display.similarity)
    plain = AntiTransferClassifier(max_epochs=1).fit(X, np.arange(90) % 2)
    with pytest.raises(ValueError, match=r"'unrelated' parameter .* Pass the network to compare"):
        LayerSimilarityDisplay.from_estimator(plain, X)
    with pytest.raises(ValueError, match="Layer 'nope'"):
        LayerSimilarityDisplay.from_estimator(fitted, X, layers="nope")


def test_confusions_are_counted(fitted, tabular):
    X, target, nuisance = tabular
    display = GroupConfusionDisplay.from_estimator(fitted, X, target, nuisance)
    said = fitted.predict(X)
    assert display.confusion[1, 1, 0] == np.sum((nuisance == 1) & (target == 1) & (said == 0))
    display.plot()
    shares = display.ax_[0].images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert display.frame().n_samples.sum() == 90
    with pytest.raises(ValueError, match="'estimator' parameter"):
        GroupConfusionDisplay.from_report(large_report(2, 2), estimator="nobody")
    with pytest.raises(ValueError, match="one label only"):
        GroupConfusionDisplay.from_predictions([0, 1], [0, 1], ["a", "a"])


def test_the_front_is_what_none_beats():
    points = [TradeOffPoint(n, s, p) for n, s, p in (
        ("plain", 0.9, 0.9), ("good", 0.8, 0.3), ("bad", 0.7, 0.4), ("blind", 0.2, 0.1),
    )]  # fmt: skip
    display = TradeOffDisplay(points, rivals=[TradeOffPoint("rival", 0.85, 0.95)], chance=0.1)
    assert display.front == ("blind", "good", "plain")
    assert display.frame().rival.tolist() == [False] * 4 + [True]
    texts = {text.get_text() for text in display.plot().ax_.texts}
    assert texts == {"plain", "good", "bad", "blind", "rival"}
    with pytest.raises(ValueError, match="Pareto front"):
        TradeOffDisplay.from_search(AntiTransferClassifier())
    with pytest.raises(ValueError, match="'rivals' parameter"):
        TradeOffDisplay.from_report(large_report(2, 2), rivals=["nobody"])


def test_points_of_one_name_are_told_apart():
    points = [TradeOffPoint("weight 1", 0.6, 0.9), TradeOffPoint("weight 1", 0.8, 0.5)]
    display = TradeOffDisplay([*points, TradeOffPoint("plain", 0.9, 0.8)])
    assert display.front == ("weight 1", "plain")
    assert display.frame().on_front.tolist() == [False, True, True]
    drawn = display.plot().ax_.lines[0]
    assert np.transpose(drawn.get_data()).tolist() == [[0.5, 0.8], [0.8, 0.9]]


def test_trade_off_takes_the_front_of_a_search():
    class Search:
        pareto_ = (
            type("P", (), {"params": {"weight": 0.0, "lr": 1}, "score": 0.5, "probe": 0.9}),
            type("P", (), {"params": {"weight": 1.5, "lr": 1}, "score": 0.4, "probe": 0.3}),
        )

    assert [p.name for p in TradeOffDisplay.from_search(Search()).points] == [
        "weight 0",
        "weight 1.5",
    ]


def test_a_comparison_has_intervals_and_folds():
    found = PairedDifference("a", 0.1, 0.0, 0.2, (0.05, 0.15))
    ax = ComparisonDisplay([found], reference="plain").plot().ax_
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.05, 0.15])
    assert ax.get_xlabel() == "difference of the score to plain"
    with pytest.raises(ValueError, match="nothing to compare"):
        ComparisonDisplay([], reference="plain")
    with pytest.raises(ValueError, match="make it of several"):
        ComparisonDisplay.from_report(
            invariance_report_of_one := InvarianceReport.from_json(
                large_report(2, 2, names=("plain",)).to_json()
            )
        )
    assert invariance_report_of_one.differences == ()


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_embeddings_are_drawn_by_both_labels(fitted, tabular, method):
    X, target, nuisance = tabular
    display = EmbeddingDisplay.from_estimator(
        fitted, X, target, nuisance + 0.5, layer="hidden.0.activation", method=method, n_samples=50
    ).plot()
    assert display.embedding.shape == (50, 2)
    assert sum(len(c.get_offsets()) for c in display.ax_[0].collections) == 50
    assert len(display.ax_[1].collections) == 1  # numbers are shades
    with pytest.raises(ValueError, match="'method' parameter"):
        EmbeddingDisplay.from_estimator(fitted, X, target, nuisance, method="umap")
    with pytest.raises(ValueError, match="Layer 'nope'"):
        EmbeddingDisplay.from_estimator(fitted, X, target, nuisance, layer="nope")


def test_saliency_is_the_gradient_and_occlusion_finds_the_same_place():
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 2, bias=False))
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].weight[1, 7] = 3
    X = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 4, 6)).astype("float32"))
    tensor = X.clone().requires_grad_()
    network(tensor).log_softmax(1)[:, 1].sum().backward()
    expected = tensor.grad.abs().mean(dim=0)
    np.testing.assert_allclose(saliency_map(network, X, 1, batch_size=7), expected, rtol=1e-5)
    hidden = saliency_map(network, X, 1, method="occlusion", n_patches=(4, 6))
    assert np.argmax(hidden) == 7 and np.count_nonzero(hidden) == 1
    assert all((p.requires_grad and p.grad is None) or p.grad is not None
               for p in network.parameters())  # fmt: skip


def test_a_spectrogram_of_a_pipeline_has_time_and_frequency():
    notes = make_notes(40, random_state=0)
    net = AntiTransferClassifier(max_epochs=1, random_state=0)
    features = LibrosaFeatures(sr=notes.sr, duration=0.25, n_fft=256, n_mels=16)
    pipeline = make_pipeline(features, Standardizer(), net).fit(notes.data, notes.timbre)
    label = notes.timbre[0]
    display = SpectrogramDisplay.from_estimator(pipeline, notes.data, notes.timbre, label=label)
    expected = features.transform(notes.data[notes.timbre == label]).mean(axis=0)
    np.testing.assert_allclose(display.spectrogram, expected, rtol=1e-5)
    assert display.saliency.min() >= 0 < display.saliency.max()
    display.plot()
    assert display.ax_.get_xlabel() == "time (s)"
    assert display.ax_.get_ylabel() == "frequency (Hz)"
    assert overlapping_labels(display.figure_) == []
    with pytest.raises(ValueError, match="'label' parameter"):
        SpectrogramDisplay.from_estimator(pipeline, notes.data, notes.timbre, label="nothing")
    with pytest.raises(ValueError, match="'method' parameter"):
        SpectrogramDisplay.from_estimator(
            pipeline, notes.data, notes.timbre, label=label, method="shap"
        )


def test_rows_of_features_are_no_spectrogram(fitted, tabular):
    X, target, _ = tabular
    with pytest.raises(ValueError, match="rows of features, and no spectrograms"):
        SpectrogramDisplay.from_estimator(fitted, X, target, label=1)


def test_live_training_updates_one_drawing_and_clones(tabular, monkeypatch):
    shown = []

    class Place:
        def update(self, figure):
            shown.append(("update", figure))

    def display(figure, display_id):
        shown.append(("display", figure))
        return Place()

    fake = type(sys)("IPython.display")
    fake.display = display
    monkeypatch.setitem(sys.modules, "IPython", type(sys)("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr(_live, "in_notebook", lambda: True)
    X, target, _ = tabular
    net = AntiTransferClassifier(
        max_epochs=4, callbacks=[("live", LiveTraining(every=2))], random_state=0,
        module__hidden_layer_sizes=(4,),
    )  # fmt: skip
    net.fit(X, target)
    assert [kind for kind, _ in shown] == ["display", "update", "update"]
    live = dict(net.callbacks_)["live"]
    assert live.display_.panels == ("loss", "rate")
    assert plt.get_fignums() == []
    assert not hasattr(clone(net).callbacks[0][1], "display_")
    with pytest.raises(ValueError, match="'every' parameter of LiveTraining"):
        LiveTraining(every=0).initialize()
