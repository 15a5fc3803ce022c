"""The tables of the report, as reStructuredText."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.evidence.method import TRAINING_LABELS, UNRELATED
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.methods_ours import OURS
from benchmarks.evidence.protocols import ON_TRAINING_SAMPLES, PROTOCOLS, TITLES
from benchmarks.evidence.rows import ZERO, Row, by_name
from benchmarks.evidence.runs import SELECTIONS

# What the tables of all protocols compare: titles, methods and rules of selection.
Columns = dict[str, tuple[str, str]]
OVERVIEW: Columns = {
    "default, unlabeled data": ("default", "untuned"),
    "default, training data alone": ("default-train", "untuned"),
    "gradient reversal with labels": ("reversal-labels", "untuned"),
}
WEIGHTS: Columns = {
    "default": ("default", "untuned"),
    "weight 1, every step": ("cross", "untuned"),
    "chosen on the training condition": ("cross", "valid"),
    "chosen on the test's condition": ("cross", "valid_like_test"),
}

# Which protocols are columns of a table of accuracies, by its name and their titles.
ACCURACIES = {
    "confounded": {
        **{f"digits, {share} %": f"fsdd-{share}" for share in (80, 90, 96, 100)},
        "digits, same clips": "fsdd-96-same-clips",
        "notes": "notes-96",
        "backgrounds": "digits-background",
        "rotation": "digits-rotation",
    },
    "unconfounded": {
        **{f"{n} clips": f"fsdd-{n}" for n in (60, 120, 300)},
        **{f"noise, {snr} dB": f"fsdd-120-snr{snr}" for snr in (20, 10, 0)},
        "new speaker": "fsdd-new-speaker",
        "unseen octave": "notes-unseen-octave",
        "table": "table",
    },
    "images": {
        **{f"coloured, {share} %": f"coloured-mnist-{share}" for share in ("0.5", "1", "2", "5")},
        **{f"Biased, .{rho}": f"biased-mnist-{rho}" for rho in (999, 997, 995, 990)},
    },
    "words": {
        "words, 90 %": "arabic-90",
        "words, 96 %": "arabic-96",
        "speakers, 96 %": "arabic-reversed",
        "new speakers": "arabic-new-speaker",
    },
}
_RIVALS = (
    ZERO, "default", "default-train", "last-layer-refit", "reversal-labels", "reversal-train",
    "group-weights", "group-dro", "just-train-twice", "learning-from-failure", "rebias-frozen",
    "erasure", "deep-coral", "from-unrelated",
)  # fmt: skip


def list_table(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, the first row its head."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for entries in cells:
        lines.append(f"   * - {entries[0]}")
        lines += [f"     - {entry}".rstrip() for entry in entries[1:]]
    return [*lines, ""]


def points_text(gain: float) -> str:
    """Return a gain in points, with its sign."""
    return f"{round(gain, 1) + 0.0:+.1f}"  # no "-0.0"


def gain_text(row: Row | None) -> str:
    """Return the gain of a row with its interval, if there are both."""
    if row is None:
        return ""
    if not np.isfinite(row.low):
        return points_text(row.gain)
    low, high = (round(bound, 1) + 0.0 for bound in (row.low, row.high))  # no "-0.0"
    return f"{points_text(row.gain)} [{low:.1f}, {high:.1f}]"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def overview(rows: Sequence[Row], columns: Columns) -> str:
    """Return a table of all protocols: the plain network, and gains over it.

    Parameters
    ----------
    rows : sequence of Row
        Those to show.
    columns : dict of str to tuple of str
        Methods and rules of selection by the titles of their columns.

    Returns
    -------
    table : str
        In reStructuredText.
    """
    found = by_name(rows)
    cells = [["protocol", "plain network", *columns]]
    for protocol in PROTOCOLS:
        plain = found.get((protocol, ZERO, "untuned"))
        gains = [gain_text(found.get((protocol, *column))) for column in columns.values()]
        if plain is not None and any(gains):
            cells.append([TITLES[protocol], f"{plain.accuracy:.3f}", *gains])
    return "\n".join(list_table(cells))


def needs(name: str, *protocols: str) -> str:
    """Return what a method must be given on protocols.

    Parameters
    ----------
    name : str
        Of the method.
    *protocols : str
        Where the unrelated network learns the nuisance of the training samples themselves, it is
        these labels that are needed.

    Returns
    -------
    needs : str
        What is needed where; with "or" between them, where protocols differ.
    """
    general = METHODS[name].needs
    each = [
        general.replace(UNRELATED, TRAINING_LABELS) if of in ON_TRAINING_SAMPLES else general
        for of in protocols
    ]
    return " or ".join(dict.fromkeys(each))


def short(share: float, n_digits: int = 3) -> str:
    """Return a share without the zero before its point."""
    return f"{share:.{n_digits}f}".removeprefix("0")


def accuracies(rows: Sequence[Row], columns: dict[str, str]) -> str:
    """Return a table of the default beside its rivals: their accuracies, untuned.

    Parameters
    ----------
    rows : sequence of Row
        Those to show.
    columns : dict of str to str
        Protocols by the titles of their columns.

    Returns
    -------
    table : str
        In reStructuredText: a row for each method that ran on one of them at least.
    """
    found = by_name(rows)
    cells = [["method", "needs", *columns]]
    for name in _RIVALS:
        of_method = [found.get((protocol, name, "untuned")) for protocol in columns.values()]
        if any(of_method):
            shown = ["" if row is None else short(row.accuracy) for row in of_method]
            ran = [of for of, row in zip(columns.values(), of_method, strict=True) if row]
            cells.append([METHODS[name].title, needs(name, *ran), *shown])
    return "\n".join(list_table(cells))


# Not forms that the default could choose: other networks, other samples, more than one task, a
# target in place of a weight.
_OTHERS = (
    "random", "speaker-groups", "cross-several", "cross-wide", "decision", "decision-train",
)  # fmt: skip


def _is_form(name: str, needs: str) -> bool:
    return name in OURS and METHODS[name].needs == needs and not (
        name in _OTHERS or "augmented" in name or "every-epoch" in name
    )  # fmt: skip


def choice(rows: Sequence[Row]) -> str:
    """Return a table of what the default chooses beside the best form that it could choose.

    Parameters
    ----------
    rows : sequence of Row
        Those to show. Forms are compared by the first value of each, untuned.

    Returns
    -------
    table : str
        In reStructuredText. The best form is found on the test's samples, so that its gain is a
        little better than that of any rule.
    """
    found = by_name(rows)
    cells = [["protocol", "further data", "default", "best of the other forms", "its gain"]]
    for protocol in PROTOCOLS:
        for default, further in (("default", "unlabeled"), ("default-train", "none")):
            ours = found.get((protocol, default, "untuned"))
            others = [
                row
                for (of, name, rule), row in found.items()
                if (of, rule) == (protocol, "untuned")
                and name != default
                and _is_form(name, METHODS[default].needs)
            ]
            if ours is None or not others:
                continue
            best = max(others, key=lambda row: row.gain)
            title = METHODS[best.method].title
            cells.append([TITLES[protocol], further, gain_text(ours), title, gain_text(best)])
    return "\n".join(list_table(cells))


def by_value(runs: Sequence[dict[str, Any]], name: str) -> str:
    """Return a table of a method's accuracy by the value that it is given.

    Parameters
    ----------
    runs : sequence of dict
        As :func:`~benchmarks.evidence.runs.read_runs` returns them.
    name : str
        Of the method.

    Returns
    -------
    table : str
        In reStructuredText: a row for each protocol, means of the folds (first seed) on which
        each of the values ran, in brackets their number.
    """
    values = sorted(METHODS[name].values)
    found: dict[str, dict[int, dict[float, float]]] = {}
    for run in runs:
        if (run["method"], run["seed"]) == (name, 0):
            folds = found.setdefault(run["protocol"], {})
            folds.setdefault(run["fold"], {})[run["value"]] = run["accuracy"]
    cells = [["protocol", *(f"{value:g}" for value in values)]]
    for protocol in PROTOCOLS:
        folds = found.get(protocol, {})
        whole = [of for of in folds.values() if set(values) <= set(of)]
        if whole:
            means = [short(float(np.mean([of[value] for of in whole]))) for value in values]
            cells.append([f"{TITLES[protocol]} ({len(whole)})", *means])
    return "\n".join(list_table(cells))


def substitutions(rows: Sequence[Row]) -> str:
    """Return what the text of the page refers to: each figure of the untuned methods, by name.

    Parameters
    ----------
    rows : sequence of Row
        Those to name.

    Returns
    -------
    definitions : str
        Of substitutions of reStructuredText, such as ``|gain: default, fsdd-96|``: gains in
        points with their intervals and without (``points``), accuracies, what probes read, and
        gaps between groups.
    """
    lines = []
    for row in rows:
        if row.rule != "untuned":
            continue
        figures = {
            "gain": gain_text(row),
            "points": points_text(row.gain),
            "accuracy": short(row.accuracy),
            "probe": short(row.probe, 2),
        }
        if row.selection_gap is not None:
            figures["selection gap"] = short(row.selection_gap)
        if row.tpr_gap is not None:
            figures["tpr gap"] = short(row.tpr_gap)
        lines += [
            f".. |{what}: {row.method}, {row.protocol}| replace:: {figure}"
            for what, figure in figures.items()
            if row.method != ZERO or what not in ("gain", "points")
        ]
    return "\n".join(lines) + "\n"


def tables(rows: Sequence[Row]) -> str:
    """Return a table and a figure for each protocol.

    Parameters
    ----------
    rows : sequence of Row
        Those to show.

    Returns
    -------
    tables : str
        In reStructuredText.
    """
    found = by_name(rows)
    lines = []
    for protocol in PROTOCOLS:
        methods = [name for name in METHODS if (protocol, name, "untuned") in found]
        if not methods:
            continue
        title = TITLES[protocol]
        lines += [title, "~" * len(title), ""]
        header = [
            "method", "needs", "folds, runs", "accuracy", "worst group", "probe",
            "gain, untuned", "won, lost", "gain, tuned on the training condition",
            "gain, tuned on the test's condition",
        ]  # fmt: skip
        has_gaps = found[protocol, methods[0], "untuned"].selection_gap is not None
        if has_gaps:
            header[6:6] = ["gap of selection rates", "gap of true positive rates"]
        cells = [header]
        for name in methods:
            row = found[protocol, name, "untuned"]
            tuned = [found.get((protocol, name, rule)) for rule in SELECTIONS]
            is_plain = name == ZERO
            cells.append(
                [
                    METHODS[name].title,
                    needs(name, protocol),
                    f"{row.n_folds}, {row.n_runs}",
                    f"{row.accuracy:.3f}",
                    f"{row.worst_group:.3f}",
                    f"{row.probe:.3f}",
                    *(_share(gap) for gap in (row.selection_gap, row.tpr_gap) if has_gaps),
                    "" if is_plain else gain_text(row),
                    "" if is_plain else f"{row.wins}, {row.losses}",
                    *(
                        "" if is_plain or len(METHODS[name].values) == 1 else gain_text(r)
                        for r in tuned
                    ),
                ]
            )
        lines += list_table(cells)
        lines += [f".. image:: {protocol}.png", f"   :alt: {title}: gains of the methods", ""]
        if has_gaps:
            image = f".. image:: {protocol}-trade-off.png"
            lines += [image, f"   :alt: {title}: accuracy against the gaps", ""]
    return "\n".join(lines)
