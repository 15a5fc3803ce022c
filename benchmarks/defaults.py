"""Compare the estimators as their constructors make them with scikit-learn's on raw data.

Every estimator of this package gets raw columns; scikit-learn's linear models and networks get
``StandardScaler``. Five seeds each, which split the data and seed the estimator; the spread over
seeds alone is measured on the first split. Run it as ``python -m benchmarks.defaults``; Adult and
the spoken digits need the environment variable ``ATL_SKLEARN_DATA``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.audio import LibrosaFeatures, Standardizer
from atl_sklearn.datasets import fetch_adult, fetch_fsdd

_DATA = "ATL_SKLEARN_DATA"
N_SEEDS = 5


def load_adult() -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of Adult, categories one-hot, and whether the income is high."""
    import pandas as pd

    table, income = fetch_adult(return_X_y=True)
    return pd.get_dummies(table.fillna("?")).to_numpy(np.float32), income


def load_speech() -> tuple[np.ndarray, np.ndarray]:
    """Return log-mel spectrograms of every fifth spoken digit, and the digits."""
    fsdd = fetch_fsdd(subset="train")
    chosen = slice(None, None, 5)
    features = LibrosaFeatures(
        n_mels=40, sr=8000, duration=0.57, n_fft=256, win_length=200, hop_length=96
    )
    return np.asarray(features.fit_transform(fsdd.paths[chosen])), fsdd.digit[chosen]


def _flat(X: np.ndarray) -> np.ndarray:
    return X.reshape(len(X), -1)


def _scaled(estimator: Any) -> Any:
    return make_pipeline(FunctionTransformer(_flat), StandardScaler(), estimator)


CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "AntiTransferClassifier": lambda seed: AntiTransferClassifier(random_state=seed),
    "MLPClassifier, scaled": lambda seed: _scaled(MLPClassifier(random_state=seed)),
    "HistGradientBoosting": lambda seed: make_pipeline(
        FunctionTransformer(_flat), HistGradientBoostingClassifier(random_state=seed)
    ),
    "linear model, scaled": lambda seed: _scaled(LogisticRegression(max_iter=1000)),
}
REGRESSORS: dict[str, Callable[[int], Any]] = {
    "AntiTransferRegressor": lambda seed: AntiTransferRegressor(random_state=seed),
    "MLPRegressor, scaled": lambda seed: _scaled(MLPRegressor(random_state=seed)),
    "MLPRegressor, scaled, 2,000 epochs": lambda seed: _scaled(
        MLPRegressor(random_state=seed, max_iter=2000)
    ),
    "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "linear model, scaled": lambda seed: _scaled(RidgeCV(np.logspace(-3, 3, 13))),
}
STANDARDIZED = {
    "AntiTransferClassifier, Standardizer": lambda seed: make_pipeline(
        Standardizer(), AntiTransferClassifier(random_state=seed)
    ),
}
# Loader, estimators, and how many samples are trained on (None for three quarters).
DATA: dict[str, tuple[Any, dict[str, Any], int | None]] = {
    "wine": (lambda: load_wine(return_X_y=True), CLASSIFIERS, None),
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), CLASSIFIERS, None),
    "digits": (lambda: load_digits(return_X_y=True), CLASSIFIERS, None),
    "diabetes": (lambda: load_diabetes(return_X_y=True), REGRESSORS, None),
    "Adult": (load_adult, CLASSIFIERS, 8000),
    "spoken digits": (load_speech, {**CLASSIFIERS, **STANDARDIZED}, 300),
}
_NEEDS_DATA = ("Adult", "spoken digits")


def _score(make: Callable[[int], Any], X: Any, y: Any, split: int, seed: int, size: Any) -> float:
    classes = np.issubdtype(np.asarray(y).dtype, np.integer)
    train, test, of_train, of_test = train_test_split(
        X, y, train_size=size or 0.75, random_state=split, stratify=y if classes else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLPRegressor does not converge, which the score shows
        return float(make(seed).fit(train, of_train).score(test, of_test))


def measure(name: str) -> dict[str, dict[str, Any]]:
    """Return the scores of all estimators on one data set.

    Parameters
    ----------
    name : str
        A key of ``DATA``.

    Returns
    -------
    scores : dict
        From estimator to ``splits`` (one score for each split), ``seeds`` (for each seed on the
        first split, where the estimator is a network) and ``seconds``.
    """
    load, estimators, size = DATA[name]
    X, y = load()
    found: dict[str, dict[str, Any]] = {}
    for title, make in estimators.items():
        start = time.perf_counter()
        splits = [_score(make, X, y, seed, seed, size) for seed in range(N_SEEDS)]
        seconds = (time.perf_counter() - start) / N_SEEDS
        of_network = title.startswith(("AntiTransfer", "MLP"))
        seeds = [splits[0], *(_score(make, X, y, 0, seed, size) for seed in range(1, N_SEEDS))]
        found[title] = {
            "splits": splits,
            "seeds": seeds if of_network else [],
            "seconds": round(seconds, 2),
        }
        spread = f"{np.std(seeds):.4f}" if of_network else "-"
        print(
            f"{name:14} {title:38} {np.mean(splits):.4f} +- {np.std(splits):.4f}  over seeds "
            f"{spread}  {seconds:.1f} s",
            flush=True,
        )
    return found


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=list(DATA), choices=list(DATA))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/defaults.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"load {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    found = {}
    if arguments.output.exists():
        found = json.loads(arguments.output.read_text())
    for name in arguments.data:
        if name in _NEEDS_DATA and _DATA not in os.environ:
            print(f"{name}: skipped, {_DATA} is not set")
            continue
        found[name] = measure(name)
        arguments.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
