"""A frozen network: the unrelated one, as one fit sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn.unrelated._hooks import ActivationHooks, HookPoint
from atl_sklearn.unrelated._layers import (
    Layer,
    LayerChoice,
    LayerList,
    Trial,
    choose_layers,
    is_posterior,
    trace_layers,
)
from atl_sklearn.unrelated._sources import get_network, get_nonlinearity
from atl_sklearn.unrelated._sparse import dense_rows, sliceable


def floating_dtype(network: torch.nn.Module) -> torch.dtype | None:
    """Return the floating type of a network's parameters (or buffers), None without any."""
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():
            return tensor.dtype
    return None


def private_copy(network: torch.nn.Module) -> torch.nn.Module:
    """Copy the structure and the buffers of a network and share its parameters.

    Hooks, modes and devices of the copy are its own, so that fits in other threads, and the
    user's network, never see them; the parameters, which nothing here writes, take no second
    place in memory.

    Parameters
    ----------
    network : torch.nn.Module
        The network to copy; nothing of it changes.

    Returns
    -------
    copied : torch.nn.Module
        In evaluation mode, its parameters without gradients.
    """
    memo: dict[int, Any] = {}
    for module in network.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                memo[id(parameter)] = torch.nn.Parameter(parameter.detach(), requires_grad=False)
        for value in vars(module).values():
            # Tensors computed from parameters (weight normalisation keeps one) do not deepcopy.
            if isinstance(value, torch.Tensor):
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(network, memo).eval()


_N_SHOWN = 5  # positions that an error names


def _takes_indices(network: torch.nn.Module) -> bool:
    return any(isinstance(m, torch.nn.Embedding | torch.nn.EmbeddingBag) for m in network.modules())


class SparseRows:
    """Sparse data, of which slices are tensors.

    Parameters
    ----------
    data : sparse matrix or array of shape (n_samples, n_features)
        The data.
    """

    def __init__(self, data: Any) -> None:
        self._data = sliceable(data)

    def __len__(self) -> int:
        return int(self._data.shape[0])

    def __getitem__(self, rows: slice) -> torch.Tensor:
        found = torch.from_numpy(dense_rows(self._data, rows))
        return found if found.is_floating_point() else found.float()


def as_tensors(network: torch.nn.Module, X: Any) -> torch.Tensor | SparseRows:
    """Return data of which slices are tensors that a network takes.

    Parameters
    ----------
    network : torch.nn.Module
        Whole numbers stay what they are where it looks them up in a table.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        The data, as the network itself is to see them.

    Returns
    -------
    data : Tensor of shape (n_samples, ...) or SparseRows
        Without a copy where none is needed.
    """
    if issparse(X):
        return SparseRows(X)
    data = X if isinstance(X, torch.Tensor) else torch.as_tensor(np.asarray(X))
    return data if data.is_floating_point() or _takes_indices(network) else data.float()


def freeze(estimator: Any, X: Any) -> tuple[FrozenNetwork, Any]:
    """Return the network in an estimator, frozen where it is, and data as it takes them.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        As :func:`get_network` takes it.
    X : array-like, sparse matrix or Tensor of shape (n_samples, ...)
        Data as `estimator` takes it.

    Returns
    -------
    frozen : FrozenNetwork
        The network.
    data : Tensor of shape (n_samples, ...) or SparseRows
        After the other steps of a pipeline; slices are tensors.
    """
    network = get_network(estimator)
    data = as_tensors(network, as_innermost_sees(estimator, X))
    devices = {tensor.device for tensor in [*network.parameters(), *network.buffers()]}
    device = next(iter(devices), torch.device("cpu"))
    label = type(estimator).__name__
    nonlinearity = get_nonlinearity(estimator)
    return FrozenNetwork(network, device=device, label=label, nonlinearity=nonlinearity), data


def to_probabilities(output: torch.Tensor) -> torch.Tensor:
    """Return the softmax over the classes of scores, or the sigmoid of a single score."""
    if output.ndim > 1 and output.shape[1] > 1:
        return output.softmax(dim=1)
    return output.sigmoid()


