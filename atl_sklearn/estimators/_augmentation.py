"""What changes training samples, each with random numbers of its own."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from atl_sklearn._validation import is_bool, refuse, shown
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._seeding import own_random_numbers

KEEPS = ("all", "same_answer")
AUGMENT_PREFIX = "augment__"
_MOST = 2**31 - 1
_MUST = "None, a transformer, a callable that takes tensors, or a list of these"


def steps_of(augment: object) -> list[Any]:
    """Return the steps of an augmentation, in their order."""
    if augment is None:
        return []
    return list(augment) if isinstance(augment, list | tuple) else [augment]


def _is_transformer(step: object) -> bool:
    return hasattr(step, "fit_transform") and not isinstance(step, torch.nn.Module)


def check_augment(net: Net) -> None:
    """Check the parameters of augmentation, as far as possible without data.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.

    Raises
    ------
    ValueError
        If a parameter is wrong.
    """
    steps = steps_of(net.augment)
    for step in steps:
        if isinstance(step, type):
            raise refuse(net, "augment", _MUST, f"{step.__name__} is a class: pass an instance.")
        if not _is_transformer(step) and not callable(step):
            raise refuse(net, "augment", _MUST, f"{shown(step)} is none of these.")
    kinds = [_is_transformer(step) for step in steps]
    if kinds != sorted(kinds, reverse=True):
        must = "a list in which the transformers come before the callables"
        why = "Callables are given tensors where the network is, transformers arrays before."
        raise refuse(net, "augment", must, why)
    if not is_bool(net.augment_unrelated):
        raise refuse(net, "augment_unrelated", "True or False")
    if not isinstance(net.augment_keep, str) or net.augment_keep not in KEEPS:
        raise refuse(net, "augment_keep", f"one of {sorted(KEEPS)}")
    if steps and net.augment_keep == "same_answer" and net.unrelated is None:
        why = "There is no 'unrelated' that could answer."
        raise refuse(net, "augment_keep", "'all' for a network without an unrelated one", why)


def set_augment_parameters(augment: Any, names: Mapping[str, object], whose: str) -> None:
    """Set parameters of `augment` itself, where it is one transformer that has some.

    Parameters
    ----------
    augment : object
        The parameter.
    names : mapping
        From the full name to the value.
    whose : str
        Name of the class whose parameter it is.

    Raises
    ------
    ValueError
        If it has no parameters, or none of such a name.
    """
    if not hasattr(augment, "set_params"):
        raise ValueError(
            f"{min(names)!r} cannot be set: the 'augment' parameter of {whose} must be one "
            f"transformer for that. Got {shown(augment)}. A search can have several lists, or "
            "callables, among the values of 'augment'."
        )
    augment.set_params(**{name[len(AUGMENT_PREFIX) :]: value for name, value in names.items()})


def stream_of(seed: int, which: int, epoch: int, position: int) -> np.random.Generator:
    """Return the random numbers of one sample in one epoch.

    Parameters
    ----------
    seed : int
        That of the fit.
    which : int
        The data set, and where it is changed.
    epoch, position : int
        Counted from 0; the position is that in the whole data.
    """
    return np.random.default_rng((seed, which, epoch, position))


@contextmanager
def _speaking(rng: np.random.Generator, device: torch.device | str) -> Iterator[None]:
    """Let the libraries' generators draw from a stream in the block; restore them afterwards."""
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002 - libraries' own
    try:
        np.random.seed(int(rng.integers(_MOST)))  # noqa: NPY002
        random.seed(int(rng.integers(_MOST)))
        with own_random_numbers(int(rng.integers(_MOST)), device):
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)


