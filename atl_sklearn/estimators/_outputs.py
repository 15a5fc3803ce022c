"""What a network returns, and what the criterion takes: they must go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import is_classifier

from atl_sklearn._user_warnings import warn_user
from atl_sklearn.estimators._net import ClassifierNet, Net
from atl_sklearn.estimators._wrapped import unwrapped

# Criteria that take what is added to scores, and those that take what is added to predictions of
# numbers.
_OF_SCORES = (torch.nn.CrossEntropyLoss, torch.nn.BCEWithLogitsLoss)
_OF_NUMBERS = (torch.nn.MSELoss, torch.nn.L1Loss, torch.nn.SmoothL1Loss, torch.nn.HuberLoss)
# These take one score for two classes, and targets that are numbers.
_OF_ONE_SCORE = (torch.nn.BCEWithLogitsLoss, torch.nn.BCELoss)
_Scores = TypeVar("_Scores", np.ndarray, torch.Tensor)
_TOLERANCE = 1e-3  # of probabilities and their sum


def _plain(criterion: object) -> object:
    """Return a criterion itself where it has been compiled."""
    return unwrapped(criterion) if isinstance(criterion, torch.nn.Module) else criterion


def takes_one_score(criterion: object) -> bool:
    """Tell whether a criterion, or its class, takes one score for two classes."""
    if isinstance(criterion, type):
        return issubclass(criterion, _OF_ONE_SCORE)
    return isinstance(_plain(criterion), _OF_ONE_SCORE)


def criterion_of(net: Net) -> object:
    """Return the criterion, whatever its attribute is called; None where there are several."""
    return getattr(net, f"{net._criteria[0]}_", None) if len(net._criteria) == 1 else None


def check_one_label(y: Any, name: str) -> None:
    """Refuse a target of several labels for each sample.

    Parameters
    ----------
    y : array-like
        As the user gave it.
    name : str
        Of the estimator.

    Raises
    ------
    ValueError
        If it has several columns. The message says how to train on them.
    """
    try:
        shape = y.shape if issparse(y) else np.asarray(y).shape
    except ValueError:  # rows of different lengths, of which scikit-learn tells
        return
    if len(shape) != 2 or (shape[1] < 2 and not issparse(y)):
        return
    way_out = (
        f"For several labels of a sample fit a network for each column: "
        f"sklearn.multioutput.MultiOutputClassifier({name}(...))."
    )
    table = None if issparse(y) else np.asarray(y)
    if table is not None and np.isin(table, (0, 1)).all() and (table.sum(axis=1) == 1).all():
        way_out += " If the columns mark one class, pass y.argmax(axis=1)."
    raise ValueError(
        f"y must have one label for each sample, shape (n_samples,). Got shape {shape}. {way_out}"
    )


def as_columns(scores: _Scores) -> _Scores:
    """Return probabilities of the second of two classes as those of both."""
    second = scores.reshape(scores.shape[0])  # a symbol where the network is exported
    if isinstance(second, torch.Tensor):
        return torch.stack([1 - second, second], dim=1)
    return np.stack([1 - second, second], axis=1)


def _of_logit(output: torch.Tensor) -> torch.Tensor:
    return as_columns(output.sigmoid())


def nonlinearity_of(criterion: object) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what makes probabilities of two classes of one score, for its criterion."""
    return _of_logit if takes_logits(criterion) else as_columns


def takes_logits(criterion: object) -> bool:
    """Tell whether a criterion takes one score for two classes that is no probability yet."""
    return isinstance(_plain(criterion), _OF_ONE_SCORE[0])


def is_one_column(output: np.ndarray | torch.Tensor) -> bool:
    """Tell whether each sample has a single number."""
    return output.ndim == 1 or output.shape[1:] == (1,)


def _refuse_several(output: object, criterion: object) -> None:
    if isinstance(output, torch.Tensor) or not type(criterion).__module__.startswith("torch.nn"):
        return  # a loss of the user's own knows what it takes
    raise ValueError(
        f"The network returns a {type(output).__name__}, but the criterion, "
        f"{type(criterion).__name__}, takes a tensor. Predictions would use the first entry. "
        "Return the scores alone, or pass a criterion that takes what the network returns."
    )


def check_scores(net: ClassifierNet, output: object) -> None:
    """Check what a classifier's network returns for a few samples.

    Parameters
    ----------
    net : AntiTransferClassifier
        Initialised, its classes known.
    output : Tensor of shape (n_samples, ...), or what else the network returns
        Of the network in evaluation mode.

    Raises
    ------
    ValueError
        If it is not what the criterion takes.

    Warns
    -----
    UserWarning
        If the criterion would take probabilities for scores.
    """
    criterion = _plain(criterion_of(net))
    _refuse_several(output, criterion)
    first = output[0] if isinstance(output, tuple) and output else output
    if not isinstance(first, torch.Tensor):
        return
    as_it_is = net.predict_nonlinearity is None or net.predict_nonlinearity == "auto"
    if as_it_is:
        _refuse_more_than_classes(first, len(net.classes_inferred_))
    if not isinstance(output, torch.Tensor):
        return
    n_classes, got = len(net.classes_inferred_), f"Got {tuple(output.shape)} for {len(output)}"
    if isinstance(criterion, _OF_ONE_SCORE):
        _check_one_score(criterion, output, n_classes, got)
    elif isinstance(criterion, torch.nn.CrossEntropyLoss | torch.nn.NLLLoss):
        if output.ndim < 2 or output.shape[1] != n_classes:
            raise ValueError(
                f"The network must return scores of shape (n_samples, {n_classes}), one for each "
                f"class. {got} samples. If its constructor has an argument n_outputs, it is told "
                "their number."
                + " One score for two classes goes with criterion=torch.nn.BCEWithLogitsLoss."
                * (n_classes == 2 and is_one_column(output))
            )
        _check_probabilities(criterion, output)
    elif n_classes == 2 and is_one_column(output) and as_it_is:
        raise ValueError(
            f"The network returns one score for two classes, and {type(criterion).__name__} does "
            "not say how it becomes a probability. Set predict_nonlinearity to a function from it "
            "to the probability of the second class, such as torch.sigmoid."
        )


