"""Checks of the arguments of reports and displays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples

from atl_sklearn._seeds import LARGEST_SEED
from atl_sklearn._validation import is_bool, is_number, refuse_value
from atl_sklearn.inspection._probing import PROBES, SCORINGS
from atl_sklearn.inspection._streaming import batches, rows_of
from atl_sklearn.similarity import get_metric_names, is_batch_metric


def check_count(owner: str, name: str, value: object, least: int = 1) -> None:
    """Check that an argument is an int from `least` on."""
    is_int = isinstance(value, int | np.integer) and not is_bool(value)
    if not is_int or value < least:  # type: ignore[operator]
        raise refuse_value(owner, name, f"an int in [{least}, inf)", value)


def batch_metrics() -> list[str]:
    """Return the metrics that compare any two layers, of whatever shapes."""
    return [n for n in get_metric_names() if n != "adversarial" and is_batch_metric(n)]


def check_metric(owner: str, metric: object) -> None:
    """Check that a metric compares any two layers."""
    known = batch_metrics()
    if not isinstance(metric, str) or metric not in known:
        must = f"one of {known}, which compare layers of any two shapes"
        raise refuse_value(owner, "metric", must, metric)


def check_arguments(
    owner: str,
    *,
    probes: Sequence[str],
    probe_scoring: object,
    cv: object,
    n_probed: object,
    metric: object,
    n_resamples: object,
    confidence: object,
    batch_size: object,
    random_state: object,
) -> None:
    """Check the arguments of a report.

    Raises
    ------
    ValueError
        If one is not what it must be.
    """
    if isinstance(probes, str) or not isinstance(probes, Iterable) or not set(probes) <= {*PROBES}:
        raise refuse_value(owner, "probes", f"a list of {list(PROBES)}", probes)
    if probe_scoring is not None and probe_scoring not in SCORINGS:
        raise refuse_value(
            owner, "probe_scoring", f"None or one of {list(SCORINGS)}", probe_scoring
        )
    for name, value, least in (
        ("cv", cv, 2), ("n_probed", n_probed, 4), ("n_resamples", n_resamples, 1),
        ("batch_size", batch_size, 1), ("random_state", random_state, 0),
    ):  # fmt: skip
        check_count(owner, name, value, least)
    if int(random_state) > LARGEST_SEED:  # type: ignore[call-overload]
        raise refuse_value(owner, "random_state", f"an int in [0, {LARGEST_SEED}]", random_state)
    check_metric(owner, metric)
    if not is_number(confidence) or not 0 < confidence < 1:
        raise refuse_value(owner, "confidence", "a float in (0, 1)", confidence)


def _digests(X: object, batch_size: int) -> list[bytes]:
    """Return a digest of each sample, whatever X is."""
    found = []
    for batch in batches(_num_samples(X), batch_size):
        rows = rows_of(X, batch)
        if issparse(rows):
            rows = rows.toarray()
        if isinstance(rows, torch.Tensor):
            rows = rows.detach().cpu().numpy()
        if hasattr(rows, "to_numpy"):
            rows = rows.to_numpy()
        for row in rows:
            array = np.asarray(row)
            plain = array.dtype.kind in "biufc"
            content = array.astype(np.float64).tobytes() if plain else repr(row).encode()
            found.append(hashlib.sha256(content).digest())
    return found


def check_unseen(owner: str, X: object, X_train: object, *, batch_size: int) -> None:
    """Refuse samples that were used in fitting.

    Raises
    ------
    ValueError
        If samples of X are among those of X_train.
    """
    seen = set(_digests(X_train, batch_size))
    known = [place for place, digest in enumerate(_digests(X, batch_size)) if digest in seen]
    if known:
        shown = ", ".join(map(str, known[:5])) + (", ..." if len(known) > 5 else "")
        raise ValueError(
            f"{len(known)} of the {_num_samples(X)} samples of X are among X_train, at positions "
            f"{shown}: a report on samples that were used in fitting is too optimistic. Leave them "
            f"out of X; {owner} needs data that the estimators have not seen."
        )