class FrozenNetwork:
    """The activations of a network that is never trained.

    A plain holder and not a module, so that no optimiser finds its parameters and no
    ``train()`` reaches it.

    Parameters
    ----------
    network : torch.nn.Module
        The unrelated network; copied, so that it stays as it is.
    device : str or torch.device, default="cpu"
        Where it runs.
    label : str, default="The unrelated network"
        What errors call it.
    nonlinearity : callable or None, default=None
        Makes the layer ``"posterior"`` of what the network returns; None for
        :func:`to_probabilities`.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated import FrozenNetwork
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> frozen = FrozenNetwork(net)
    >>> X = torch.zeros(3, 4)
    >>> _ = frozen.choose(["last", "2"], X)
    >>> [activations.shape for activations in frozen(X)]
    [torch.Size([3, 8]), torch.Size([3, 2])]
    """

    def __init__(
        self,
        network: torch.nn.Module,
        *,
        device: str | torch.device = "cpu",
        label: str = "The unrelated network",
        nonlinearity: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self._network = private_copy(network).to(device)
        self._device = device
        self._dtype = floating_dtype(network)
        self._label = label
        self._nonlinearity = nonlinearity or to_probabilities
        self._layers: list[Layer] = []
        self._hooks = ActivationHooks(self._network, [])

    @property
    def network(self) -> torch.nn.Module:
        """The network's copy."""
        return self._network

    @property
    def nonlinearity(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """What makes the layer ``"posterior"`` of what the network returns."""
        return self._nonlinearity

    @property
    def chosen(self) -> list[tuple[HookPoint, str]]:
        """Where the chosen activations are read, and what is made of them."""
        return [(layer.point, layer.name) for layer in self._layers]

    def _forward(self, X: Any) -> Any:
        if isinstance(X, Mapping):
            return self._network(**{key: self._cast(value) for key, value in X.items()})
        return self._network(self._cast(X))

    def _cast(self, X: Any) -> Any:
        if not isinstance(X, torch.Tensor):
            return X
        floating = X.is_floating_point() and self._dtype is not None
        return X.to(device=self._device, dtype=self._dtype if floating else X.dtype)

    def list_layers(self, X: Any) -> LayerList:
        """List the layers that run on a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            A few samples.

        Returns
        -------
        layers : LayerList
            In the order in which they run.

        Raises
        ------
        ValueError
            If the network cannot take `X`.
        """
        return self._try_out(X).layers

    def _try_out(self, X: Any) -> Trial:
        try:
            return trace_layers(self._network, lambda: self._forward(X))
        except Exception as error:
            shape = tuple(X.shape) if isinstance(X, torch.Tensor) else "that of a mapping"
            raise ValueError(
                f"{self._label} cannot take the data that the target network takes, of shape "
                f"{shape} (a few samples): {str(error).rstrip('.')}. It must have been fitted on "
                "data of the same shape; of a Pipeline only the last step is used."
            ) from error

    def choose(
        self, layer: LayerChoice, X: Any, *, parameter: str = "unrelated_layer"
    ) -> list[torch.Tensor]:
        """Choose the layers whose activations a call returns, and return those of a few samples.

        Parameters
        ----------
        layer : str, int or list of these
            As :func:`choose_layers` takes it.
        X : Tensor of shape (n_samples, ...) or mapping of these
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
            If there is no such layer, or the network cannot take `X`.
        """
        trial = self._try_out(X)
        self._layers = choose_layers(layer, trial.layers, parameter=parameter)
        self._hooks.remove()
        self._hooks = ActivationHooks(
            self._network, [layer.point for layer in self._layers], stop=True
        )
        found = trial.activations(self._layers)
        return self(X) if found is None else self._finished(found)

    def check_finite(self, activations: Sequence[torch.Tensor], of: str, index: Any = None) -> None:
        """Refuse activations that are NaN or infinite.

        Parameters
        ----------
        activations : list of Tensor of shape (n_samples, ...)
            What a call returned.
        of : str
            What errors call the data.
        index : sequence of int or None, default=None
            Positions of the samples in the data; None where they are not known.

        Raises
        ------
        ValueError
            If one of them is not finite.
        """
        for layer, x in zip(self._layers, activations, strict=True):
            if bool(torch.isfinite(x).all()):
                continue
            finite = torch.isfinite(x.reshape(len(x), -1)).all(dim=1).cpu()
            found = (~finite).nonzero().flatten()
            where = ""
            if index is not None:
                first = torch.as_tensor(index)[found][:_N_SHOWN].tolist()
                more = ", ..." if len(found) > _N_SHOWN else ""
                where = f", at positions {', '.join(map(str, first))}{more}"
            raise ValueError(
                f"{self._label} has NaN or infinite activations in layer {layer.name!r}, for "
                f"{len(found)} of {len(x)} samples of {of}{where}. {self._remedy()}"
            )

    def _remedy(self) -> str:
        for name, value in self._network.state_dict().items():
            if isinstance(value, torch.Tensor) and not bool(torch.isfinite(value).all()):
                return f"Its {name!r} is not finite: fit it anew, or load weights that are."
        return (
            "Its weights are finite, so the samples are not, or too large for it: scale them, or "
            "in half precision take precision='bfloat16' or 'float32'."
        )

    def __call__(self, X: Any) -> list[torch.Tensor]:
        """Return the activations of the chosen layers, running no deeper than they lie.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...) or mapping of these
            A batch.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            One for each chosen layer, without gradients.
        """
        # Not inference_mode: some losses cannot take its tensors.
        with torch.no_grad():
            with self._hooks.read():
                self._forward(X)
            return self._finished(self._hooks.activations())

    @torch.no_grad()
    def _finished(self, activations: list[torch.Tensor]) -> list[torch.Tensor]:
        return [
            self._nonlinearity(activation) if is_posterior(layer) else activation
            for layer, activation in zip(self._layers, activations, strict=True)
        ]
