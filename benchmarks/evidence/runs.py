"""Running: one JSON line a run, none of them twice."""

from __future__ import annotations

import json
import os
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.evidence.folds import Clips, Fold
from benchmarks.evidence.method import Fitted, fit_unrelated
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.protocols import ON_TRAINING_SAMPLES, PROTOCOLS

SELECTIONS = ("valid", "valid_like_test")


class FailedRuns(Exception):
    """What did not run, raised when all else has.

    Parameters
    ----------
    failures : sequence of str
        Which run each was, and its error.
    """

    def __init__(self, failures: Sequence[str]) -> None:
        super().__init__("\n".join([f"{len(failures)} failed:", *failures]))


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return the runs in a file; a line that an interruption cut short is left out."""
    if not path.exists():
        return []
    runs = []
    for line in path.read_text().splitlines():
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return runs


def append_run(path: Path, run: dict[str, Any]) -> None:
    """Append a run to a file."""
    # One write of one short line in append mode: processes do not tear each other's lines.
    line = json.dumps(run) + "\n"
    if path.exists() and path.stat().st_size and path.read_bytes()[-1:] != b"\n":
        line = "\n" + line
    with open(path, "a") as file:
        file.write(line)


def _accuracy(model: Fitted, part: Clips) -> float:
    return float(np.average(model.predict(part.X) == part.target, weights=part.weight))


def gaps(predicted: np.ndarray, part: Clips) -> dict[str, float]:
    """Return by how much the rates of predicting a binary target differ between groups.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
        Predictions, 0 or 1.
    part : Clips
        With the target, 0 or 1, and the nuisance, which tells the groups apart.

    Returns
    -------
    gaps : dict
        ``selection_gap``, of the shares of samples for which 1 is predicted (demographic
        parity), and ``tpr_gap``, of these shares where the target is 1 (equal opportunity). Of
        more than two groups, the largest difference.
    """
    # Not at the top: protocols of more classes do without it.
    from fairlearn.metrics import demographic_parity_difference, true_positive_rate_difference

    labels = (part.target, predicted)
    return {
        "selection_gap": float(
            demographic_parity_difference(*labels, sensitive_features=part.nuisance)
        ),
        "tpr_gap": float(true_positive_rate_difference(*labels, sensitive_features=part.nuisance)),
    }


def measure(model: Fitted, fold: Fold) -> dict[str, Any]:
    """Return what is reported of a fitted model, and what it is selected by."""
    predicted = model.predict(fold.test.X)
    right = predicted == fold.test.target
    groups = [right[fold.test.nuisance == g].mean() for g in np.unique(fold.test.nuisance)]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        read = cross_val_score(probe, model.features(fold.probe.X), fold.probe.nuisance, cv=5)
    return {
        "accuracy": float(right.mean()),
        "worst_group": float(min(groups)),
        "probe": float(read.mean()),
        **(gaps(predicted, fold.test) if set(fold.test.target) == {0, 1} else {}),
        **{name: _accuracy(model, getattr(fold, name)) for name in SELECTIONS},
        **model.extra,
    }


class FoldRuns:
    """All runs of one fold of one protocol.

    Parameters
    ----------
    protocol : str
        Its name.
    index : int
        Of the fold.
    path : Path
        The file with the runs.
    """

    def __init__(self, protocol: str, index: int, path: Path) -> None:
        self.protocol = protocol
        self.index = index
        self.path = path
        self._fold: Fold | None = None
        self._unrelated: Any = None
        self._current = ""
        self._done = {
            (run["method"], run["seed"], run["value"]): run
            for run in read_runs(path)
            if (run["protocol"], run["fold"]) == (protocol, index)
        }

    @property
    def current(self) -> str:
        """The fold, and the method, seed and value of the run that was last begun."""
        return f"{self.protocol} fold {self.index}{self._current}"

    def _prepare(self) -> Fold:
        if self._fold is None:
            fold = PROTOCOLS[self.protocol][0](self.index)
            if fold.reads_training_nuisance != (self.protocol in ON_TRAINING_SAMPLES):
                raise ValueError(
                    f"ON_TRAINING_SAMPLES must name {self.protocol!r} exactly if its unrelated "
                    "network is fitted on the training samples: the tables say what methods need."
                )
            self._fold = fold
        return self._fold

    @property
    def is_prepared(self) -> bool:
        """Whether there are the data."""
        return self._fold is not None

    def _unrelated_network(self) -> Any:
        if self._unrelated is None:
            self._unrelated = fit_unrelated(self._prepare(), self.index)
        return self._unrelated

    def run(self, name: str, seed: int, value: Any) -> dict[str, Any]:
        """Return one run, from the file if it is there."""
        key = (name, seed, value)
        if key not in self._done:
            self._current = f", {name} seed {seed} value {value}"
            fold, unrelated = self._prepare(), self._unrelated_network()
            start = time.perf_counter()
            model = METHODS[name].build(fold, unrelated, seed, value)
            seconds = time.perf_counter() - start
            run = {
                "protocol": self.protocol,
                "fold": self.index,
                "method": name,
                "seed": seed,
                "value": value,
                **measure(model, fold),
                "seconds": round(seconds, 2),
            }
            append_run(self.path, run)
            self._done[key] = run
        return self._done[key]

    def run_method(self, name: str, n_seeds: int, *, tune: bool = True) -> None:
        """Tune with the first seed; run what was selected, and the untuned, with all seeds."""
        self._current = f", {name}"
        if not METHODS[name].applies_to(self._prepare()):
            return
        missing = METHODS[name].missing_package()
        if missing is not None:
            print(f"{name} is left out: it needs {missing}, which is not installed.", flush=True)
            return
        values = METHODS[name].values if tune else METHODS[name].values[:1]
        first = [self.run(name, 0, value) for value in values]
        chosen = {METHODS[name].values[0]}
        chosen |= {select(first, selection)["value"] for selection in SELECTIONS}
        for value in METHODS[name].values:
            if value in chosen:
                for seed in range(1, n_seeds):
                    self.run(name, seed, value)


def select(runs: Sequence[dict[str, Any]], selection: str) -> dict[str, Any]:
    """Return the run with the best validation score; of equals the first."""
    return max(runs, key=lambda run: run[selection])


def _run_fold(
    protocol: str, index: int, methods: Sequence[str], n_seeds: int, tune: bool, path: Path
) -> list[str]:
    """Make the runs of a fold; return which of them failed, and how."""
    torch.set_num_threads(1)
    runs = FoldRuns(protocol, index, path)
    failures = []
    for name in methods:
        try:
            runs.run_method(name, n_seeds, tune=tune)
        except Exception as error:  # whatever it is, other methods go on
            traceback.print_exc()
            failures.append(f"{runs.current}: {type(error).__name__}: {error}")
            if not runs.is_prepared:  # no method runs without the data
                break
        else:
            print(f"{protocol} fold {index}: {name}", flush=True)
    return failures


def n_processes(n_jobs: int | None) -> int:
    """Return how many processes run at once: `n_jobs`, all cores for None, one on a GPU."""
    if torch.cuda.is_available():
        return 1
    return n_jobs or os.cpu_count() or 1


def tasks(protocols: Sequence[str], folds: Sequence[int] | None) -> Iterator[tuple[str, int]]:
    """Yield the folds of the protocols."""
    for protocol in protocols:
        for index in range(PROTOCOLS[protocol][1]) if folds is None else folds:
            yield protocol, index


def run_all(
    path: Path,
    protocols: Sequence[str],
    methods: Sequence[str],
    *,
    folds: Sequence[int] | None = None,
    n_seeds: int = 3,
    n_jobs: int | None = None,
    tune: bool = True,
) -> None:
    """Make all runs that are not in the file yet, in parallel.

    Parameters
    ----------
    path : Path
        The file with the runs, one JSON line each.
    protocols, methods : sequence of str
        Names.
    folds : sequence of int or None, default=None
        None for all of each protocol.
    n_seeds : int, default=3
        Initialisations and orders of batches.
    n_jobs : int or None, default=None
        Processes; None for as many as there are cores. On a GPU there is one.
    tune : bool, default=True
        Whether all values of a method are tried; otherwise the first alone is run.

    Raises
    ------
    FailedRuns
        After all other runs, if some failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = joblib.Parallel(n_jobs=n_processes(n_jobs), batch_size=1)(
        joblib.delayed(_run_fold)(protocol, index, methods, n_seeds, tune, path)
        for protocol, index in tasks(protocols, folds)
    )
    failures = [failure for of_fold in found for failure in of_fold]
    if failures:
        raise FailedRuns(failures)