class Transformers:
    """Transformers that change arrays sample by sample, on the CPU.

    Parameters
    ----------
    steps : sequence of transformers
        Copies of them are used. One with a method ``augment_clip(clip, rng)``, as those of
        :mod:`atl_sklearn.audio` have, is fitted once, and called for each sample; of any other,
        ``fit_transform`` is called on each, with a new seed wherever it has a ``random_state``.
    few : ndarray of shape (n_few, ...)
        A few samples, which they are fitted on.
    """

    def __init__(self, steps: Sequence[Any], few: np.ndarray) -> None:
        self._steps = [clone(step, safe=False) for step in steps]
        for step in self._steps:
            if hasattr(step, "augment_clip"):
                step.fit(few)

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self, X: np.ndarray, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """Return samples changed.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            A batch.
        rngs : sequence of numpy.random.Generator
            One for each sample.
        """
        for step in self._steps:
            changed = [_changed(step, x, rng) for x, rng in zip(X, rngs, strict=True)]
            X = _like(X, np.stack(changed), step)
        return X


def _changed(step: Any, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if hasattr(step, "augment_clip"):
        return np.asarray(step.augment_clip(x, rng))
    if hasattr(step, "get_params"):
        names = sorted(n for n in step.get_params() if f"__{n}".endswith("__random_state"))
        step = clone(step).set_params(**{name: int(rng.integers(_MOST)) for name in names})
    with _speaking(rng, "cpu"):
        return np.asarray(step.fit_transform(x[np.newaxis]))[0]


def _like(X: np.ndarray, found: np.ndarray, step: object) -> np.ndarray:
    if found.shape != X.shape or (found.dtype.kind == "f") != (X.dtype.kind == "f"):
        raise ValueError(
            f"{shown(step)} must return samples of the shape and kind that it is given, "
            f"{X.shape[1:]} of {X.dtype}. It returned {found.shape[1:]} of {found.dtype}."
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{shown(step)} makes samples that are NaN or infinite.")
    return found.astype(X.dtype, copy=False)


class Functions:
    """Callables that change tensors, where the network is.

    Parameters
    ----------
    steps : sequence of callables
        Modules are copied to the device. A callable with a parameter ``rngs`` is called once a
        batch with one :class:`numpy.random.Generator` for each sample; any other for each sample
        alone, while torch's, NumPy's and Python's generators draw from that sample's stream.
    device : torch.device
        Where the network is.
    """

    def __init__(self, steps: Sequence[Callable[..., object]], device: torch.device) -> None:
        self._device = device
        self._steps = [
            deepcopy(step).to(device) if isinstance(step, torch.nn.Module) else step
            for step in steps
        ]

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self, X: torch.Tensor, rngs: Sequence[np.random.Generator]) -> torch.Tensor:
        """Return samples changed.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...)
            A batch on the device.
        rngs : sequence of numpy.random.Generator
            One for each sample.
        """
        for step in self._steps:
            if _takes_rngs(step):
                found = self._checked(step, X, step(X, rngs=list(rngs)))
            else:
                alone = []
                for x, rng in zip(X.split(1), rngs, strict=True):
                    with _speaking(rng, self._device):
                        alone.append(self._checked(step, x, step(x)))
                found = torch.cat(alone)
            X = found
        return X

    def _checked(self, step: object, X: torch.Tensor, found: object) -> torch.Tensor:
        if (
            not isinstance(found, torch.Tensor)
            or found.shape != X.shape
            or found.is_floating_point() != X.is_floating_point()
        ):
            got = shown(found)
            if isinstance(found, torch.Tensor):
                got = f"{tuple(found.shape)} of {found.dtype}"
            raise ValueError(
                f"{shown(step)} must return a tensor of the shape and kind that it is given, "
                f"{tuple(X.shape)} of {X.dtype}. It returned {got}."
            )
        # On a GPU this check would have to wait; there, the loss is checked instead.
        if X.device.type == "cpu" and not bool(torch.isfinite(found).all()):
            raise ValueError(f"{shown(step)} makes samples that are NaN or infinite.")
        return found.to(X)


def _takes_rngs(step: Any) -> bool:
    function = step.forward if isinstance(step, torch.nn.Module) else step
    try:
        return "rngs" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of builtins
        return False


def split_steps(augment: object) -> tuple[list[Any], list[Any]]:
    """Return the transformers and the callables of an augmentation."""
    steps = steps_of(augment)
    return (
        [step for step in steps if _is_transformer(step)],
        [step for step in steps if not _is_transformer(step)],
    )
