"""Scores by group that fairlearn has computed, as measures of a report."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._labels import group_names
from atl_sklearn.inspection._measure import Measure

# What metrics are called in a frame, by what a report calls them.
_NAMES = {
    "accuracy": "score",
    "accuracy_score": "score",
    "r2": "score",
    "r2_score": "score",
    "selection_rate": "selection_rate",
    "true_positive_rate": "true_positive_rate",
    "false_positive_rate": "false_positive_rate",
}
_CONFUSION = ("confusion", "confusion_matrix")
_OWNER = "invariance_report"


def is_metric_frame(value: object) -> bool:
    """Tell whether something is a MetricFrame of fairlearn's, without importing fairlearn."""
    module = sys.modules.get("fairlearn.metrics")
    return module is not None and isinstance(value, module.MetricFrame)


def split_frames(estimators: object) -> tuple[object, dict[str, FrameScores]]:
    """Return the other estimators, or None if there are none, and the frames by name."""
    if is_metric_frame(estimators):
        return None, {"MetricFrame": FrameScores("MetricFrame", estimators)}
    if not isinstance(estimators, Mapping):
        return estimators, {}
    frames = {n: FrameScores(str(n), f) for n, f in estimators.items() if is_metric_frame(f)}
    rest = {name: e for name, e in estimators.items() if name not in frames}
    return (rest if rest or not frames else None), {
        str(name): frame for name, frame in frames.items()
    }


