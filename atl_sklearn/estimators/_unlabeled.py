"""Unlabeled data, which only the penalty sees: checked, and in batches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import torch
from sklearn.pipeline import Pipeline
from skorch.helper import SliceDataset

from atl_sklearn._validation import ENABLE_ROUTING
from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._data import ArrayData, UnlabeledData
from atl_sklearn.estimators._samples import Samples
from atl_sklearn.estimators._user_datasets import check_indexed, is_torch_dataset, refuse_loader

_WAY_OUT_OF_SPLITS = (
    "scikit-learn's cross-validation splits an array that has as many samples as X together with "
    "X, and hands on any other whole. Add or leave out a sample of X_unlabeled; outside of "
    "cross-validation it can also be passed as a torch Dataset, such as "
    "TensorDataset(torch.as_tensor(X_unlabeled))."
)


def check_unlabeled(
    X_unlabeled: object,
    *,
    n_samples: int,
    check_X: Callable[[object], object],
    shape: tuple[int, ...] | None,
    same: bool = False,
    collate: Callable[[list[tuple[object, int]]], Sequence[Samples]] | None = None,
) -> ArrayData | UnlabeledData:
    """Check unlabeled data.

    Parameters
    ----------
    X_unlabeled : array, mapping of arrays or torch Dataset
        What the user passed.
    n_samples : int
        Number of samples of X.
    check_X : callable
        Checks arrays as data for prediction are checked.
    shape : tuple of int or None
        Shape of a sample of X, where it has one.
    same : bool, default=False
        Whether a Dataset's samples are the same in every epoch.
    collate : callable or None, default=None
        Makes a batch of a Dataset's samples, which may have different shapes then.

    Returns
    -------
    data : ArrayData or UnlabeledData
        To be sliced a batch at a time.

    Raises
    ------
    TypeError, ValueError
        If the data are not of the kind or shape of X, have fewer than two samples, or as many
        as X, so that they may be a part of what was meant.
    """
    split_up = isinstance(X_unlabeled, list) and all(isinstance(x, tuple) for x in X_unlabeled)
    if split_up and not isinstance(X_unlabeled, SliceDataset):
        raise ValueError(
            "X_unlabeled is a list of tuples: a torch Dataset that was split, because it has as "
            f"many samples as X. {_WAY_OUT_OF_SPLITS}"
        )
    data: ArrayData | UnlabeledData
    refuse_loader(X_unlabeled, "X_unlabeled")
    if is_torch_dataset(X_unlabeled):
        check_indexed(X_unlabeled, "X_unlabeled must be an array or")
        data = UnlabeledData(X_unlabeled, same=same, collate=collate)
    else:
        try:
            data = ArrayData(check_X(X_unlabeled), None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X_unlabeled does not fit X: {error}") from error
        if len(data) == n_samples:
            raise ValueError(
                f"X_unlabeled has as many samples as X ({n_samples}), so it may be only a part of "
                f"what you passed: {_WAY_OUT_OF_SPLITS}"
            )
    if len(data) < 2:
        raise ValueError(f"X_unlabeled must have at least 2 samples. Got {len(data)}.")
    one_shape = is_torch_dataset(X_unlabeled) and collate is None
    got = getattr(data[0], "shape", None) if one_shape else None
    if shape is not None and got is not None and tuple(got) != tuple(shape):
        raise ValueError(
            f"The samples of X_unlabeled must have shape {tuple(shape)}, as those of X. "
            f"Got {tuple(got)} instead."
        )
    return data


def pipelines_around(estimator: object) -> Iterator[Pipeline]:
    """Yield the pipelines that are running and end in an estimator, those around them too."""
    # Transformed data look like any other, and a Pipeline calls its last step as anybody would. So
    # only the stack of calls can tell. The one that looks is left out, which would keep itself.
    frame: FrameType | None = sys._getframe(1)
    inner = estimator
    while frame is not None:
        caller = frame.f_locals.get("self")
        if caller is not inner and isinstance(caller, Pipeline) and caller.steps[-1][1] is inner:
            yield caller
            inner = caller
        frame = frame.f_back


def check_pipeline(estimator: object) -> None:
    """Refuse unlabeled data that a Pipeline hands on without transforming them.

    Parameters
    ----------
    estimator : estimator
        That is being fitted, perhaps by a Pipeline whose last step it is.

    Raises
    ------
    ValueError
        If it has other steps, and its ``transform_input`` does not name X_unlabeled.
    """
    for pipeline in pipelines_around(estimator):
        transforms = any(step not in (None, "passthrough") for _, step in pipeline.steps[:-1])
        if transforms and "X_unlabeled" not in (getattr(pipeline, "transform_input", None) or ()):
            name = pipeline.steps[-1][0]
            raise ValueError(
                "X_unlabeled came through a Pipeline that transforms X, but not X_unlabeled. Make "
                f'it with transform_input=["X_unlabeled"], after {ENABLE_ROUTING}, and pass '
                f"X_unlabeled without the step's name ({name}__) in front."
            )


class UnlabeledBatches:
    """Random batches without end: every sample once, then all of them anew.

    Parameters
    ----------
    data : ArrayData or UnlabeledData
        The data.
    batch_size : int
        Number of samples in a batch; all of them if there are fewer. An incomplete rest of a
        round is left out.
    generator : torch.Generator
        Draws the order.
    augment : callable or None, default=None
        Changes the samples of a batch.
    """

    def __init__(
        self,
        data: ArrayData | UnlabeledData,
        batch_size: int,
        generator: torch.Generator,
        augment: Callable[[Batch], Batch] | None = None,
    ) -> None:
        if isinstance(data, ArrayData):
            data.lay_in_rows()
        self._augment = augment
        self._data = data
        self._size = min(batch_size, len(data))
        self._generator = generator
        self.remaining: list[int] = []
        self.batch: Batch | None = None

    def __len__(self) -> int:
        return len(self._data)

    @property
    def size(self) -> int:
        """Number of samples in a batch."""
        return self._size

    def draw(self) -> None:
        """Go on to the next batch."""
        if len(self.remaining) < self._size:
            self.remaining = torch.randperm(len(self._data), generator=self._generator).tolist()
        index, self.remaining = self.remaining[: self._size], self.remaining[self._size :]
        batch = self._data.__getitems__(index)
        self.batch = batch if self._augment is None else self._augment(batch)

    def few(self, n_samples: int) -> Samples:
        """Return the first samples, with which everything is tried before training."""
        return self._data.__getitems__(list(range(min(n_samples, len(self._data))))).X
