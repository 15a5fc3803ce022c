"""torch Datasets, and other data, as users bring them: whether they are what can be trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
import torch
from skorch.dataset import Dataset
from skorch.utils import data_from_dataset, is_dataset
from torch.utils.data import DataLoader, IterableDataset

from atl_sklearn._validation import check_no_missing
from atl_sklearn.estimators._data import IndexedData, whole_of


def is_torch_dataset(X: object) -> TypeGuard[IndexedData]:
    """Tell whether X is a torch Dataset; :func:`check_indexed` refuses one without an index."""
    return is_dataset(X)


def refuse_loader(X: object, name: str) -> None:
    """Refuse a DataLoader, which makes the batches that are made here.

    Parameters
    ----------
    X : object
        What the user passed.
    name : str
        Of the argument.

    Raises
    ------
    TypeError
        If it is a DataLoader. The message says what to pass.
    """
    if not isinstance(X, DataLoader):
        return
    settings = [] if X.batch_size is None else [f"batch_size={X.batch_size}"]
    if X.collate_fn is not torch.utils.data.default_collate:
        settings.append("iterator_train__collate_fn and iterator_valid__collate_fn")
    if X.num_workers:
        settings.append(f"iterator_train__num_workers={X.num_workers}")
    here = f", and set {', '.join(settings)}" if settings else ""
    raise TypeError(
        f"{name} is a DataLoader, but batches are made here. Pass loader.dataset instead{here}."
    )


def check_indexed(X: object, name: str) -> None:
    """Refuse a Dataset that cannot be split, since its samples have no positions.

    Parameters
    ----------
    X : torch.utils.data.Dataset
        What the user passed.
    name : str
        How the error begins.

    Raises
    ------
    TypeError
        If it is an IterableDataset.
    """
    if isinstance(X, IterableDataset):
        raise TypeError(
            f"{name} a torch Dataset with a length and an index. Got {type(X).__name__}, which is "
            "iterable only."
        )


def _described(item: object) -> str:
    if isinstance(item, tuple | list):
        return f"{type(item).__name__}s of {len(item)}"
    shape = getattr(item, "shape", None)
    return type(item).__name__ if shape is None else f"{type(item).__name__} of shape {shape}"


def check_pairs(dataset: IndexedData, name: str) -> None:
    """Refuse a Dataset whose items are not pairs of a sample and its target.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Has at least one item.
    name : str
        Of the argument.

    Raises
    ------
    ValueError
        If the first item is no pair.
    """
    if type(dataset) is Dataset:  # skorch's always makes pairs
        return
    item = dataset[0]
    if isinstance(item, tuple | list) and len(item) == 2:
        return
    raise ValueError(
        f"The items of {name}, a {type(dataset).__name__}, must be pairs (X, y) of a sample and "
        f"its target. Got {_described(item)}. Several inputs can be a dict, (dict(a=..., b=...), "
        "y); where there is no target, any number stands for it: (X, 0)."
    )


def targets_of(dataset: IndexedData) -> np.ndarray:
    """Return the targets that a torch dataset holds, reading it sample by sample if need be.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Its items are pairs.

    Raises
    ------
    ValueError
        If it holds none, or some are missing.
    """
    whole = whole_of(dataset)
    if isinstance(whole, Dataset) and whole.y is None:  # of which skorch makes zeros
        raise ValueError("The Dataset holds no targets. Pass them beside it: fit(dataset, y).")
    try:
        _, y = data_from_dataset(dataset)
    except (AttributeError, ValueError):  # it has none, or a Subset of indices such as a range
        y = None
    if y is None:
        y = [dataset[index][1] for index in range(len(dataset))]
    # Before they become an array, in which a None or NaN beside strings is a string.
    check_no_missing(y, "y")
    return np.asarray([np.asarray(value) for value in y])


def check_one_shape(X: object, name: str) -> None:
    """Refuse a list of samples of different shapes.

    Parameters
    ----------
    X : object
        What the user passed, which could not be made an array.
    name : str
        Of the argument.

    Raises
    ------
    ValueError
        If there are several shapes. The message says how to train on them.
    """
    if not isinstance(X, list | tuple | np.ndarray):
        return
    try:
        shapes = sorted({np.shape(x) for x in X})
    except ValueError:  # a sample is ragged itself
        return
    if len(shapes) > 1:
        raise ValueError(
            f"The samples of {name} must have one shape. Got {shapes[0]} and {shapes[1]}, among "
            f"{len(shapes)} shapes. Pad or cut them; or pass a torch Dataset of pairs (X, y), with "
            "a collate_fn that pads the samples of a batch as iterator_train__collate_fn and "
            "iterator_valid__collate_fn."
        ) from None


class EncodedLabels(torch.utils.data.Dataset):
    """A user's torch dataset, its labels as positions among the classes.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Returns pairs (X, y).
    places : dict of label to int
        Positions of the labels. A label that is no class becomes -1, which no loss takes.
    """

    def __init__(self, dataset: Any, places: Mapping[object, int]) -> None:
        self.dataset = dataset
        self.places = places

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        item = self.dataset[index]
        if not (isinstance(item, tuple | list) and len(item) == 2):
            return item
        label = np.asarray(item[1])
        return item[0], self.places.get(label.item(), -1) if label.ndim == 0 else -1
