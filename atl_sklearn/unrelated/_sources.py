"""What users call an unrelated network, and the ``torch.nn.Module`` inside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from atl_sklearn._pipelines import innermost
from atl_sklearn._validation import did_you_mean, shown
from atl_sklearn.unrelated._answers import answer_method
from atl_sklearn.unrelated._left_behind import LeftBehind
from atl_sklearn.unrelated._made_elsewhere import as_module, is_made_elsewhere

# `unrelated` need not be an estimator: these words stand for what is passed to `fit`.
LABELS, PRECOMPUTED = WORDS = ("labels", "precomputed")

_NETWORKS = (
    "a fitted AntiTransferClassifier, AntiTransferRegressor or other skorch net, a "
    "FrozenEstimator around one, a fitted Pipeline that ends in one, a torch.nn.Module, an "
    "exported program or the path of an ONNX file"
)
_OF_ONE = f"{_NETWORKS}, or an unfitted estimator of these kinds"
_ACCEPTED = (
    f"None, {_NETWORKS}, an estimator of scikit-learn's that says something of samples (it has "
    "predict_proba, decision_function, transform or predict), an unfitted estimator of these "
    "kinds together with y_unrelated in fit, 'labels' with y_unrelated, 'precomputed' with "
    "Z_unrelated, or a list of these"
)


def is_word(source: object, word: str | None = None) -> bool:
    """Tell whether `source` is one of the words for what is passed to fit, or a certain one.

    Examples
    --------
    >>> from atl_sklearn.unrelated._sources import is_word
    >>> is_word("labels"), is_word("labels", "precomputed"), is_word("label")
    (True, False, False)
    """
    return isinstance(source, str) and source in ((word,) if word else WORDS)


def source_name(source: object) -> str:
    """Return what people call a source: the word, or the class.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from atl_sklearn.unrelated._sources import source_name
    >>> source_name("labels"), source_name(make_pipeline(Ridge()))
    ('labels', 'Ridge')
    """
    return str(source) if is_word(source) else type(innermost(source)).__name__


def has_network(source: object) -> bool:
    """Tell whether `source` is a network of torch's, or what ends in one."""
    inner = innermost(source)
    return isinstance(inner, NeuralNet | torch.nn.Module) and not isinstance(source, type)


def _is_estimator(source: object) -> bool:
    """Tell whether `source` is another estimator that says something of samples."""
    is_one = isinstance(source, BaseEstimator) and hasattr(source, "fit")
    return is_one and bool(answer_method(source))


def needs_labels(source: object) -> bool:
    """Tell whether an estimator that is not fitted learns from labels.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.linear_model import Ridge
    >>> from atl_sklearn.unrelated._sources import needs_labels
    >>> needs_labels(Ridge()), needs_labels(KMeans())
    (True, False)
    """
    if is_word(source) or has_network(source):
        return not is_word(source, PRECOMPUTED)
    if isinstance(source, Pipeline):  # whose own tags do not tell
        steps = [step for _, step in source.steps if step not in (None, "passthrough")]
        return any(map(needs_labels, steps))
    return bool(get_tags(source).target_tags.required)


def check_source(source: object, parameter: str = "unrelated") -> None:
    """Check that `source` is something that can be unrelated, fitted or not.

    Raises
    ------
    TypeError
        If it is not; the message lists what is.
    ValueError
        If it did not travel with the file that the estimator was loaded from.
    """
    if isinstance(source, LeftBehind):
        raise source.error(parameter)
    if not (is_word(source) or has_network(source) or _is_estimator(source)):
        hint = did_you_mean(source, WORDS)
        message = f"The {parameter!r} parameter must be {_ACCEPTED}. Got {shown(source)} instead."
        raise TypeError(f"{message} {hint}".rstrip())


def check_network(source: object, parameter: str) -> None:
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
    if not has_network(source):
        raise TypeError(
            f"The {parameter!r} parameter must be {_OF_ONE}. Got {shown(source)} instead, which "
            "has no layers."
        )


def is_fitted(source: object) -> bool:
    """Tell whether what `source` says of samples is there: there is nothing to be fitted."""
    net = innermost(source) if has_network(source) else source
    if is_word(net) or isinstance(net, torch.nn.Module) or is_made_elsewhere(net):
        return True
    try:
        check_is_fitted(net)
    except NotFittedError:
        return False
    return not isinstance(net, NeuralNet) or bool(getattr(net, "initialized_", False))


def get_network(source: object) -> torch.nn.Module:
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
    check_network(source, "unrelated")
    net = innermost(source)
    if not is_fitted(net):
        raise NotFittedError(f"{type(net).__name__} is not fitted yet, so it has no network.")
    module = net if isinstance(net, torch.nn.Module) else net.module_
    return getattr(module, "_orig_mod", module)


def get_nonlinearity(source: object) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return what makes probabilities of the output of the network in `source`.

    None for a plain module, which does not say what its output is.
    """
    net = innermost(source)
    return net._get_predict_nonlinearity() if isinstance(net, NeuralNet) else None


def as_sources(unrelated: object) -> list[object]:
    """Return ``unrelated`` as a list: empty for None, one entry for each unrelated task.

    Raises
    ------
    TypeError
        If an entry is nothing that can be unrelated.
    """
    if unrelated is None:
        return []
    several = isinstance(unrelated, list | tuple)
    given = unrelated if isinstance(unrelated, list | tuple) else [unrelated]
    sources = [as_module(source) for source in given]
    for position, source in enumerate(sources):
        check_source(source, f"unrelated[{position}]" if several else "unrelated")
    return sources


def clone_unrelated(unrelated: object) -> object:
    """Clone ``unrelated`` for a new estimator: what is fitted is kept by reference.

    A fitted network is data here, not a recipe: a clone must avoid the same one.
    """
    if isinstance(unrelated, list | tuple):
        return type(unrelated)(clone_unrelated(source) for source in unrelated)
    known = has_network(unrelated) or _is_estimator(unrelated)
    keeps = (
        isinstance(unrelated, torch.nn.Module)
        or is_made_elsewhere(unrelated)
        or (known and isinstance(unrelated, BaseEstimator) and is_fitted(unrelated))
    )
    return unrelated if keeps else clone(unrelated, safe=False)
