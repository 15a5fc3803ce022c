"""Layers that bring inputs, and outputs, to a common scale, which they take from the data."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

# Data this near to mean 0 and standard deviation 1 are left as they are: what was standardised
# before, perhaps on more data, stays as it was, bit for bit.
_MEAN_WITHIN = 0.5
_SPREAD_WITHIN = (0.5, 2.0)
# Of the spread over all bands of an image, below which a band is not magnified further.
_LEAST_SPREAD = 0.1


class Moments:
    """Mean and standard deviation of each feature of samples that come in pieces."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._mean: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0

    def add(self, values: ArrayLike, weight: ArrayLike | None = None) -> None:
        """Add samples.

        Parameters
        ----------
        values : array of shape (n_samples, n_features, ...)
            The samples.
        weight : array of shape (n_samples,) or None, default=None
            How much each counts.
        """
        values = np.asarray(values, dtype=np.float64)
        values = values.reshape(*values.shape[:2], -1)
        weight = np.ones(len(values)) if weight is None else np.asarray(weight, np.float64)
        total = float(weight.sum()) * values.shape[2]
        if not total:
            return
        # Piece by piece (Chan, Golub, LeVeque, 1983), so that no large sums are subtracted.
        mean = np.einsum("n,nfi->f", weight, values) / total
        squares = np.einsum("n,nfi->f", weight, (values - mean[:, np.newaxis]) ** 2)
        both = self._weight + total
        shift = mean - self._mean
        self._mean = self._mean + shift * (total / both)
        self._squares = self._squares + squares + shift**2 * (self._weight * total / both)
        self._weight = both

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of each feature.

        Raises
        ------
        ValueError
            If no sample counts.
        """
        if not self._weight:
            raise ValueError(
                "There is nothing to train on: of the samples that train_split leaves, "
                "sample_weight has none above 0. Let it split others, or change the weights."
            )
        return np.asarray(self._mean), np.sqrt(self._squares / self._weight)


class _Scaling(nn.Module):
    """An affine map of each feature, which is the identity until it is adapted."""

    mean: torch.Tensor
    scale: torch.Tensor
    adapted: torch.Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("adapted", torch.zeros((), dtype=torch.bool))
        # Known without a look at the tensors, which would have to wait for a GPU.
        self.is_identity = True

    def extra_repr(self) -> str:
        """Return what is printed of the layer between its parentheses."""
        return f"{len(self.mean)}"

    def adapt(self, moments: Moments) -> None:
        """Take mean and scale from data.

        Features whose mean lies between -0.5 and 0.5 and whose standard deviation lies between
        0.5 and 2 stay as they are. Constant ones lose their mean only.

        Parameters
        ----------
        moments : Moments
            Of the training data.
        """
        mean, spread = moments.result()
        near = (np.abs(mean) <= _MEAN_WITHIN) & (spread >= _SPREAD_WITHIN[0])
        near &= spread <= _SPREAD_WITHIN[1]
        scale = self._divisors(spread)
        limits = torch.finfo(self.scale.dtype)
        usable = np.isfinite(scale) & (scale > limits.tiny) & (scale < limits.max)
        self.mean.copy_(torch.as_tensor(np.where(near | ~np.isfinite(mean), 0.0, mean)))
        self.scale.copy_(torch.as_tensor(np.where(near | ~usable, 1.0, scale)))
        self.adapted.fill_(True)
        self._find_identity()

    def _divisors(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def _find_identity(self) -> None:
        self.is_identity = not bool(self.mean.any()) and bool((self.scale == 1).all())

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._find_identity()


class Standardize(_Scaling):
    """Remove the mean and divide by the standard deviation of each feature of the input.

    Mean and standard deviation are those of the training data and are kept with the network's
    weights. :class:`~atl_sklearn.AntiTransferClassifier` and
    :class:`~atl_sklearn.AntiTransferRegressor` adapt every layer of this class before the first
    epoch, also in a network of your own; until then it changes nothing.

    A feature is an entry of the first axis of a sample: a column of a table, a band of a
    spectrogram, a channel of an image.

    Parameters
    ----------
    n_features : int
        Length of the first axis of a sample, ``X.shape[1]``.
    same_units : bool, default=False
        Whether features are of one kind, as the bands of a spectrogram are. Their standard
        deviation then counts as no less than a tenth of that over all of them, so that a band
        that is nearly silent is not magnified.

    See Also
    --------
    Rescale : The same for outputs, the other way round.
    atl_sklearn.audio.Standardizer : A transformer for pipelines.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.modules import Standardize
    >>> X, y = torch.arange(40.0).reshape(20, 2) * 1000, torch.arange(20) % 2
    >>> network = torch.nn.Sequential(Standardize(2), torch.nn.Linear(2, 2))
    >>> model = AntiTransferClassifier(network, max_epochs=1).fit(X, y)
    >>> model.module_[0].mean
    tensor([19000., 20000.])
    """

    def __init__(self, n_features: int, *, same_units: bool = False) -> None:
        super().__init__(n_features)
        self.same_units = same_units

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a batch, standardised.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features, ...)
            The batch.

        Returns
        -------
        x : Tensor of the same shape
            The batch itself where there is nothing to do.

        Raises
        ------
        ValueError
            If the batch has another number of features than the training data.
        """
        if self.is_identity:
            return x
        if x.shape[1] != len(self.mean):
            raise ValueError(
                f"Standardize knows {len(self.mean)} features of the training data. Got a batch of "
                f"shape {tuple(x.shape)}, which has {x.shape[1]}."
            )
        shape = (-1, *(1,) * (x.dim() - 2))
        return (x - self.mean.view(shape)) / self.scale.view(shape)

    def _divisors(self, spread: np.ndarray) -> np.ndarray:
        if self.same_units:
            return np.maximum(spread, _LEAST_SPREAD * np.sqrt(np.mean(spread**2)))
        return spread


class Rescale(_Scaling):
    """Bring standardised outputs of a regression network to the units of the target.

    :class:`~atl_sklearn.AntiTransferRegressor` takes mean and standard deviation from the
    training targets before the first epoch, and compares outputs with targets in units of this
    standard deviation, so that a target in thousands trains as one around 1 does.

    Parameters
    ----------
    n_outputs : int
        Number of targets.

    See Also
    --------
    Standardize : The same for inputs, the other way round.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.modules import Rescale
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 1), Rescale(1))
    >>> network[1]
    Rescale(1)
    """

    def __init__(self, n_outputs: int) -> None:
        super().__init__(n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs in the units of the target.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_outputs)
            Outputs with a mean of about 0 and a standard deviation of about 1.

        Returns
        -------
        x : Tensor of shape (n_samples, n_outputs)
            The outputs themselves where there is nothing to do.
        """
        return x if self.is_identity else x * self.scale + self.mean

    def standardized(self, values: torch.Tensor) -> torch.Tensor:
        """Return outputs or targets in units of the target's standard deviation.

        Parameters
        ----------
        values : Tensor of shape (n_samples, n_outputs)
            In the units of the target.

        Returns
        -------
        values : Tensor of shape (n_samples, n_outputs)
            With a mean of about 0 and a standard deviation of about 1.
        """
        return values if self.is_identity else (values - self.mean) / self.scale


def standardize_layer(input_shape: tuple[int, ...]) -> Standardize:
    """Return the layer for samples of a shape; those of several axes have features of one kind."""
    return Standardize(input_shape[0], same_units=len(input_shape) > 1)
