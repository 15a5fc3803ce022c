"""Random numbers of one fit, apart from everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from atl_sklearn._generator import forked_generator


def _cuda_devices(device: torch.device | str | None) -> list[int]:
    if device is None or torch.device(device).type != "cuda":
        return []
    return [torch.device(device).index or 0]


@contextmanager
def own_random_numbers(seed: int, device: torch.device | str | None) -> Iterator[None]:
    """Let the block draw from a stream of its own; the running one goes on as if it had not.

    Parameters
    ----------
    seed : int
        Where the block's stream starts.
    device : str or torch.device
        Where the block draws, besides the CPU.
    """
    cuda = _cuda_devices(device)
    with forked_generator(cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield


def random_states(device: torch.device | str | None) -> dict[str, np.ndarray]:
    """Return the states of torch's generators: of the CPU, and of a GPU where there is one.

    Parameters
    ----------
    device : str or torch.device
        Where a network trains.

    Returns
    -------
    states : dict of str to ndarray
        Arrays, which every format of files holds.
    """
    states = {"cpu": torch.get_rng_state().numpy()}
    return states | {
        f"cuda:{index}": torch.cuda.get_rng_state(index).numpy() for index in _cuda_devices(device)
    }


def set_random_states(states: dict[str, np.ndarray]) -> None:
    """Let torch's generators go on from what :func:`random_states` returned."""
    for name, state in states.items():
        if name == "cpu":
            torch.set_rng_state(torch.as_tensor(state))
        else:
            torch.cuda.set_rng_state(torch.as_tensor(state), name)


class RandomStream:
    """The random numbers of one network's training, continued from fit to fit.

    Parameters
    ----------
    seed : int
        Where the stream starts.
    """

    _travels = True  # in files of estimators

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._states: dict[str, np.ndarray] = {}

    @contextmanager
    def active(self, device: torch.device | str | None) -> Iterator[None]:
        """Let torch's generators draw from this stream in the block; restore them afterwards.

        Parameters
        ----------
        device : str
            Where the network trains; the generator of a GPU is taken care of too.
        """
        cuda = _cuda_devices(device)
        with forked_generator(cuda):
            # default_generator.manual_seed and not torch.manual_seed, which seeds every device
            if "cpu" not in self._states:
                torch.default_generator.manual_seed(self.seed)
            for index in cuda:
                if f"cuda:{index}" not in self._states:
                    torch.cuda.default_generators[index].manual_seed(self.seed)
            # The generator of an earlier GPU is not set: the GPU may not be there any more.
            known = {"cpu", *(f"cuda:{index}" for index in cuda)}
            set_random_states({name: x for name, x in self._states.items() if name in known})
            try:
                yield
            finally:
                self._states.update(random_states(device))
