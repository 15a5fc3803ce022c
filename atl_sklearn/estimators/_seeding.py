"""Random numbers of one fit, apart from everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from atl_sklearn._generator import forked_generator


def _cuda_devices(device: Any) -> list[int]:
    if device is None or torch.device(device).type != "cuda":
        return []
    return [torch.device(device).index or 0]


@contextmanager
def own_random_numbers(seed: int, device: Any) -> Iterator[None]:
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
        # As arrays, which every format holds.
        self._states: dict[str, np.ndarray] = {}

    @contextmanager
    def active(self, device: str) -> Iterator[None]:
        """Let torch's generators speak this stream; afterwards they are as before.

        Parameters
        ----------
        device : str
            Where the network trains; the generator of a GPU is taken care of too.
        """
        cuda = _cuda_devices(device)
        with forked_generator(cuda):
            # default_generator.manual_seed and not torch.manual_seed, which seeds every device
            if "cpu" in self._states:
                torch.set_rng_state(torch.from_numpy(self._states["cpu"]))
            else:
                torch.default_generator.manual_seed(self.seed)
            for index in cuda:
                if f"cuda:{index}" in self._states:
                    state = torch.from_numpy(self._states[f"cuda:{index}"])
                    torch.cuda.set_rng_state(state, index)
                else:
                    torch.cuda.default_generators[index].manual_seed(self.seed)
            try:
                yield
            finally:
                self._states["cpu"] = torch.get_rng_state().numpy()
                for index in cuda:
                    state = torch.cuda.get_rng_state(index)
                    self._states[f"cuda:{index}"] = state.cpu().numpy()