class FrameScores:
    """The scores of a MetricFrame [1]_, by the names of a report.

    Parameters
    ----------
    name : str
        What the report calls the frame.
    frame : fairlearn.metrics.MetricFrame
        Of predictions that somebody has made.

    Attributes
    ----------
    groups : tuple of str
        The frame's groups in order.
    score_name : str
        What the score is: ``"accuracy"`` or ``"r2"``.

    Raises
    ------
    ValueError
        If the frame has several features of groups, or no score.

    References
    ----------
    .. [1] H. Weerts et al., "Fairlearn: assessing and improving fairness of AI systems", Journal
       of Machine Learning Research 24, 2023.
    """

    def __init__(self, name: str, frame: Any) -> None:
        self.name = name
        self._frame = frame
        if len(frame.sensitive_levels) > 1 or frame.control_levels:
            levels = [*frame.sensitive_levels, *(frame.control_levels or [])]
            raise refuse_value(
                _OWNER, "estimators", "MetricFrames of one sensitive feature and no others",
                f"one of {levels} for {name!r}", "Make a frame of each feature.",
            )  # fmt: skip
        # Of a single metric, a frame has a Series and a number in place of tables.
        table = frame.by_group
        self._single = getattr(table, "columns", None) is None
        metrics = [table.name] if self._single else list(table.columns)
        scores = [m for m in metrics if _NAMES.get(m) == "score"]
        if len(scores) != 1:
            known = [m for m, part in _NAMES.items() if part == "score"]
            raise refuse_value(
                _OWNER, "estimators", f"MetricFrames with exactly one metric of {known}",
                f"the metrics {metrics} for {name!r}",
                'Such as MetricFrame(metrics={"accuracy": accuracy_score, ...}, ...).',
            )  # fmt: skip
        self.score_name = "r2" if scores[0].startswith("r2") else "accuracy"
        self.groups = group_names(table.index.tolist())
        self._metrics = metrics

    def _values(self, metric: str, of: str, at: int | None = None) -> Any:
        """Return the values of a metric: of all samples, or by group; or an end of intervals."""
        found = getattr(self._frame, of) if at is None else getattr(self._frame, f"{of}_ci")[at]
        return found if self._single else found[metric]

    def _ends(self, confidence: float) -> tuple[int, int] | None:
        """Return where the ends of intervals are among the frame's quantiles; None without them."""
        quantiles = self._frame.ci_quantiles or []
        wanted = (1 - confidence) / 2, (1 + confidence) / 2
        places = [[k for k, q in enumerate(quantiles) if abs(q - w) < 1e-9] for w in wanted]
        return (places[0][0], places[1][0]) if all(places) else None

    def measures(self, groups: Sequence[str], confidence: float) -> tuple[list[Measure], list[str]]:
        """Return the scores of the frame, and what it leaves out.

        Parameters
        ----------
        groups : sequence of str
            Those of the report.
        confidence : float
            Coverage of intervals, which the frame has if it was made with these quantiles.

        Returns
        -------
        measures : list of Measure
            Of all samples, by group, of the worst group and of gaps.
        left_out : list of str
            What could not be told, and why.

        Raises
        ------
        ValueError
            If the frame has other groups.
        """
        if set(groups) != set(self.groups):
            raise refuse_value(
                _OWNER, "estimators", f"MetricFrames of the groups of y_unrelated, {list(groups)}",
                f"the groups {list(self.groups)} of {self.name!r}",
                "Pass the labels that were its sensitive_features as y_unrelated.",
            )  # fmt: skip
        ends = self._ends(confidence)
        left_out = [f"probes of {self.name}: a MetricFrame has no network in it"]
        if ends is None:
            wanted = [round((1 - confidence) / 2, 6), round((1 + confidence) / 2, 6)]
            left_out.append(
                f"intervals of {self.name}: its MetricFrame was not made with n_boot and "
                f"ci_quantiles={wanted}"
            )
        found: list[Measure] = []
        for metric in self._metrics:
            if metric in _NAMES:
                found += self._of(metric, groups, ends)
            elif metric not in _CONFUSION:
                left_out.append(f"{metric} of {self.name}: the report has no such part")
        return [*found, *self._gaps(groups)], left_out

    def _of(
        self, metric: str, groups: Sequence[str], ends: tuple[int, int] | None
    ) -> list[Measure]:
        part = _NAMES[metric]

        def bounds(of: str, group: str | None = None) -> tuple[float, float, float]:
            tables = [self._values(metric, of)]
            tables += [self._values(metric, of, at) for at in ends] if ends else []
            numbers = [float(t if group is None else self._at(t, group)) for t in tables]
            low, high = numbers[1:] or (float("nan"), float("nan"))
            return numbers[0], low, high

        by_group = [Measure(self.name, part, g, "", *bounds("by_group", g)) for g in groups]
        if part != "score":
            return by_group
        worst = min(by_group, key=lambda m: m.value)
        return [
            Measure(self.name, part, "", "", *bounds("overall")),
            *by_group,
            Measure(
                self.name, "worst_group_score", worst.place, "", worst.value, worst.low, worst.high
            ),
        ]

    def _at(self, table: Any, group: str) -> Any:
        return table.iloc[self.groups.index(group)]

    def _gaps(self, groups: Sequence[str]) -> list[Measure]:
        """Return the distances between the best and the worst group, by fairlearn's names."""
        spans = {}
        for metric in self._metrics:
            if metric in _NAMES:
                values = np.asarray(self._values(metric, "by_group"), dtype=float)
                spans[_NAMES[metric]] = float(np.nanmax(values) - np.nanmin(values))
        found = {"group_gap": spans["score"]}
        if "selection_rate" in spans:
            found["demographic_parity_difference"] = spans["selection_rate"]
        rates = ("true_positive_rate", "false_positive_rate")
        if all(rate in spans for rate in rates):
            found["equalized_odds_difference"] = max(spans[rate] for rate in rates)
        return [Measure(self.name, part, "", "", value) for part, value in found.items()]

    def confusion(self, groups: Sequence[str], n_classes: int) -> np.ndarray | None:
        """Return the confusions by group; None where the frame has none of all classes."""
        for metric in _CONFUSION:
            if metric in self._metrics:
                table = self._values(metric, "by_group")
                tables = [np.asarray(self._at(table, group)) for group in groups]
                if all(found.shape == (n_classes, n_classes) for found in tables):
                    return np.stack(tables)
        return None
