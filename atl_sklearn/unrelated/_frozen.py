"""A frozen network: the unrelated one, as one fit sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import torch

from atl_sklearn.similarity import spatial_mean
from atl_sklearn.unrelated._choosing import LayerChoice, choose_layers, is_posterior
from atl_sklearn.unrelated._copies import private_copy
from atl_sklearn.unrelated._forms import is_exported, lazy_layers, trained_for_good
from atl_sklearn.unrelated._hooks import ActivationHooks, HookPoint
from atl_sklearn.unrelated._indices import as_indices
from atl_sklearn.unrelated._layers import Layer, LayerList
from atl_sklearn.unrelated._rows import Samples
from atl_sklearn.unrelated._task import TaskDirections, fit_directions
from atl_sklearn.unrelated._tracing import Trial, trace_layers


def floating_dtype(network: torch.nn.Module) -> torch.dtype | None:
    """Return the floating type of a network's parameters (or buffers), None without any."""
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():
            return tensor.dtype
    return None


_N_SHOWN = 5  # positions that an error names


def to_probabilities(output: torch.Tensor) -> torch.Tensor:
    """Return the softmax over the classes of scores, or the sigmoid of a single score."""
    if output.ndim > 1 and output.shape[1] > 1:
        return output.softmax(dim=1)
    return output.sigmoid()


_T = TypeVar("_T")


