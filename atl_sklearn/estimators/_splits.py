"""Validation data: a share of X, what the user splits off, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.base import is_classifier
from skorch.dataset import ValidSplit

from atl_sklearn._validation import is_bool, is_number, refuse
from atl_sklearn.estimators._data import IndexedData
from atl_sklearn.estimators._net import Net


def _is_false(split: object) -> bool:
    return split is None or (is_bool(split) and not split)


def check_train_split(net: Net) -> None:
    """Check that ``train_split`` is a share, something that splits, or nothing."""
    split = net.train_split
    share = is_number(split) and 0 < split < 1
    if not (_is_false(split) or share or (callable(split) and not isinstance(split, type))):
        raise refuse(
            net,
            "train_split",
            "None, a float in (0, 1) or a callable such as skorch.dataset.ValidSplit(5)",
            "A float holds out that share of X, stratified for classes.",
        )


def get_splitter(net: Net) -> Callable[..., Any] | None:
    """Return what splits off validation data, or None.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.

    Returns
    -------
    split : callable or None
        As skorch calls it. A share is drawn with the seed of the network's random numbers and uses
        up none of them, so that a resumed fit holds out the same samples.
    """
    split = net.train_split
    if split is None or _is_false(split):
        return None
    if callable(split):
        return split
    seed = net._stream().seed
    return ValidSplit(float(split), stratified=is_classifier(net), random_state=seed)


def split_data(
    net: Net, dataset: IndexedData, y: object, **params: object
) -> tuple[IndexedData, IndexedData | None]:
    """Return the datasets for training and validation.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    dataset : torch.utils.data.Dataset
        The data.
    y : array or None
        The encoded targets.
    **params : dict
        What the user's ``train_split`` takes besides.

    Returns
    -------
    train, valid : torch.utils.data.Dataset
        The second is None without validation data.

    Raises
    ------
    ValueError
        If a share leaves too few samples on a side.
    """
    split = get_splitter(net)
    if split is None:
        return dataset, None
    if not is_number(net.train_split):
        return split(dataset, **params) if y is None else split(dataset, y, **params)
    try:
        return split(dataset, y)
    except ValueError as error:
        must = "a share that leaves samples of each class on both sides"
        raise refuse(net, "train_split", must, f"{error}") from error
