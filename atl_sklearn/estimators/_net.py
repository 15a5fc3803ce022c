"""The estimators as their parts see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from joblib import Memory
from skorch.history import History

from atl_sklearn.unrelated import LayerChoice

if TYPE_CHECKING:
    from atl_sklearn.estimators._fit_run import FitRun
    from atl_sklearn.estimators._placement import Placement
    from atl_sklearn.estimators._seeding import RandomStream
    from atl_sklearn.estimators._summary import FitSummary

# The name of something that this package has, or a callable of the user's.
Choice = str | Callable[..., Any]
Choices = Choice | Sequence[Choice]


class Parameters(Protocol):
    """What classifier and regressor are constructed with."""

    module: str | torch.nn.Module | Callable[..., torch.nn.Module]
    unrelated: object
    layer: LayerChoice
    unrelated_layer: Any
    metric: Any
    aggregation: Any
    weight: Any
    target_similarity: Any
    weight_schedule: Choice
    penalty_data: str
    penalty_batch_size: int
    conditional: bool
    product_of_experts: float
    cache: str
    cache_size: int
    memory: str | PathLike[str] | Memory | None
    checkpoint_dir: str | PathLike[str] | None
    random_state: int | np.random.RandomState | None
    precision: str
    criterion: Callable[..., Any]
    optimizer: Choice
    lr: float
    lr_schedule: Choice
    max_grad_norm: float | None
    weight_decay: float
    max_epochs: int
    batch_size: int
    iterator_train: Callable[..., Any]
    iterator_valid: Callable[..., Any]
    dataset: Callable[..., Any]
    train_split: float | Callable[..., Any] | None
    callbacks: Any
    predict_nonlinearity: Choice | None
    warm_start: bool
    verbose: int
    device: str | torch.device | None
    compile: bool
    use_caching: bool | str
    torch_load_kwargs: dict[str, Any] | None


class Net(Parameters, Protocol):
    """What classifier and regressor have besides: skorch's attributes and hooks, and their own."""

    module_: torch.nn.Module
    criterion_: Any
    optimizer_: torch.optim.Optimizer
    callbacks_: Sequence[tuple[str, Any]]
    history: History
    history_: History | None
    initialized_: bool
    input_shape_: tuple[int, ...] | None
    n_outputs_: int
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

    def get_params(self, deep: bool = ...) -> dict[str, Any]: ...
    def get_params_for(self, prefix: str) -> dict[str, Any]: ...
    def get_dataset(self, X: object, y: object = ...) -> Any: ...
    def get_iterator(self, dataset: object, training: bool = ...) -> Any: ...
    def get_loss(self, y_pred: Any, y_true: Any, X: Any = ..., training: bool = ...) -> Any: ...
    def get_all_learnable_params(self) -> Any: ...
    def get_train_step_accumulator(self) -> Any: ...
    def initialized_instance(self, instance_or_cls: Any, kwargs: dict[str, Any]) -> Any: ...
    def infer(self, x: Any, **fit_params: Any) -> Any: ...
    def initialize(self) -> Any: ...
    def initialize_module(self) -> Any: ...
    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]: ...
    def notify(self, method_name: str, **kwargs: Any) -> None: ...
    def fit_loop(self, X: Any, y: Any = ..., **fit_params: Any) -> Any: ...
    def torch_compile(self, module: torch.nn.Module, name: str) -> torch.nn.Module: ...
    def check_training_readiness(self) -> None: ...

    def _current_init_context(self, name: str) -> Any: ...
    def _get_predict_nonlinearity(self) -> Callable[[torch.Tensor], torch.Tensor]: ...
    def _initialize_callbacks(self) -> Any: ...
    def _initialize_optimizer(self) -> Any: ...
    def _initialize_virtual_params(self) -> Any: ...
    def _set_training(self, training: bool = ...) -> None: ...
    def _step_optimizer(self, step_fn: Callable[[], Any]) -> None: ...
    def _zero_grad_optimizer(self) -> None: ...

    def _stream(self) -> RandomStream: ...
    def _placement(self) -> Placement: ...
    def _make_parts(self) -> None: ...
    def _check_target(self, y: object) -> None: ...
    def _encode_targets(self, y: Any, *, reset: bool) -> np.ndarray: ...
    def _check_output(self, output: Any) -> None: ...
    def _task_weight(self, y: Any, sample_weight: np.ndarray | None) -> np.ndarray | None: ...
    def _scaling_of_named(self) -> dict[str, bool]: ...
    def _judge_predictions(self, run: FitRun) -> str: ...


class ClassifierNet(Net, Protocol):
    """What the classifier has besides."""

    class_weight: Any
    classes: Any
    classes_inferred_: np.ndarray
