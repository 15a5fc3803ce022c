"""Tables of the forms that anti-transfer can take: those of the rule, and others of weight 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.evidence.method import UNLABELED, UNRELATED, WEIGHTS
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.methods_ours import OURS
from benchmarks.evidence.protocols import TITLES
from benchmarks.evidence.rows import ZERO, Row
from benchmarks.evidence.tables import gain_text, list_table, points_text, short

# What the default chooses among: methods and values by the titles of their columns.
FORMS: dict[str, tuple[str, Any]] = {
    "product": ("product", 1.0),
    "product, penalty 0.3": ("product-cross-train", 0.3),
    "product, penalty 1": ("product-cross-train", 1.0),
    "unlabeled, penalty 0.3": ("cross-fourth", 0.3),
    "unlabeled, penalty 1": ("cross-fourth", 1.0),
    "unlabeled, penalty 3 to the posterior": ("cross-posterior-fourth", 3.0),
    "unlabeled, product and penalty 1": ("product-cross", 1.0),
}
PROTOCOLS_OF_RULE = (
    "fsdd-96", "notes-96", "digits-background", "digits-rotation", "fsdd-60", "fsdd-120-snr10",
    "fsdd-120-snr0", "table",
)  # fmt: skip
_METRICS = ("cross", "cka", "ridge", "adversarial")


def forms(runs: Sequence[dict[str, Any]], shares: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table of the gains of all forms that the default chooses among.

    Parameters
    ----------
    runs : sequence of dict
        As :func:`~benchmarks.evidence.runs.read_runs` returns them.
    shares : mapping
        As :func:`~benchmarks.evidence.shares.read_shares` returns them.

    Returns
    -------
    table : str
        In reStructuredText: gains over the plain network, means of the folds (first seed) on which
        a form ran, in brackets their number. Blank is what did not run or was not measured.
    """
    found = {
        (run["protocol"], run["method"], run["value"], run["fold"]): run["accuracy"]
        for run in runs
        if run["seed"] == 0
    }
    folds = {protocol: set[int]() for protocol in PROTOCOLS_OF_RULE}
    for protocol, _, _, fold in found:
        if protocol in folds:
            folds[protocol].add(fold)
    plain = (ZERO, METHODS[ZERO].values[0])
    cells = [["data", "share, against", *FORMS]]
    for protocol in PROTOCOLS_OF_RULE:
        gains = []
        for form in FORMS.values():
            of_form = [
                100 * (found[protocol, *form, fold] - found[protocol, *plain, fold])
                for fold in folds[protocol]
                if (protocol, *form, fold) in found and (protocol, *plain, fold) in found
            ]
            mean = float(np.mean(of_form)) if of_form else None
            gains.append("" if mean is None else f"{points_text(mean)} ({len(of_form)})")
        if any(gains):
            seen = shares.get(protocol)
            both = "" if seen is None else f"{seen['share']:.2f}, {seen['against']:.0f}"
            cells.append([TITLES[protocol], both, *gains])
    return "\n".join(list_table(cells))


def _is_compared(name: str) -> bool:
    method = METHODS[name]
    # Every fourth step: of the table above.
    return (
        name in OURS
        and name.split("-")[0] in _METRICS
        and method.values == WEIGHTS
        and UNRELATED in method.needs
        and not name.endswith("-fourth")
    )


def comparisons(rows: Sequence[Row], protocol: str = "fsdd-96") -> str:
    """Return a table of forms with weight 1 in every step, the best first.

    Parameters
    ----------
    rows : sequence of Row
        Those to show.
    protocol : str, default="fsdd-96"
        On which they are compared.

    Returns
    -------
    table : str
        In reStructuredText, with gains over the plain network and what a probe reads.
    """
    shown = [
        row
        for row in rows
        if (row.protocol, row.rule) == (protocol, "untuned") and _is_compared(row.method)
    ]
    cells = [["comparison", "gain", "probe"]]
    for row in sorted(shown, key=lambda row: -row.gain):
        title = METHODS[row.method].title
        if UNLABELED in METHODS[row.method].needs:
            title = title.replace(", unlabeled", "", 1)  # as most of them
        cells.append([title, gain_text(row), short(row.probe, 2)])
    return "\n".join(list_table(cells))
