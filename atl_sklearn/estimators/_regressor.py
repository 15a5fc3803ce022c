"""The regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from typing import NoReturn

import numpy as np
import torch
from joblib import Memory
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetRegressor
from skorch.dataset import Dataset
from skorch.utils import to_tensor
from torch.utils.data import DataLoader

from atl_sklearn.estimators._classifier import AntiTransferClassifier
from atl_sklearn.estimators._constructors import arguments_of, documented_like
from atl_sklearn.estimators._estimator import AntiTransferEstimator
from atl_sklearn.estimators._finiteness import check_predictions
from atl_sklearn.estimators._input_checks import check_X
from atl_sklearn.estimators._net import Choice, Choices
from atl_sklearn.estimators._outputs import check_numbers
from atl_sklearn.estimators._placement import numpy_dtype
from atl_sklearn.estimators._scales import rescale_layer
from atl_sklearn.estimators._stacking import stack_outputs
from atl_sklearn.unrelated import LayerChoice


@documented_like(AntiTransferClassifier, leaving_out={"class_weight", "classes", "classes_"})
class AntiTransferRegressor(AntiTransferEstimator, NeuralNetRegressor):
    """A neural regressor that you keep from leaning on what an unrelated network knows.

    It is a scikit-learn regressor and a skorch net: callbacks, ``optimizer__*``, ``module__*``,
    `save_params` and `partial_fit` work as in skorch. In the paper [1]_, the *unrelated task* is
    what must not mislead your network: a *nuisance*, such as the speaker where you want the age.

    Parameters
    ----------
    target_similarity : float, list of float or None, default=None
        How much similarity may remain, in [0, 1); a list has one for each unrelated network. None
        keeps `weight` as it is. Otherwise `weight` is where training starts: it rises while any
        layer's similarity is above the target, and falls while all are below, between 0.001 and 10
        times its start. Similarity that chance alone makes in a batch does not count. A target
        means the same on any data, a weight does not. For predictions that do not depend on an
        attribute, compare ``layer="output"`` with ``unrelated_layer="posterior"``.
    criterion : class, default=torch.nn.MSELoss
        Loss of the task.
    lr : float, default=0.001
        Learning rate; under a schedule, the highest one.
    predict_nonlinearity : callable, "auto" or None, default="auto"
        Turns what the network returns into predictions.

    See Also
    --------
    AntiTransferClassifier : The same for classes.
    atl_sklearn.AntiTransferLoss : The penalty for your own training loop.
    atl_sklearn.list_layers : Names of layers.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from atl_sklearn import AntiTransferRegressor
    >>> X, y = make_regression(n_samples=200, n_features=5, random_state=0)
    >>> unrelated = AntiTransferRegressor(max_epochs=5, random_state=0).fit(X, X[:, 0])
    >>> model = AntiTransferRegressor(unrelated=unrelated, max_epochs=5, random_state=0)
    >>> model.fit(X, y / y.std()).predict(X[:2]).shape
    (2,)
    """

    # Of y in fit; the defaults are for weights that were loaded.
    _one_target = True
    _target_dtype: np.typing.DTypeLike = np.float64
    _target_checks: dict[str, object] = {"multi_output": True, "y_numeric": True}  # noqa: RUF012

    def __init__(
        self,
        module: str | torch.nn.Module | Callable[..., torch.nn.Module] = "auto",
        *,
        unrelated: object = None,
        layer: LayerChoice = "last",
        unrelated_layer: object = None,
        metric: Choices = "cross_correlation",
        aggregation: Choices = "spatial_mean",
        weight: float | str | list[float | str] = "auto",
        target_similarity: float | list[float | None] | None = None,
        weight_schedule: Choice = "constant",
        penalty_data: str = "auto",
        penalty_batch_size: int = 96,
        penalty_every: int | str = "auto",
        conditional: bool = False,
        product_of_experts: float | str = "auto",
        augment: object = None,
        augment_unrelated: bool = True,
        augment_keep: str = "all",
        cache: str = "auto",
        cache_size: int = 2**30,
        memory: str | PathLike[str] | Memory | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        precision: str = "float32",
        criterion: torch.nn.Module | Callable[..., object] = torch.nn.MSELoss,
        optimizer: Choice = torch.optim.AdamW,
        lr: float = 0.001,
        lr_schedule: Choice = "one_cycle",
        max_grad_norm: float | None = 5.0,
        weight_decay: float = 1e-4,
        max_epochs: int = 30,
        batch_size: int = 32,
        iterator_train: Callable[..., Iterable[object]] = DataLoader,
        iterator_valid: Callable[..., Iterable[object]] = DataLoader,
        dataset: Callable[..., torch.utils.data.Dataset] = Dataset,
        train_split: float | Callable[..., object] | None = None,
        callbacks: list[object] | str | None = None,
        predict_nonlinearity: Choice | None = "auto",
        warm_start: bool = False,
        verbose: int = 0,
        device: str | torch.device | None = "auto",
        compile: bool = False,
        use_caching: bool | str = "auto",
        torch_load_kwargs: dict[str, object] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**arguments_of(locals()))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _encode_targets(self, y: object, *, reset: bool) -> np.ndarray:
        if reset:
            # Predictions come back in it: double precision unless y was single.
            self._target_dtype = np.result_type(np.asarray(y).dtype, np.float32)
        columns = np.asarray(y, dtype=numpy_dtype(self.precision))
        one_target = columns.ndim == 1
        columns = columns.reshape(len(columns), -1)
        if reset:
            self.n_outputs_ = columns.shape[1]
            self._one_target = one_target
        elif columns.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y must have {self.n_outputs_} targets, as in the first fit. "
                f"Got {columns.shape[1]} instead."
            )
        return columns

    def _check_output(self, output: object) -> None:
        check_numbers(self, output)

    def _scaling_of_named(self) -> dict[str, bool]:
        # Losses whose minimum does not depend on the units of the target.
        criterion = self.criterion
        kind = criterion if isinstance(criterion, type) else type(criterion)
        free_of_units = kind in (torch.nn.MSELoss, torch.nn.L1Loss)
        return {**super()._scaling_of_named(), "rescale": free_of_units}

    def get_loss(
        self, y_pred: object, y_true: object, X: object = None, training: bool = False
    ) -> torch.Tensor:
        """Return the loss of a batch; see skorch.

        Parameters
        ----------
        y_pred : Tensor of shape (n_samples, n_targets)
            What the network returns.
        y_true : Tensor of shape (n_samples, n_targets)
            The targets.
        X : Tensor of shape (n_samples, ...), default=None
            The input; not used.
        training : bool, default=False
            Whether the batch is trained on; not used.

        Returns
        -------
        loss : Tensor of shape ()
            In units of the targets' standard deviations, if the network ends in
            :class:`~atl_sklearn.modules.Rescale`.
        """
        layer = self._run.rescale if self._run is not None else rescale_layer(self.module_)
        if layer is not None and not layer.is_identity and isinstance(y_pred, torch.Tensor):
            y_true = layer.standardized(to_tensor(y_true, device=self.device))
            y_pred = layer.standardized(y_pred)
        if isinstance(y_pred, torch.Tensor) and y_pred.shape[1:] in ((), (1,)):
            # (n_samples,) beside (n_samples, 1) would be compared each with each.
            y_true = torch.as_tensor(y_true).reshape(y_pred.shape)
        return super().get_loss(y_pred, y_true, X=X, training=training)

    @property
    def predict_proba(self) -> NoReturn:
        """Not there: a regressor has no probabilities."""
        raise AttributeError(f"{type(self).__name__} has no predict_proba; use predict.")

    def predict(self, X: object) -> np.ndarray:
        """Return the predicted targets.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Data of the shape seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the dimension of y in `fit`.
        """
        if self._run is None:
            check_is_fitted(self)
        X = check_X(self, X)
        y = stack_outputs(self, X, self._get_predict_nonlinearity()).astype(self._target_dtype)
        check_predictions(self, y, X)
        y = y.reshape(len(y), -1)
        return y[:, 0] if self._one_target and y.shape[1] == 1 else y
