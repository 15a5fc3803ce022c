"""Groups of samples that an encoder hears, where there are no labels of them."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.metrics import silhouette_score

from atl_sklearn._row_buffer import RowBuffer
from atl_sklearn._validation import is_number, refuse_value
from atl_sklearn.unrelated._copies import private_copy
from atl_sklearn.unrelated._frozen import floating_dtype
from atl_sklearn.unrelated._made_elsewhere import as_module
from atl_sklearn.unrelated._parts import get_part, main_part, parts_of

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

_ROWS_AT_ONCE = 256
_N_STARTS = 10  # of k-means
_N_JUDGED = 2000  # samples whose distances to each other are computed


class GroupedNetwork(torch.nn.Module):
    """An encoder that returns which group each sample belongs to.

    Parameters
    ----------
    encoder : torch.nn.Module
        Returns embeddings of samples.
    centers : Tensor of shape (n_groups, n_features)
        The mean embeddings of the groups.
    part : str, default=""
        Which part of what the encoder returns is the embedding.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated import GroupedNetwork
    >>> network = GroupedNetwork(torch.nn.Identity(), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> network(torch.tensor([[0.2, 0.9], [3.0, 0.1]]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    # Layers of the encoder say more than the groups.
    why_unreadable = "of groups nothing but what is returned can be compared, as 'output'"
    centers: torch.Tensor

    def __init__(self, encoder: torch.nn.Module, centers: torch.Tensor, part: str = "") -> None:
        super().__init__()
        self.encoder = encoder
        self.part = part
        self.register_buffer("centers", centers)

    def forward(self, *args: torch.Tensor, **kwargs: torch.Tensor) -> torch.Tensor:
        """Return the group of each sample, one-hot.

        Parameters
        ----------
        *args : Tensor of shape (n_samples, ...)
            What the encoder takes.
        **kwargs : Tensor of shape (n_samples, ...)
            The same by name.

        Returns
        -------
        groups : Tensor of shape (n_samples, n_groups)
            1 for the group whose mean is nearest, 0 for the others.
        """
        found = _embedding(self.encoder(*args, **kwargs), self.part)
        near = torch.cdist(found.to(self.centers.dtype), self.centers).argmin(dim=1)
        return torch.nn.functional.one_hot(near, len(self.centers)).to(self.centers.dtype)


def _embedding(output: object, part: str) -> torch.Tensor:
    """Return the embedding in what an encoder returned."""
    name = part or main_part(output)
    found = None if name is None else get_part(output, name)
    if found is None or found.ndim != 2:
        shape = "none" if found is None else f"one of shape {tuple(found.shape)}"
        raise ValueError(
            "find_groups needs an encoder that returns an embedding of shape (n_samples, "
            f"n_features), and found {shape}. Name it in the 'part' parameter, if it is one of "
            f"{sorted(parts_of(output))}, or write a module around the encoder that returns it."
        )
    return found


@torch.no_grad()
def _embed(network: torch.nn.Module, data: torch.Tensor, part: str) -> np.ndarray:
    # A copy, so that the user's network keeps its mode.
    network = private_copy(network)
    rows = RowBuffer(len(data))
    for at in range(0, len(data), _ROWS_AT_ONCE):
        found = _embedding(network(data[at : at + _ROWS_AT_ONCE]), part)
        rows.add(found.float().cpu().numpy())
    return rows.array()


def _k_means(found: np.ndarray, n_groups: int) -> KMeans:
    from sklearn.cluster import KMeans

    return KMeans(n_groups, n_init=_N_STARTS, random_state=0).fit(found)


def _silhouette(found: np.ndarray, n_groups: int) -> float:
    labels = _k_means(found, n_groups).labels_
    size = min(len(found), _N_JUDGED)
    return float(silhouette_score(found, labels, sample_size=size, random_state=0))


def _is_count(value: object) -> bool:
    return is_number(value, Integral) and value >= 2


def find_groups(
    encoder: torch.nn.Module | str | os.PathLike[str],
    X: ArrayLike,
    *,
    n_groups: int | str = "auto",
    max_groups: int = 20,
    part: str = "",
) -> GroupedNetwork:
    """Find groups of samples, such as speakers, with an encoder and without labels.

    An embedding of a pretrained encoder has hundreds of directions. In a few of them the samples
    form groups (with a speaker encoder: speakers), and these mislead a network. The many others say
    something about everything, also about the target. So compare with the groups and not with the
    embedding: ``unrelated=find_groups(encoder, X_unlabeled)`` with ``unrelated_layer="output"``.

    Parameters
    ----------
    encoder : torch.nn.Module, exported program or path of an ONNX file
        Returns embeddings of samples; it stays as it is.
    X : array-like or Tensor of shape (n_samples, ...)
        Samples as `encoder` takes them, without labels. Best are those of ``X_unlabeled``, in which
        the groups and the target are independent.
    n_groups : int or "auto", default="auto"
        Number of groups. ``"auto"`` takes the number from 2 to `max_groups` for which k-means finds
        the best separated groups: those with the largest mean silhouette [1]_.
    max_groups : int, default=20
        The largest number that ``"auto"`` tries.
    part : str, default=""
        Which part of the encoder's output is the embedding, if there are several and none is called
        ``logits`` or ``last_hidden_state``.

    Returns
    -------
    network : GroupedNetwork
        Returns the group of each sample, one-hot; the same for the same samples.

    Raises
    ------
    ValueError
        If there are too few samples, too few different embeddings, or no embedding in what the
        encoder returns.

    References
    ----------
    .. [1] P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
       cluster analysis", Journal of Computational and Applied Mathematics 20, 1987.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated import find_groups
    >>> X = torch.tensor([[0.0, 0.1], [0.1, 0.0], [5.0, 5.1], [5.1, 5.0], [9.0, 0.1], [9.1, 0.0]])
    >>> find_groups(torch.nn.Identity(), X).centers.shape
    torch.Size([3, 2])
    """
    if not _is_count(max_groups):
        raise refuse_value("find_groups", "max_groups", "an int in [2, inf)", max_groups)
    if n_groups != "auto" and not _is_count(n_groups):
        raise refuse_value("find_groups", "n_groups", "'auto' or an int in [2, inf)", n_groups)
    module = as_module(encoder)
    if not isinstance(module, torch.nn.Module):
        raise refuse_value("find_groups", "encoder", "a torch.nn.Module", encoder)
    data = X if isinstance(X, torch.Tensor) else torch.as_tensor(np.asarray(X))
    dtype = floating_dtype(module)
    if data.is_floating_point() and dtype is not None:
        data = data.to(dtype)
    found = _embed(module, data, part)
    n_distinct = len(np.unique(found, axis=0))
    wanted = 2 if n_groups == "auto" else int(n_groups)
    if n_distinct <= wanted:
        raise ValueError(
            f"find_groups needs more different embeddings than groups. Got {n_distinct} of "
            f"{len(found)} samples, for {wanted} groups" + " or more." * (n_groups == "auto")
        )
    if n_groups == "auto":
        sizes = range(2, min(int(max_groups), n_distinct - 1) + 1)
        wanted = max(sizes, key=lambda size: _silhouette(found, size))
    centers = torch.from_numpy(_k_means(found, wanted).cluster_centers_)
    return GroupedNetwork(module, centers.float(), part)
