"""Running: one JSON line a run, none of them twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import probe_score
from benchmarks.evidence.folds import Clips
from benchmarks.evidence.runs import append_run, read_runs
from benchmarks.paper.forms import fit_unrelated, runs_of, train
from benchmarks.paper.pairs import PAIRS, Corpora, make_fold
from benchmarks.paper.settings import Settings

_N_PROBE_FOLDS = 5


def _key(run: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(run[name] for name in ("pair", "fold", "form", "place", "seed"))


def read_nuisance(net: AntiTransferClassifier, clips: Clips) -> float:
    """Return how well the nuisance is read from the last layer; NaN where too few have a label."""
    _, codes, counts = np.unique(clips.nuisance, return_inverse=True, return_counts=True)
    enough = counts >= _N_PROBE_FOLDS
    if np.count_nonzero(enough) < 2:
        return float("nan")
    kept = enough[codes]
    return float(probe_score(net, clips.X[kept], clips.nuisance[kept], cv=_N_PROBE_FOLDS))


def run_fold(
    path: Path, pair: str, index: int, corpora: Corpora, settings: Settings, forms: Sequence[str]
) -> None:
    """Make the runs of a fold that are not in the file yet.

    Parameters
    ----------
    path : Path
        The file with the runs, one JSON line each.
    pair : str
        Which tasks.
    index : int
        Which fold.
    corpora : dict of str to callable
        What reads the sets.
    settings : Settings
        Features and sizes.
    forms : sequence of str
        What is trained.
    """
    torch.set_num_threads(1)
    done = {_key(run) for run in read_runs(path)}
    todo = [(pair, index, *run) for run in runs_of(list(forms))]
    todo = [key for key in todo if key not in done]
    if not todo:
        return
    fold = make_fold(PAIRS[pair], corpora, index, settings)
    unrelated = fit_unrelated(fold, index)
    learnt = unrelated.score(fold.unrelated.X, fold.unrelated.nuisance)
    for _, _, name, place, seed in todo:
        start = time.process_time()
        net = train(fold, unrelated, name, place, seed)
        seconds = time.process_time() - start
        append_run(
            path,
            {
                "pair": pair,
                "fold": index,
                "form": name,
                "place": place,
                "seed": seed,
                "accuracy": float(np.mean(net.predict(fold.test.X) == fold.test.target)),
                "train": float(np.mean(net.predict(fold.train.X) == fold.train.target)),
                "probe": read_nuisance(net, fold.probe),
                "unrelated_train": float(learnt),
                "n_train": len(fold.train.X),
                "n_test": len(fold.test.X),
                "seconds": round(seconds, 2),
            },
        )
        print(
            f"{pair} fold {index}: {name} {'' if place is None else place} seed {seed}", flush=True
        )
