"""The estimators as their parts see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from joblib import Memory
from numpy.typing import ArrayLike
from skorch.callbacks import Callback
from skorch.history import History
from skorch.utils import FirstStepAccumulator

from atl_sklearn.unrelated import LayerChoice

if TYPE_CHECKING:
    from atl_sklearn.estimators._data import IndexedData
    from atl_sklearn.estimators._fit_run import FitRun
    from atl_sklearn.estimators._placement import Placement
    from atl_sklearn.estimators._seeding import RandomStream
    from atl_sklearn.estimators._steps import Step
    from atl_sklearn.estimators._summary import FitSummary
    from atl_sklearn.similarity import AggregationLike, Metric

# The name of something that this package has, or a callable of the user's.
Choice = str | Callable[..., object]
Choices = Choice | Sequence[Choice]


class Parameters(Protocol):
    """What classifier and regressor are constructed with."""

    module: str | torch.nn.Module | Callable[..., torch.nn.Module]
    unrelated: object
    layer: LayerChoice
    unrelated_layer: Any
    metric: Metric | list[Metric] | tuple[Metric, ...]
    aggregation: AggregationLike | list[AggregationLike] | tuple[AggregationLike, ...]
    weight: float | str | list[float | str]
    target_similarity: float | list[float | None] | None
    weight_schedule: str | Callable[..., float]
    penalty_data: str
    penalty_batch_size: int
    penalty_every: int | str
    conditional: bool
    product_of_experts: float | str
    augment: object
    augment_unrelated: bool
    augment_keep: str
    cache: str
    cache_size: int
    memory: str | PathLike[str] | Memory | None
    checkpoint_dir: str | PathLike[str] | None
    random_state: int | np.random.RandomState | None
    precision: str
    criterion: torch.nn.Module | Callable[..., object]
    optimizer: Choice
    lr: float
    lr_schedule: Choice
    max_grad_norm: float | None
    weight_decay: float
    max_epochs: int
    batch_size: int
    iterator_train: Callable[..., Iterable[object]]
    iterator_valid: Callable[..., Iterable[object]]
    dataset: Callable[..., torch.utils.data.Dataset]
    train_split: float | Callable[..., object] | None
    callbacks: list[Callback | tuple[str, Callback]] | str | None
    predict_nonlinearity: Choice | None
    warm_start: bool
    verbose: int
    device: str | torch.device | None
    compile: bool
    use_caching: bool | str
    torch_load_kwargs: dict[str, Any] | None


class Criterion(Protocol):
    """A loss of torch's, or one like them."""

    reduction: str

    def __call__(self, output: torch.Tensor, target: torch.Tensor, /) -> torch.Tensor: ...


class Net(Parameters, Protocol):
    """What classifier and regressor have besides: skorch's attributes and hooks, and their own."""

    module_: torch.nn.Module
    criterion_: Criterion
    optimizer_: torch.optim.Optimizer
    callbacks_: Sequence[tuple[str, Callback]]
    history: History
    history_: History | None
    initialized_: bool
    input_shape_: tuple[int, ...] | None
    n_outputs_: int
    product_of_experts_: float
    weight_: float | list[float]
    unrelated_: object
    unrelated_score_: float | list[float | None] | None
    virtual_params_: dict[str, object]
    summary_: FitSummary
    _modules: list[str]
    _criteria: list[str]
    _optimizers: list[str]
    _params_to_validate: set[str]
    _run: FitRun | None
    _completed: bool
    _keeps_history: bool
    _looks_up: bool
    _trimmed_for_prediction: bool
    _module_changed: bool
    # Arguments of validate_data for y.
    _target_checks: dict[str, object]

    def get_params(self, deep: bool = ...) -> dict[str, object]: ...
    def get_params_for(self, prefix: str) -> dict[str, Any]: ...
    def get_dataset(self, X: object, y: object = ...) -> IndexedData: ...
    def get_iterator(self, dataset: object, training: bool = ...) -> Any: ...
    def get_loss(
        self, y_pred: object, y_true: object, X: object = ..., training: bool = ...
    ) -> torch.Tensor: ...
    def get_all_learnable_params(self) -> Iterable[tuple[str, torch.nn.Parameter]]: ...
    def get_train_step_accumulator(self) -> FirstStepAccumulator: ...
    def initialized_instance(
        self, instance_or_cls: object, kwargs: dict[str, object]
    ) -> torch.nn.Module: ...
    def forward_iter(self, X: object, training: bool = ...) -> Iterator[Any]: ...
    def infer(self, x: object, **fit_params: object) -> Any: ...
    def initialize(self) -> object: ...
    def initialize_module(self) -> object: ...
    def train_step_single(self, batch: object, **fit_params: object) -> Step: ...
    def notify(self, method_name: str, **kwargs: object) -> None: ...
    def fit_loop(self, X: object, y: object = ..., **fit_params: object) -> object: ...
    def torch_compile(self, module: torch.nn.Module, name: str) -> torch.nn.Module: ...
    def check_training_readiness(self) -> None: ...

    def _current_init_context(self, name: str) -> AbstractContextManager[object]: ...
    def _get_predict_nonlinearity(self) -> Callable[[torch.Tensor], torch.Tensor]: ...
    def _initialize_callbacks(self) -> object: ...
    def _initialize_optimizer(self) -> object: ...
    def _initialize_virtual_params(self) -> object: ...
    def _set_training(self, training: bool = ...) -> None: ...
    def _step_optimizer(self, step_fn: Callable[[], torch.Tensor]) -> None: ...
    def _zero_grad_optimizer(self) -> None: ...

    def _stream(self) -> RandomStream: ...
    def _placement(self) -> Placement: ...
    def _make_parts(self) -> None: ...
    def _check_target(self, y: object) -> None: ...
    def _encode_targets(self, y: object, *, reset: bool) -> np.ndarray: ...
    def _check_output(self, output: object) -> None: ...
    def _task_weight(self, y: object, sample_weight: np.ndarray | None) -> np.ndarray | None: ...
    def _scaling_of_named(self) -> dict[str, bool]: ...
    def _judge_predictions(self, run: FitRun) -> str: ...


class ClassifierNet(Net, Protocol):
    """What the classifier has besides."""

    class_weight: Any
    classes: ArrayLike | None
    classes_inferred_: np.ndarray
