"""The table and the figure of all runs that are there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.evidence.rows import interval
from benchmarks.evidence.runs import read_runs
from benchmarks.evidence.tables import list_table
from benchmarks.paper.forms import CONVOLUTIONS, FORMS
from benchmarks.paper.pairs import PAIRS

_COLORS = {"published": "tab:orange", "cross-correlation": "tab:blue"}


@dataclass(frozen=True)
class Row:
    """One form at one convolution, over the folds.

    Attributes
    ----------
    pair, form : str
        What it is.
    place : int or None
        The convolution, counted from 0.
    accuracy, train, probe : float
        Means over the folds: on the test, on the training recordings, and with which the nuisance
        is read from the last layer.
    gains : tuple of float
        Of each fold, points above the mean of the plain networks.
    """

    pair: str
    form: str
    place: int | None
    accuracy: float
    train: float
    probe: float
    gains: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Mean over the folds, in points."""
        return float(np.mean(self.gains))


def summarise(runs: list[dict[str, Any]]) -> list[Row]:
    """Return a row for each form and convolution that ran on all folds of the plain network."""
    by_fold: dict[tuple[str, str, int | None], dict[int, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in runs:
        by_fold[run["pair"], run["form"], run["place"]][run["fold"]].append(run)
    rows = []
    for pair in PAIRS:
        plain = by_fold.get((pair, "plain", None), {})
        for form in FORMS:
            for place in (None, *range(len(CONVOLUTIONS))):
                folds = by_fold.get((pair, form, place), {})
                if not plain or folds.keys() != plain.keys():
                    continue

                def mean(name: str, folds: dict[int, Any] = folds) -> dict[int, float]:
                    return {
                        k: float(np.mean([r[name] for r in found])) for k, found in folds.items()
                    }

                accuracy = mean("accuracy")
                without = mean("accuracy", plain)
                gains = tuple(100 * (accuracy[k] - without[k]) for k in sorted(accuracy))
                means = [
                    float(np.mean(list(mean(n).values()))) for n in ("accuracy", "train", "probe")
                ]
                rows.append(Row(pair, form, place, *means, gains))
    return rows


def plain_spread(runs: list[dict[str, Any]], pair: str) -> float:
    """Return by how many points plain networks differ that differ in the seed alone."""
    folds = defaultdict(list)
    for run in runs:
        if (run["pair"], run["form"]) == (pair, "plain"):
            folds[run["fold"]].append(100 * run["accuracy"])
    spreads = [np.std(found, ddof=1) for found in folds.values() if len(found) > 1]
    return float(np.mean(spreads)) if spreads else float("nan")


def _cells(row: Row) -> list[str]:
    gain = ""
    if row.form != "plain":
        low, high = interval(np.array(row.gains))
        gain = f"{row.gain:+.1f}" + (f" [{low:.1f}, {high:.1f}]" if np.isfinite(low) else "")
    where = "" if row.place is None else f"{row.place + 1} ({CONVOLUTIONS[row.place]})"
    numbers = [f"{value:.3f}" for value in (row.accuracy, row.train, row.probe)]
    return [FORMS[row.form].title, where, *numbers, gain]


def _over_convolutions(rows: list[Row]) -> list[str]:
    """Return what the forms gain that were tried at several convolutions."""
    sentences = []
    for name, form in FORMS.items():
        gains = [row.gain for row in rows if row.form == name]
        if len(form.places) > 1 and len(gains) > 1:
            title = form.title[0].upper() + form.title[1:]
            sentences.append(
                f"{title}, at {len(gains)} of {len(CONVOLUTIONS)} convolutions: "
                f"{np.mean(gains):+.1f} points on the mean, from {min(gains):+.1f} to "
                f"{max(gains):+.1f}."
            )
    return sentences


def table(rows: list[Row], runs: list[dict[str, Any]]) -> str:
    """Return a table for each pair, in reStructuredText."""
    lines = []
    head = ["network", "convolution", "accuracy", "in training", "probe", "gain"]
    for pair in dict.fromkeys(row.pair for row in rows):
        of_pair = [row for row in rows if row.pair == pair]
        lines += [PAIRS[pair].title, "~" * len(PAIRS[pair].title), ""]
        lines += list_table([head, *map(_cells, of_pair)])
        found = [run for run in runs if run["pair"] == pair]
        learnt = {run["fold"]: run["unrelated_train"] for run in found}
        seconds = sum(run["seconds"] for run in found)
        lines += [
            *_over_convolutions(of_pair),
            f"{len(learnt)} fold{'s' if len(learnt) > 1 else ''}, {len(found)} networks, "
            f"{seconds / 60:.1f} minutes of one core. The unrelated network has learnt "
            f"{np.mean(list(learnt.values())):.2f} of its own training recordings; plain networks "
            f"differ by {plain_spread(found, pair):.1f} points (standard deviation) from seed to "
            "seed.",
            "",
        ]
    return "\n".join(lines)


def draw(rows: list[Row], runs: list[dict[str, Any]], path: Path) -> None:
    """Draw the accuracy by convolution, a panel for each pair."""
    pairs = list(dict.fromkeys(row.pair for row in rows))
    figure, axes = plt.subplots(
        1, len(pairs), figsize=(5.2 * len(pairs), 3.8), squeeze=False, layout="constrained"
    )
    for ax, pair in zip(axes[0], pairs, strict=True):
        found = {(row.form, row.place): row for row in rows if row.pair == pair}
        plain = found["plain", None].accuracy
        spread = plain_spread(runs, pair) / 100
        ax.axhline(plain, color="0.4", label="plain network, and its spread over seeds")
        ax.axhspan(plain - spread, plain + spread, color="0.4", alpha=0.2, linewidth=0)
        if ("initialised", None) in found:
            ax.axhline(
                found["initialised", None].accuracy, color="0.4", linestyle=":",
                label=FORMS["initialised"].title,
            )  # fmt: skip
        for marker, (form, color) in zip("os", _COLORS.items(), strict=True):
            places = [p for p in range(len(CONVOLUTIONS)) if (form, p) in found]
            heights = [found[form, p].accuracy for p in places]
            ax.plot(
                [p + 1 for p in places], heights, marker=marker, color=color,
                label=FORMS[form].title, markersize=4,
            )  # fmt: skip
        ax.set_title(PAIRS[pair].title, fontsize="medium")
        ax.set_xlabel("convolution that is compared")
        ax.set_ylabel("accuracy on the test")
        ax.set_xticks(range(1, len(CONVOLUTIONS) + 1))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(pairs), fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_report(path: Path, folder: Path) -> str:
    """Write ``table.rst`` and ``layers.png`` of the runs in a file.

    Parameters
    ----------
    path : Path
        The file with the runs.
    folder : Path
        Gets both.

    Returns
    -------
    table : str
        What is written.
    """
    runs = read_runs(path)
    rows = summarise(runs)
    if not rows:
        return "There are no runs of the plain network yet."
    text = table(rows, runs)
    (folder / "table.rst").write_text(text)
    draw(rows, runs, folder / "layers.png")
    return text
