"""From what is unrelated, and what `fit` was given for it, to the sides that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from skorch.utils import is_dataset

from atl_sklearn._pipelines import as_innermost_sees, has_steps, innermost
from atl_sklearn.unrelated._answers import Answers
from atl_sklearn.unrelated._copies import copy_network
from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._indices import has_embedding
from atl_sklearn.unrelated._rows import ArrayRows, Rows, check_finite_rows, moved_to_zero, n_rows
from atl_sklearn.unrelated._sides import FrozenValues, Side
from atl_sklearn.unrelated._sources import (
    LABELS,
    get_network,
    get_nonlinearity,
    has_network,
    is_word,
)
from atl_sklearn.unrelated._tasks import UnrelatedInputs

_GIVEN = (
    "It is given X as fit was: in a Pipeline, what the steps before made of it. Pass what it takes "
    "as X_unrelated, or of an unrelated Pipeline the last step alone."
)


class SideMaker:
    """Makes the sides of one fit.

    Parameters
    ----------
    inputs : UnrelatedInputs
        What `fit` was given for the unrelated side.
    X, X_unlabeled : array-like, mapping or Dataset of n_samples; None without unlabeled data
        What it was given of the data, as the user passed it.
    rows : mapping of int to (mapping of bool to Rows)
        What is compared of tasks that are words, by their positions.

    Notes
    -----
    What is not torch is computed here, for all samples.
    """

    def __init__(
        self,
        inputs: UnrelatedInputs,
        X: object,
        X_unlabeled: object,
        rows: Mapping[int, Mapping[bool, Rows]],
    ) -> None:
        self._rows = rows
        self._replaced = inputs.X_unrelated is not None
        if self._replaced:
            X, X_unlabeled = inputs.X_unrelated, inputs.X_unrelated_unlabeled
        self._data = {False: X} if X_unlabeled is None else {False: X, True: X_unlabeled}

    def _names(self) -> dict[bool, str]:
        if self._replaced:
            return {False: "X_unrelated", True: "X_unrelated_unlabeled"}
        return {False: "X", True: "X_unlabeled"}

    def views_of(
        self, sources: Sequence[object], dtype: DTypeLike = np.float32
    ) -> dict[int, object]:
        """Return the data that estimators are fitted on where these are not the checked X.

        Parameters
        ----------
        sources : sequence
            Estimators that are not fitted, among others.
        dtype : dtype, default=float32
            Floating type of the checked X.

        Returns
        -------
        views : dict of int to object
            By the positions of the sources.
        """
        views = {}
        for position, source in enumerate(sources):
            X = self._data[False]
            if not self._replaced and has_network(source):
                if not has_steps(source):
                    continue
                if not hasattr(innermost(source), "_make_network") and hasattr(X, "astype"):
                    X = X.astype(dtype)  # other nets than ours take no other floats
            views[position] = X
        return views

    def make(
        self,
        sources: Sequence[object],
        *,
        device: str | torch.device,
        dtype: torch.dtype,
        in_training: Sequence[torch.nn.Parameter] = (),
    ) -> list[Side]:
        """Return a side for each of the fitted sources.

        Parameters
        ----------
        sources : sequence
            Fitted estimators, modules or words.
        device : str or torch.device
            Where their activations are wanted.
        dtype : torch.dtype
            Floating type of numbers that no network makes.
        in_training : sequence of Parameter, default=()
            Those of the network in training, of which a copy is compared if it is a source.

        Returns
        -------
        sides : list of Side
            Of the same length.

        Raises
        ------
        ValueError
            If an estimator, or the other steps of a pipeline, cannot take the data.
        """
        values = partial(FrozenValues, device, dtype)
        ours = set(map(id, in_training))
        found = []
        for position, source in enumerate(sources):
            number = f" {position}" if len(sources) > 1 else ""
            if is_word(source):
                of_labels = is_word(source, LABELS)
                label = "y_unrelated" if of_labels else "Z_unrelated"
                frozen = values(label=label, are_probabilities=of_labels)
                found.append(Side(frozen, rows=self._rows[position]))
            elif has_network(source):
                found.append(self._of_network(source, number, device, ours))
            else:
                found.append(self._of_estimator(source, number, values))
        return found

    def _of_network(
        self, source: object, number: str, device: str | torch.device, ours: set[int]
    ) -> Side:
        network = get_network(source)
        if ours & set(map(id, network.parameters())):
            # This is the network in training itself: compare with what it is now.
            network = copy_network(network)
        label = f"The unrelated network{number}"
        given = "the data that the target network takes"
        if self._replaced or has_steps(source):
            given = "what the Pipeline's other steps make" if has_steps(source) else "X_unrelated"
        frozen = FrozenNetwork(
            network, device=device, label=label, nonlinearity=get_nonlinearity(source), given=given
        )
        integers = has_embedding(network)
        if has_steps(source):
            label = f"The other steps of the unrelated Pipeline{number}"
            return self._computed(
                frozen, partial(as_innermost_sees, source), label, keeps_integers=integers
            )
        names = self._names()
        for key, data in self._data.items():
            _check_columns(source, data, f"{label} cannot take {names[key]}")
        if not self._replaced:
            return Side(frozen)
        return Side(
            frozen,
            rows={
                key: _rows(data, names[key], keeps_integers=integers)
                for key, data in self._data.items()
            },
        )

    def _of_estimator(
        self, source: BaseEstimator, number: str, values: Callable[..., FrozenValues]
    ) -> Side:
        answers = Answers(source)
        label = f"The unrelated {type(innermost(source)).__name__}{number}"
        frozen = values(label=label, are_probabilities=answers.are_probabilities)
        side = self._computed(frozen, answers, label, keeps_integers=False)
        for unlabeled, rows in side.rows.items():
            check_finite_rows(rows.values, f"{label}, of {self._names()[unlabeled]},")
        side.rows = moved_to_zero(side.rows)
        return side

    def _computed(
        self,
        frozen: FrozenNetwork | FrozenValues,
        function: Callable[[object], object],
        label: str,
        *,
        keeps_integers: bool,
    ) -> Side:
        """Return a side whose input is computed: at once, or for a Dataset a batch at a time.

        It is also computed a batch at a time where nobody knows which samples a batch has.
        """

        def computed(X: object, name: str) -> object:
            try:
                return function(X)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                if isinstance(error, NotFittedError):
                    raise ValueError(f"{label} cannot be used: {error}") from error
                shape = getattr(X, "shape", None)
                of = f", of shape {tuple(shape)}" if shape is not None else ""
                raise ValueError(
                    f"{label} cannot take {name}{of}: {str(error).rstrip('.')}. {_GIVEN}"
                ) from error

        names, rows = self._names(), {}
        for key, data in self._data.items():
            if is_dataset(data):
                continue
            rows[key] = _rows(computed(data, names[key]), label, keeps_integers=keeps_integers)
            if len(rows[key]) != n_rows(data):
                raise ValueError(
                    f"{label} must give a row for each of the {n_rows(data)} samples of "
                    f"{names[key]}. Got {len(rows[key])} rows instead."
                )
        batches = None if self._replaced else partial(computed, name="a batch of X")
        return Side(frozen, rows=rows, function=batches)


def _check_columns(source: BaseEstimator, X: Any, cannot: str) -> None:
    """Refuse columns in another order than those that a network without steps was fitted on."""
    try:
        as_innermost_sees(source, X)
    except ValueError as error:
        raise ValueError(f"{cannot}: {str(error).rstrip()} {_GIVEN}") from error


def _rows(values: object, name: str, *, keeps_integers: bool) -> Rows:
    if is_dataset(values):
        raise TypeError(
            f"{name} must be an array-like of shape (n_samples, ...), or a mapping of these. Got "
            f"{type(values).__name__}, a Dataset. A memory map, np.load(..., mmap_mode='r'), is "
            "read a batch at a time."
        )
    try:
        return ArrayRows(values, keeps_integers=keeps_integers)
    except ValueError as error:
        raise ValueError(
            f"{name} gives nothing that a network takes: {str(error).rstrip('.')}. It must be "
            "an array of numbers with a row for each sample."
        ) from error
