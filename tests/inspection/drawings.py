"""Small drawings of all displays, and their baseline images.

python -m tests.inspection.drawings   # draws the baselines anew: look at them before they stay
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from atl_sklearn.inspection import (
    ComparisonDisplay,
    EmbeddingDisplay,
    GroupConfusionDisplay,
    InvarianceReport,
    LayerSimilarityDisplay,
    Measure,
    ProbeDisplay,
    SpectrogramDisplay,
    TradeOffDisplay,
    TrainingDisplay,
    WindowsDisplay,
)

FOLDER = Path(__file__).parent / "baseline"
VERSION = FOLDER / "matplotlib.txt"  # with which the baselines were drawn
DPI = 60
NAMES = ("plain", "anti-transfer")
GROUPS = ("george", "jackson", "theo")
LAYERS = ("blocks.0", "blocks.1", "blocks.2", "blocks.3")


def report() -> InvarianceReport:
    """Return a report of two networks, of made-up numbers."""
    measures, differences = [], []
    for at, name in enumerate(NAMES):
        value = 0.5 + 0.2 * at
        measures.append(Measure(name, "score", "", "", value, value - 0.1, value + 0.1))
        for g, group in enumerate(GROUPS):
            score = value + 0.1 * (g - 1)
            measures.append(Measure(name, "score", group, "", score, score - 0.1, score + 0.1))
        for k, layer in enumerate(LAYERS):
            read = 0.5 + 0.1 * k - 0.25 * at * k / 3
            measures.append(Measure(name, "probe", layer, "linear", read, read - 0.05, read + 0.05))
            measures.append(Measure(name, "similarity", layer, "cka", 0.9 - 0.2 * k * (at + 0.2)))
    measures.append(Measure("raw input", "probe", "", "linear", 0.6, 0.55, 0.65))
    for place in ("", *GROUPS):
        differences.append(Measure(NAMES[1], "score", place, "", 0.2, 0.05, 0.35))
    table = np.arange(12).reshape(3, 2, 2) + 3 * np.eye(2, dtype=int)
    return InvarianceReport(
        names=NAMES, groups=GROUPS, classes=("no", "yes"), measures=tuple(measures),
        differences=tuple(differences), confusion=dict.fromkeys(NAMES, table),
        score_name="accuracy", probe_scoring="balanced_accuracy", chance=1 / 3, n_samples=300,
        n_probed=300, confidence=0.95, left_out=(),
    )  # fmt: skip


def _training() -> TrainingDisplay:
    rows = [
        {"train_loss": 2 / e, "valid_loss": 1 + 1 / e, "train_penalty": 0.5 / e,
         "penalty_weight": min(1.0, e / 5), "lr": 0.01 * np.sin(np.pi * e / 13), "dur": 1.0}
        for e in range(1, 13)
    ]  # fmt: skip
    return TrainingDisplay.from_history({"plain": rows[:8], "anti-transfer": rows})


def _embedding() -> EmbeddingDisplay:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    points = np.column_stack([np.cos(angles), np.sin(angles)])
    points *= 1 + 0.3 * np.arange(60)[:, None] % 3
    labels = {"target": np.arange(60) // 20, "nuisance": np.array(GROUPS)[np.arange(60) % 3]}
    return EmbeddingDisplay(points, labels)


def _spectrogram() -> SpectrogramDisplay:
    bands, frames = np.mgrid[:32, :40]
    return SpectrogramDisplay(
        -abs(bands - 8.0 - frames / 4), saliency=np.exp(-((frames - 20.0) ** 2) / 30) + 0 * bands,
        sr=8000, hop_length=96, fmin=0.0, fmax=4000.0, title="seven",
    )  # fmt: skip


def _windows() -> WindowsDisplay:
    time = np.arange(8000) / 8000
    wave = np.sin(2 * np.pi * (500 + 1000 * time) * time)
    high = np.linspace(0.1, 0.9, 8)
    return WindowsDisplay(
        wave, 8000, start=np.arange(8) / 8, duration=np.full(8, 1 / 8),
        values=np.column_stack([1 - high, high]), classes=["low", "high"],
    )  # fmt: skip


DRAWINGS = {
    "training": _training,
    "probes": lambda: ProbeDisplay.from_report(report()),
    "layers": lambda: LayerSimilarityDisplay(
        np.eye(4) * 0.6 + 0.2, layers=LAYERS, unrelated_layers=LAYERS, metric="cka"
    ),
    "confusion": lambda: GroupConfusionDisplay.from_report(report()),
    "trade_off": lambda: TradeOffDisplay.from_report(report()),
    "comparison": lambda: ComparisonDisplay.from_report(report()),
    "embedding": _embedding,
    "spectrogram": _spectrogram,
    "windows": _windows,
}


def draw(name: str) -> Figure:
    """Return a drawing, whatever the user's settings of matplotlib are."""
    with matplotlib.rc_context(matplotlib.rc_params_from_file(matplotlib.matplotlib_fname())):
        return DRAWINGS[name]().plot().figure_


def save(figure: Figure, path: Path) -> None:
    """Write a drawing as the baselines are written."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def main() -> None:
    """Draw all baselines anew."""
    for name in DRAWINGS:
        save(draw(name), FOLDER / f"{name}.png")
    VERSION.write_text(matplotlib.__version__ + "\n")


if __name__ == "__main__":
    main()
