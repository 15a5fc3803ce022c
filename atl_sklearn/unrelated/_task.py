"""The part of a network's features that matters for its own task."""

from __future__ import annotations

from dataclasses import dataclass

import torch

N_FITTED = 2000  # samples from which the directions are learnt
# A direction counts only above this share of the largest one, and above the second number.
_FLAT = 1e-4
_NOTHING = 1e-12


@dataclass(frozen=True)
class TaskDirections:
    """The directions in the space of features in which a network's answers change.

    Attributes
    ----------
    mean : Tensor of shape (n_features,)
        Of the samples from which they were learnt.
    basis : Tensor of shape (n_features, n_directions)
        Centred features, multiplied by it, have covariance 1 among these samples.
    """

    mean: torch.Tensor
    basis: torch.Tensor

    def to(self, device: str | torch.device) -> TaskDirections:
        """Return the same on a device.

        Parameters
        ----------
        device : str or torch.device
            Where it computes.

        Returns
        -------
        directions : TaskDirections
            In single precision.
        """
        return TaskDirections(self.mean.float().to(device), self.basis.float().to(device))

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features in these directions.

        Parameters
        ----------
        features : Tensor of shape (n_samples, n_features, ...)
            Of a network.

        Returns
        -------
        parts : Tensor of shape (n_samples, n_directions, ...)
            What of them matters for the network's answers.
        """
        features = features.to(self.mean.dtype).movedim(1, -1)
        return ((features - self.mean) @ self.basis).movedim(-1, 1)


def _spanned(rows: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis, as columns, of what rows span."""
    _, sizes, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis[sizes > max(_FLAT * float(sizes[0]), _NOTHING)].mT


def fit_directions(
    features: torch.Tensor,
    *,
    read_out: torch.Tensor | None = None,
    answers: torch.Tensor | None = None,
    contrasts: bool = False,
) -> TaskDirections:
    """Learn in which directions of its features a network's answers change.

    Parameters
    ----------
    features : Tensor of shape (n_samples, n_features)
        Of the samples.
    read_out : Tensor of shape (n_outputs, n_features) or None, default=None
        The weight of the linear layer that makes the answers of the features.
    answers : Tensor of shape (n_samples, n_outputs) or None, default=None
        The answers, where no linear layer makes them. The directions are then those of a linear
        read-out fitted to them: for classes, the directions between the means of the classes.
    contrasts : bool, default=False
        Whether adding a number to all outputs of the read-out changes no answer.

    Returns
    -------
    directions : TaskDirections
        As many as the answers have degrees of freedom: of classes one less than there are.

    Raises
    ------
    ValueError
        If the answers are the same for all samples.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._task import fit_directions
    >>> features = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    >>> fit_directions(features, read_out=torch.tensor([[1.0, 0.0]])).to("cpu")(features).T.abs()
    tensor([[1.4142, 1.4142, 0.0000, 0.0000]])
    """
    x = features.double()
    mean = x.mean(dim=0)
    x = x - mean
    if read_out is not None:
        rows = read_out.double()
        basis = _spanned(rows - rows.mean(dim=0) if contrasts else rows)
    else:
        assert answers is not None
        found = answers.double()
        found = found - found.mean(dim=0)
        _, sizes, axes = torch.linalg.svd(x, full_matrices=False)
        there = sizes > max(_FLAT * float(sizes[0]), _NOTHING)
        whitening = axes[there].mT / sizes[there]
        basis = whitening @ _spanned(found.mT @ (x @ whitening))
    if not basis.shape[1]:
        raise ValueError("the network gives the same answer for all samples")
    scores = x @ basis
    variances, axes = torch.linalg.eigh(scores.mT @ scores / len(x))
    there = variances > max(_FLAT**2 * float(variances[-1]), _NOTHING)
    if not bool(there.any()):
        raise ValueError("the network gives the same answer for all samples")
    return TaskDirections(mean, basis @ (axes[:, there] / variances[there].sqrt()))
