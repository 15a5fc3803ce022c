"""The loop that fits are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


def train_by_hand(
    make: Callable[[], nn.Module],
    X: np.ndarray,
    y: np.ndarray,
    *,
    batch_size: int,
    n_epochs: int,
    device: torch.device,
) -> None:
    """Train as PyTorch's tutorials do, with data that are sliced on the device.

    Parameters
    ----------
    make : callable
        Makes the network.
    X : array of shape (n_samples, ...), float32
        The samples.
    y : array of shape (n_samples,), int64
        Classes.
    batch_size : int
        Samples in a batch.
    n_epochs : int
        How often each sample is seen.
    device : torch.device
        Where it trains.
    """
    torch.manual_seed(0)
    network = make().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    data, target = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    for _ in range(n_epochs):
        total = 0.0
        for index in torch.randperm(len(data)).split(batch_size):
            index = index.to(device)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(data[index]), target[index])
            loss.backward()
            optimizer.step()
            total += loss.item()
