"""The unrelated side of a comparison: what it is given for a batch, and what it says of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from atl_sklearn._validation import did_you_mean, shown
from atl_sklearn.unrelated._choosing import OUTPUTS, LayerChoice, as_choices
from atl_sklearn.unrelated._frozen import FrozenNetwork
from atl_sklearn.unrelated._layers import LayerList
from atl_sklearn.unrelated._rows import ArrayRows, Rows, Samples


class Frozen(Protocol):
    """What makes activations of samples, and is never trained."""

    def choose(self, layer: LayerChoice, X: Samples, *, parameter: str = ...) -> list[torch.Tensor]:
        """Choose what a call returns, and return that of a few samples."""

    def check_finite(
        self, activations: Sequence[torch.Tensor], of: str, index: object = ...
    ) -> None:
        """Refuse activations that are not finite."""

    def __call__(self, X: Samples) -> list[torch.Tensor]:
        """Return the chosen activations of samples."""


class FrozenValues:
    """Numbers that are compared as they are: they have no layers.

    Parameters
    ----------
    device : str or torch.device
        Where they are wanted.
    dtype : torch.dtype
        In which type.
    label : str
        What errors call them.
    are_probabilities : bool
        Whether they are what ``"posterior"`` asks for.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._sides import FrozenValues
    >>> values = FrozenValues("cpu", torch.float32, label="Z", are_probabilities=False)
    >>> [x.shape for x in values.choose("output", torch.zeros(2, 3))]
    [torch.Size([2, 3])]
    """

    def __init__(
        self, device: str | torch.device, dtype: torch.dtype, *, label: str, are_probabilities: bool
    ) -> None:
        self._device = device
        self._dtype = dtype
        self._label = label
        self._are_probabilities = are_probabilities
        self._n_layers = 1

    def choose(
        self, layer: LayerChoice, X: Samples, *, parameter: str = "unrelated_layer"
    ) -> list[torch.Tensor]:
        """Choose what a call returns, and return that of a few samples.

        Parameters
        ----------
        layer : str, int or list of these
            ``"output"``, or ``"posterior"`` of probabilities. Of the parameter ``layer``, which
            names those of the trained network, only the number counts.
        X : Tensor of shape (n_samples, ...)
            A few samples.
        parameter : str, default="unrelated_layer"
            Name of the parameter in errors.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            What a call with `X` returns.

        Raises
        ------
        ValueError
            If another layer is asked for.
        """
        choices = as_choices(layer, parameter)
        known = OUTPUTS[: 1 + self._are_probabilities]
        for choice in choices:
            if parameter != "layer" and choice not in known:
                why = "has no layers"
                if choice == "posterior":
                    why = "gives no probabilities"
                raise ValueError(
                    f"{self._label} {why}, so that the {parameter!r} parameter must be None or "
                    f"{' or '.join(map(repr, known))}. Got {shown(choice)} instead. "
                    f"{did_you_mean(choice, known)}".rstrip()
                )
        self._n_layers = len(choices)
        return self(X)

    def check_finite(
        self, activations: Sequence[torch.Tensor], of: str, index: object = None
    ) -> None:
        """Refuse values that are NaN or infinite.

        Parameters
        ----------
        activations : list of Tensor of shape (n_samples, ...)
            What a call returned.
        of : str
            What errors call the data.
        index : object, default=None
            Positions of the samples; not used.

        Raises
        ------
        ValueError
            If one of them is not finite in the floating type in which it is compared.
        """
        for x in activations[:1]:
            finite = torch.isfinite(x.reshape(len(x), -1)).all(dim=1)
            if not bool(finite.all()):
                raise ValueError(
                    f"{self._label} has NaN or infinite values for {int((~finite).sum())} of "
                    f"{len(x)} samples of {of}, in {str(self._dtype).removeprefix('torch.')}. "
                    "Leave these samples out, or scale the values."
                )

    def __call__(self, X: Samples) -> list[torch.Tensor]:
        """Return the values, once for each layer that they are compared with.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            On the device, in the floating type.
        """
        assert isinstance(X, torch.Tensor)
        return [X.to(device=self._device, dtype=self._dtype)] * self._n_layers


class Side:
    """One unrelated task in one fit.

    Parameters
    ----------
    frozen : FrozenNetwork or FrozenValues
        What makes activations of samples.
    rows : mapping of bool to Rows, default={}
        What it is given for samples of the training data (False) and of the unlabeled data
        (True), instead of the batch that the trained network is given.
    function : callable or None, default=None
        Makes what it is given of an array of such a batch, where there are no `rows` or nobody
        knows which samples the batch has.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from atl_sklearn.unrelated._rows import ArrayRows
    >>> from atl_sklearn.unrelated._sides import FrozenValues, Side
    >>> values = FrozenValues("cpu", torch.float32, label="Z", are_probabilities=False)
    >>> side = Side(values, rows={False: ArrayRows(np.arange(4.0)[:, None])})
    >>> side(torch.zeros(2, 8), [3, 1], unlabeled=False)
    [tensor([[3.],
            [1.]])]
    """

    def __init__(
        self,
        frozen: Frozen,
        *,
        rows: Mapping[bool, Rows] | None = None,
        function: Callable[[object], object] | None = None,
    ) -> None:
        self.frozen = frozen
        self.rows = dict(rows or {})
        self._function = function

    def needs_positions(self, *, unlabeled: bool) -> bool:
        """Tell whether it must be told which samples a batch has."""
        return unlabeled in self.rows and self._function is None

    @property
    def computes(self) -> bool:
        """Whether a batch has to be computed, so that it pays to keep the results."""
        return not (isinstance(self.frozen, FrozenValues) and self.rows)

    def _given(self, X: Samples, positions: object, *, unlabeled: bool) -> Samples:
        if unlabeled in self.rows and positions is not None:
            return self.rows[unlabeled].take(np.asarray(positions, dtype=np.int64))
        if self.needs_positions(unlabeled=unlabeled):
            raise RuntimeError(
                "A batch does not say which samples it has, which the unrelated side needs."
            )
        if self._function is None:
            return X
        found = ArrayRows(self._function(_as_arrays(X)))
        return found.take(np.arange(len(found)))

    def choose(self, layer: LayerChoice, X: Samples, *, parameter: str) -> list[torch.Tensor]:
        """Choose layers, and return the activations of the first samples of the training data.

        Parameters
        ----------
        layer : str, int or list of these
            As :class:`FrozenNetwork` takes it.
        X : Tensor of shape (n_samples, ...) or mapping of these
            The first samples, as the trained network takes them.
        parameter : str
            Name of the parameter in errors.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            One for each layer.
        """
        given = self._given(X, range(_length(X)), unlabeled=False)
        return self.frozen.choose(layer, given, parameter=parameter)

    def __call__(
        self, X: Samples, positions: object, *, unlabeled: bool, changed: bool = False
    ) -> list[torch.Tensor]:
        """Return the activations of the chosen layers for a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The batch, as the trained network takes it.
        positions : sequence of int or None
            Which samples it has; None where that is not known.
        unlabeled : bool
            Whether they are of the unlabeled data.
        changed : bool, default=False
            Whether the samples may have changed, so that the activations are computed from the
            batch where possible, and not looked up.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            One for each layer, without gradients.
        """
        if changed and self._function is not None:
            positions = None
        return self.frozen(self._given(X, positions, unlabeled=unlabeled))

    def list_layers(self, X: Samples) -> LayerList | None:
        """Return the layers that run on the first samples of the training data; None without any.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            The first samples, as the trained network takes them.

        Returns
        -------
        layers : LayerList or None
            In the order in which they run.
        """
        if not isinstance(self.frozen, FrozenNetwork):
            return None
        return self.frozen.list_layers(self._given(X, range(_length(X)), unlabeled=False))

    @property
    def learns_directions(self) -> bool:
        """Whether :meth:`learn_directions` is needed."""
        return isinstance(self.frozen, FrozenNetwork) and self.frozen.learns_directions

    def learn_directions(self, batches: Sequence[tuple[Samples, Sequence[int]]]) -> None:
        """Learn which directions of its features matter for the network's own task.

        Parameters
        ----------
        batches : sequence of (X, positions)
            Samples of the training data.
        """
        assert isinstance(self.frozen, FrozenNetwork)
        given = [self._given(X, positions, unlabeled=False) for X, positions in batches]
        self.frozen.learn_directions(given)

    def identity(self, *, unlabeled: bool) -> tuple[list[torch.nn.Module], list[object]]:
        """Return what tells its activations from others: networks, and anything else.

        Parameters
        ----------
        unlabeled : bool
            Whether they are those of the unlabeled data.
        """
        if not isinstance(self.frozen, FrozenNetwork):
            return [], []
        chosen = [(point.name, point.run, kind) for point, kind in self.frozen.chosen]
        how: list[object] = [self.frozen.nonlinearity, chosen]
        rows = self.rows.get(unlabeled)
        return [self.frozen.network], [*how, rows.values] if rows else how


def _length(X: Samples) -> int:
    return len(next(iter(X.values())) if isinstance(X, Mapping) else X)


def _as_arrays(X: Samples) -> object:
    if isinstance(X, Mapping):
        return {key: x.cpu().numpy() for key, x in X.items()}
    return X.cpu().numpy()
