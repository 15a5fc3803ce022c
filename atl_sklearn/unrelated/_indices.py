"""Networks that look integers up in tables."""

from __future__ import annotations

import torch


def has_embedding(network: torch.nn.Module) -> bool:
    """Tell whether a network has a table in which integers are looked up.

    Parameters
    ----------
    network : torch.nn.Module
        The network.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated import has_embedding
    >>> has_embedding(torch.nn.Sequential(torch.nn.Embedding(9, 2)))
    True
    """
    tables = (torch.nn.Embedding, torch.nn.EmbeddingBag)
    return any(isinstance(layer, tables) for layer in network.modules())


def as_indices(X: torch.Tensor) -> torch.Tensor:
    """Return whole numbers that have become floats as the integers that they were.

    Parameters
    ----------
    X : Tensor of shape (n_samples, ...)
        Of a floating type.

    Raises
    ------
    ValueError
        If they are not whole.
    """
    found = X.long()
    if not torch.equal(found.to(X.dtype), X):
        raise ValueError("It looks X up in an Embedding, which takes integers, and X has others")
    return found