class FrozenNetwork:
    """The activations of a network that is never trained.

    A plain holder and not a module, so that no optimiser finds its parameters and no
    ``train()`` reaches it.

    Parameters
    ----------
    network : torch.nn.Module
        The unrelated network. It is used in evaluation mode, without changing it: its weights are
        shared, and its buffers are copied.
    device : str or torch.device, default="cpu"
        Where it runs.
    label : str, default="The unrelated network"
        What errors call it.
    nonlinearity : callable or None, default=None
        Makes the layer ``"posterior"`` of what the network returns; None for
        :func:`to_probabilities`.
    given : str, default="the data that the target network takes"
        What errors call the data that it is given.

    Attributes
    ----------
    is_plain : bool
        Whether `nonlinearity` was left open, so that its output may not be scores of classes.

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
        given: str = "the data that the target network takes",
    ) -> None:
        _check_ready(network, label)
        self._network = private_copy(network).to(device)
        self._device = device
        self._dtype = floating_dtype(network)
        # Whether it takes as integers what the target network takes as floats, or the reverse.
        self._other_kind = False
        # Whether it writes into what it is given, which is not its own. What it is given while
        # this is found out is kept.
        self._writes = True
        self._given_inputs: list[torch.Tensor] | None = None
        self._label = label
        self._given = given
        self._nonlinearity = nonlinearity or to_probabilities
        self.is_plain = nonlinearity is None
        self._layers: list[Layer] = []
        self._directions: dict[int, TaskDirections] = {}
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
    def chosen(self) -> list[tuple[HookPoint, object]]:
        """Where the chosen activations are read, and what is made of them."""
        return [
            (layer.point, _parts_of(self._directions.get(place, layer.name)))
            for place, layer in enumerate(self._layers)
        ]

    def _forward(self, X: Samples) -> object:
        try:
            return self._run(X)
        except Exception as error:
            if not any(map(is_exported, self._network.modules())):
                raise
            raise ValueError(
                f"{str(error).rstrip('.')}. A network is exported for any number of samples by "
                "torch.export.export(..., dynamic_shapes=...) with the first axis named in it"
            ) from error

    def _run(self, X: Samples) -> object:
        if isinstance(X, Mapping):
            return self._network(**{key: self._cast(value) for key, value in X.items()})
        return self._network(self._cast(X))

    def _cast(self, X: _T) -> _T | torch.Tensor:
        if not isinstance(X, torch.Tensor):
            return X
        if self._other_kind and X.is_floating_point():
            return as_indices(X.to(device=self._device))
        floating = X.is_floating_point() or self._other_kind
        kind = self._dtype if floating and self._dtype is not None else X.dtype
        given = X.to(device=self._device, dtype=kind, copy=self._writes)
        if self._given_inputs is not None:
            self._given_inputs.append(given)
        return given

    def _trace(self, X: Samples) -> Trial:
        """Run the whole network, and find out whether it writes into what it is given."""
        self._writes, self._given_inputs = True, []
        try:
            return trace_layers(self._network, lambda: self._forward(X))
        finally:
            # As one that begins with a ReLU(inplace=True). What is written behind torch's back
            # (x.data, x.numpy()), or only for other samples, is not seen.
            self._writes = any(given._version for given in self._given_inputs)
            self._given_inputs = None

    def list_layers(self, X: Samples) -> LayerList:
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

    def _try_out(self, X: Samples) -> Trial:
        try:
            return self._trace(X)
        except Exception as error:
            self._other_kind = isinstance(X, torch.Tensor)
            with suppress(Exception):
                return self._trace(X)
            self._other_kind = False
            shape = tuple(X.shape) if isinstance(X, torch.Tensor) else "that of a mapping"
            raise ValueError(
                f"{self._label} cannot take {self._given}, of shape {shape} (a few samples): "
                f"{str(error).rstrip('.')}. It must have been fitted on data of the same shape, or "
                "be given data of its own as X_unrelated."
            ) from error

    def choose(
        self, layer: LayerChoice, X: Samples, *, parameter: str = "unrelated_layer"
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
        self._directions = {}
        points = [layer.point for layer in self._layers]
        self._hooks = ActivationHooks(self._network, points, stop=True, handed_over=True)
        found = trial.activations(self._layers)
        return self(X) if found is None else self._finished(found)

    def check_finite(
        self,
        activations: Sequence[torch.Tensor],
        of: str,
        index: object = None,
    ) -> None:
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

    def __call__(self, X: Samples) -> list[torch.Tensor]:
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
                self._hooks.take("", self._forward(X))
            return self._finished(self._hooks.activations())

    @torch.no_grad()
    def _finished(self, activations: list[torch.Tensor]) -> list[torch.Tensor]:
        finished = []
        for place, (layer, x) in enumerate(zip(self._layers, activations, strict=True)):
            if is_posterior(layer):
                x = self._nonlinearity(x)
            elif place in self._directions:
                x = self._directions[place](x).to(x.dtype)
            finished.append(x)
        return finished

    @property
    def learns_directions(self) -> bool:
        """Whether :meth:`learn_directions` is needed: if a chosen layer is ``"task"``."""
        return any(layer.kind == "task" for layer in self._layers)

    @torch.no_grad()
    def learn_directions(self, batches: Iterable[Samples]) -> None:
        """Learn which directions of its features matter for the network's own task.

        Parameters
        ----------
        batches : iterable of Tensor of shape (n_samples, ...) or mapping of these
            The samples to learn from. Calls return the features in these directions afterwards.

        Raises
        ------
        ValueError
            If the network answers the same for all of them, or not for each sample.
        """
        chosen, hooks = self._layers, self._hooks
        self._directions = {}
        batches = list(batches)
        answer = choose_layers("posterior", self._try_out(batches[0]).layers)
        places = [place for place, layer in enumerate(chosen) if layer.kind == "task"]
        self._layers = [chosen[place] for place in places] + answer
        points = [layer.point for layer in self._layers]
        self._hooks = ActivationHooks(self._network, points, handed_over=True)
        try:
            rows = [[spatial_mean(x).float().cpu() for x in self(X)] for X in batches]
        finally:
            self._hooks.remove()
            self._layers, self._hooks = chosen, hooks
        *features, answers = (torch.cat(column) for column in zip(*rows, strict=True))
        for place, x in zip(places, features, strict=True):
            weight = self._read_out(chosen[place])
            try:
                found = fit_directions(
                    x,
                    read_out=weight,
                    answers=answers.flatten(1),
                    contrasts=self._compares_scores(weight),
                )
            except ValueError as error:
                raise ValueError(
                    f"unrelated_layer='task' finds nothing in {self._label[0].lower()}"
                    f"{self._label[1:]}: {error}. Take another layer, such as 'last'."
                ) from error
            self._directions[place] = found.to(self._device)

    def _read_out(self, layer: Layer) -> torch.Tensor | None:
        """Return the weight of the layer that makes the answers, where one does."""
        if not layer.of_input:
            return None
        weight = getattr(self._network.get_submodule(layer.module), "weight", None)
        weight = weight() if callable(weight) else weight  # of a quantised one
        assert isinstance(weight, torch.Tensor)
        return (weight.dequantize() if weight.is_quantized else weight).float().cpu()

    def _compares_scores(self, weight: torch.Tensor | None) -> bool:
        """Tell whether adding a number to all scores changes no answer, as with a softmax."""
        if weight is None or len(weight) < 2:
            return False
        scores = torch.arange(2.0 * len(weight), device=self._device).reshape(2, -1).sin()
        return torch.allclose(self._nonlinearity(scores), self._nonlinearity(scores + 1), atol=1e-4)


def _parts_of(made: object) -> object:
    """Return what directions are made of, by which they are told from others."""
    return [made.mean, made.basis] if isinstance(made, TaskDirections) else made


def _check_ready(network: torch.nn.Module, label: str) -> None:
    """Refuse networks whose answers mean nothing yet, or change from call to call."""
    lazy = lazy_layers(network)
    if lazy:
        raise ValueError(
            f"{label} has lazy layers that never ran, so that {lazy[0]!r} has no values: it was "
            "not trained. Train it, or load its weights, before it is passed."
        )
    reason = trained_for_good(network)
    if reason:
        raise ValueError(
            f"{label} was exported in training mode ({reason}), which cannot be changed later. "
            "Call eval() of the network before torch.export.export."
        )
