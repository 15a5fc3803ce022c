"""What users call an unrelated network, and the ``torch.nn.Module`` inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn import get_config
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from atl_sklearn._pipelines import innermost
from atl_sklearn._validation import ENABLE_ROUTING, check_no_missing, shown
from atl_sklearn.unrelated._left_behind import LeftBehind
from atl_sklearn.unrelated._made_elsewhere import as_module, is_made_elsewhere

_KINDS = (
    "a fitted AntiTransferClassifier, AntiTransferRegressor or other skorch net, a "
    "FrozenEstimator around one, a fitted Pipeline that ends in one, a torch.nn.Module, an "
    "exported program or the path of an ONNX file"
)
_OF_ONE = f"{_KINDS}, or an unfitted estimator of these kinds"
_ACCEPTED = (
    f"None, {_KINDS}, an unfitted estimator of these kinds together with y_unrelated in fit, or a "
    "list of these"
)


def check_source(source: Any, parameter: str = "unrelated") -> None:
    """Check that `source` is something with a network in it, fitted or not.

    Raises
    ------
    TypeError
        If it is not; the message lists what is.
    ValueError
        If it did not travel with the file that the estimator was loaded from.
    """
    if isinstance(source, LeftBehind):
        raise source.error(parameter)
    if not isinstance(innermost(source), NeuralNet | torch.nn.Module) or isinstance(source, type):
        accepted = _ACCEPTED if parameter.startswith("unrelated") else _OF_ONE
        got = shown(source)
        raise TypeError(f"The {parameter!r} parameter must be {accepted}. Got {got} instead.")


def is_fitted(source: Any) -> bool:
    """Tell whether the network in `source` is there: fitted, or a plain module."""
    net = innermost(source)
    if isinstance(net, torch.nn.Module) or is_made_elsewhere(net):
        return True
    try:
        check_is_fitted(net)
    except NotFittedError:
        return False
    return bool(getattr(net, "initialized_", False))


def get_network(source: Any) -> torch.nn.Module:
    """Return the network in `source`.

    Parameters
    ----------
    source : estimator or torch.nn.Module
        As the ``unrelated`` parameter takes it, one at a time.

    Returns
    -------
    network : torch.nn.Module
        The very module, not a copy; a compiled one is unwrapped, since hooks that are
        registered after a compiled call never fire.

    Raises
    ------
    TypeError
        If there is no network in `source`.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import torch
    >>> from sklearn.frozen import FrozenEstimator
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.unrelated import get_network
    >>> net = AntiTransferClassifier(max_epochs=1).fit([[0.0], [1.0]], [0, 1])
    >>> get_network(FrozenEstimator(net)) is net.module_
    True
    """
    check_source(source)
    net = innermost(source)
    if not is_fitted(net):
        raise NotFittedError(f"{type(net).__name__} is not fitted yet, so it has no network.")
    module = net if isinstance(net, torch.nn.Module) else net.module_
    return getattr(module, "_orig_mod", module)


def get_nonlinearity(source: Any) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return what makes probabilities of the output of the network in `source`.

    None for a plain module, which does not say what its output is.
    """
    net = innermost(source)
    return net._get_predict_nonlinearity() if isinstance(net, NeuralNet) else None


def as_sources(unrelated: Any) -> list[Any]:
    """Return ``unrelated`` as a list: empty for None, one entry for each unrelated task.

    Raises
    ------
    TypeError
        If an entry has no network in it.
    """
    if unrelated is None:
        return []
    several = isinstance(unrelated, list | tuple)
    sources = list(map(as_module, unrelated if several else [unrelated]))
    for position, source in enumerate(sources):
        check_source(source, f"unrelated[{position}]" if several else "unrelated")
    return sources


def clone_unrelated(unrelated: Any) -> Any:
    """Clone ``unrelated`` for a new estimator: what is fitted is kept by reference.

    A fitted network is data here, not a recipe: a clone must avoid the same one.
    """
    if isinstance(unrelated, list | tuple):
        return type(unrelated)(clone_unrelated(source) for source in unrelated)
    keeps = (
        isinstance(unrelated, torch.nn.Module)
        or is_made_elsewhere(unrelated)
        or (
            isinstance(unrelated, BaseEstimator)
            and isinstance(innermost(unrelated), NeuralNet | torch.nn.Module)
            and is_fitted(unrelated)
        )
    )
    return unrelated if keeps else clone(unrelated, safe=False)