def _refuse_more_than_classes(scores: torch.Tensor, n_classes: int) -> None:
    """Refuse scores of classes that there are not, whose positions would be predicted."""
    if scores.ndim != 2 or scores.shape[1] <= max(n_classes, 1) or n_classes < 1:
        return
    n_scores = scores.shape[1]
    raise ValueError(
        f"The network must return scores of shape (n_samples, {n_classes}), one for each class. "
        f"Got {tuple(scores.shape)} for {len(scores)} samples. If its constructor has an argument "
        f"n_outputs, it is told their number. If there are {n_scores} classes, of which y has "
        f"{n_classes}, name all of them, in the order of the outputs, in the 'classes' parameter, "
        "or in the first call of partial_fit."
    )


def _check_one_score(criterion: object, output: torch.Tensor, n_classes: int, got: str) -> None:
    name = type(criterion).__name__
    if n_classes != 2:
        raise ValueError(
            f"criterion={name} is for two classes, and y has {n_classes}. Use "
            "torch.nn.CrossEntropyLoss, with a score for each class."
        )
    if not is_one_column(output):
        raise ValueError(
            f"With criterion={name} the network must return one score for each sample, of shape "
            f"(n_samples,) or (n_samples, 1). {got} samples. Set module__n_outputs=1, or use "
            "torch.nn.CrossEntropyLoss, which takes a score for each class."
        )
    if isinstance(criterion, torch.nn.BCELoss) and not _in_unit_interval(output):
        raise ValueError(
            f"With criterion={name} the network must return probabilities. Got values from "
            f"{float(output.min()):.3g} to {float(output.max()):.3g}. End it with a sigmoid, or "
            "use torch.nn.BCEWithLogitsLoss, which takes scores."
        )


def _in_unit_interval(output: torch.Tensor) -> bool:
    return bool((output >= -_TOLERANCE).all() and (output <= 1 + _TOLERANCE).all())


def _check_probabilities(criterion: object, output: torch.Tensor) -> None:
    if not bool(torch.isfinite(output).all()):
        return
    probabilities = _in_unit_interval(output)
    if isinstance(criterion, torch.nn.NLLLoss):
        if not probabilities:
            raise ValueError(
                "With criterion=NLLLoss the network must return probabilities, of which skorch "
                f"takes the logarithm. Got values from {float(output.min()):.3g} to "
                f"{float(output.max()):.3g}. Let it return scores, without LogSoftmax, and use "
                "torch.nn.CrossEntropyLoss; or end it with Softmax."
            )
    elif probabilities and output.shape[1] > 1 and len(output) > 1:
        sums = output.sum(dim=1)
        if torch.allclose(sums, torch.ones_like(sums), atol=_TOLERANCE):
            warn_user(
                "The network returns probabilities, but CrossEntropyLoss takes scores and applies "
                "a softmax itself: after two of them, training is slow and probabilities stay far "
                "from 0 and 1. Leave out the Softmax at the end, or use torch.nn.NLLLoss with it."
            )


def check_numbers(net: Net, output: object) -> None:
    """Check what a regressor's network returns for a few samples.

    Parameters
    ----------
    net : AntiTransferRegressor
        Initialised, the number of its targets known.
    output : Tensor of shape (n_samples, ...), or what else the network returns
        Of the network in evaluation mode.

    Raises
    ------
    ValueError
        If it is not what the criterion takes.
    """
    criterion = _plain(criterion_of(net))
    _refuse_several(output, criterion)
    of_torch = type(criterion).__module__.startswith("torch.nn")
    if not (of_torch and isinstance(output, torch.Tensor)):
        return  # a loss of the user's own knows what it takes
    if output.shape[1:] != (net.n_outputs_,) and (output.ndim != 1 or net.n_outputs_ != 1):
        raise ValueError(
            f"The network must return numbers of shape (n_samples, {net.n_outputs_}), one for each "
            f"target. Got {tuple(output.shape)} for {len(output)} samples. If its constructor has "
            "an argument n_outputs, it is told their number."
        )


def takes_sums(net: Net) -> bool:
    """Tell whether a criterion is known to take what is added to scores, or to predictions."""
    kind = net.criterion if isinstance(net.criterion, type) else type(net.criterion)
    return issubclass(kind, _OF_SCORES if is_classifier(net) else _OF_NUMBERS)