def _check_kind(source: Any, labels: np.ndarray) -> None:
    """Refuse numbers for a classifier and strings for a regressor, which is all that they say."""
    name = type(innermost(source)).__name__
    if is_classifier(source) and type_of_target(labels).startswith("continuous"):
        raise ValueError(
            f"y_unrelated has continuous values, and the 'unrelated' parameter is an unfitted "
            f"{name}, which learns classes. Pass an AntiTransferRegressor as 'unrelated', or make "
            "classes of the values."
        )
    if is_regressor(source) and labels.dtype.kind not in "biuf":
        raise ValueError(
            f"y_unrelated has labels such as {shown(labels.tolist()[0])}, and the 'unrelated' "
            f"parameter is an unfitted {name}, which learns numbers. Pass an "
            "AntiTransferClassifier as 'unrelated'."
        )


def _of_pipelines() -> str:
    """Return the line that is needed for a Pipeline to hand on y_unrelated, if it was not run."""
    if get_config()["enable_metadata_routing"]:
        return ""
    return (
        f" In a Pipeline, and in searches and cross-validations of one, run {ENABLE_ROUTING} "
        "first: then pipeline.fit(X, y, y_unrelated=...) and "
        'cross_validate(pipeline, X, y, params={"y_unrelated": ...}) hand the labels on.'
    )


def label_columns(sources: list[Any], y_unrelated: Any, *, n_samples: int) -> dict[int, Any]:
    """Return the labels for each of `sources` that is not fitted.

    Parameters
    ----------
    sources : list
        What :func:`as_sources` returned.
    y_unrelated : array-like of shape (n_samples,) or (n_samples, n_tasks) or None
        Labels of the unrelated tasks; a column for each unfitted entry of `sources`, or for
        each entry.
    n_samples : int
        How many samples there are.

    Returns
    -------
    columns : dict of int to array of shape (n_samples,)
        From the position in `sources` to its labels.

    Raises
    ------
    ValueError
        If labels are missing, given in vain, of another number of samples or columns, or of a
        kind that the estimator does not learn.
    """
    pending = [position for position, source in enumerate(sources) if not is_fitted(source)]
    if y_unrelated is None:
        if pending:
            name = type(innermost(sources[pending[0]])).__name__
            raise ValueError(
                f"The 'unrelated' parameter is an unfitted {name} (cloning a fitted one, as a "
                "grid of values for 'unrelated' does, makes it unfitted). Either pass its labels, "
                "fit(X, y, y_unrelated=...), and it is fitted on each training set; or fit it "
                "before and wrap it in sklearn.frozen.FrozenEstimator, which survives cloning."
                f"{_of_pipelines()}"
            )
        return {}
    if not pending:
        raise ValueError(
            "y_unrelated was given, but there is no unfitted 'unrelated' estimator to fit on it. "
            "Leave y_unrelated out, or pass an unfitted estimator as 'unrelated'."
        )
    for position in pending:
        if isinstance(sources[position], FrozenEstimator):
            raise ValueError(
                "The 'unrelated' parameter is a FrozenEstimator around an estimator that is not "
                "fitted. Fit it before it is frozen, or pass it without FrozenEstimator."
            )
    check_no_missing(y_unrelated, "y_unrelated")
    labels = np.asarray(y_unrelated)
    if labels.ndim not in (1, 2) or len(labels) != n_samples:
        raise ValueError(
            f"y_unrelated must have shape (n_samples,) or (n_samples, n_tasks) with n_samples = "
            f"{n_samples}, as X has. Got shape {labels.shape} instead."
        )
    if labels.ndim == 1:
        labels = labels[:, np.newaxis]
    if labels.shape[1] in (len(pending), len(sources)):
        positions = pending if labels.shape[1] == len(pending) else range(len(sources))
        # Columns of different types, as a DataFrame has them, get their own again.
        columns = {p: np.asarray(labels[:, c].tolist()) for c, p in enumerate(positions)}
        found = {position: columns[position] for position in pending}
        for position, column in found.items():
            _check_kind(sources[position], column)
        return found
    raise ValueError(
        f"y_unrelated must have one column for each of the {len(pending)} unfitted 'unrelated' "
        f"estimators. Got {labels.shape[1]} columns instead."
    )
