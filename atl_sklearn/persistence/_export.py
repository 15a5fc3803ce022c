"""Networks for other programs: torch.export and ONNX."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from atl_sklearn._partial_files import written_at_once
from atl_sklearn._types import PathLike
from atl_sklearn._validation import refuse_value
from atl_sklearn.persistence._save import best_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator
    from skorch import NeuralNet
    from torch.export import ExportedProgram

_N_TRIED = 3  # samples on which the exported network is compared
_TOLERANCE = 1e-5


def _scaling_of(step: BaseEstimator, name: str, n_dims: int) -> tuple[ArrayLike, ArrayLike]:
    """Return what a step subtracts, and what it divides by, for a batch of some dimension."""
    from sklearn.preprocessing import StandardScaler

    from atl_sklearn.audio import Standardizer

    if type(step) is StandardScaler:
        return step.mean_ if step.with_mean else 0.0, step.scale_ if step.with_std else 1.0
    if type(step) is Standardizer:
        axes = step._axes(n_dims)
        return np.expand_dims(step.mean_, axes), np.expand_dims(step.scale_, axes)
    raise ValueError(
        f"Step {name!r} of the Pipeline, {type(step).__name__}, cannot be exported; only a "
        "StandardScaler, a Standardizer and the network can. Export what follows it, such as "
        "pipeline[1:], and compute its output before."
    )


def _steps_of(estimator: BaseEstimator) -> tuple[list[tuple[str, BaseEstimator]], BaseEstimator]:
    """Return the steps before the network, by name, and the estimator of the network."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import Pipeline

    steps: list[tuple[str, BaseEstimator]] = []
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            passed = [(n, s) for n, s in estimator.steps[:-1] if s not in (None, "passthrough")]
            steps, estimator = steps + passed, estimator.steps[-1][1]
        else:
            return steps, estimator


def _predictor(
    estimator: BaseEstimator, owner: str
) -> tuple[torch.nn.Module, torch.Tensor, NeuralNet]:
    """Return the network with all that is around it, an input for it, and its estimator.

    The estimator's own network is neither changed nor set to another mode.
    """
    import torch
    from sklearn.base import is_classifier
    from sklearn.utils.validation import check_is_fitted

    from atl_sklearn.estimators import AntiTransferClassifier, AntiTransferRegressor

    steps, net = _steps_of(best_of(estimator, owner))
    if not isinstance(net, AntiTransferClassifier | AntiTransferRegressor):
        must = "an AntiTransferClassifier, an AntiTransferRegressor or a Pipeline that ends in one"
        raise refuse_value(owner, "estimator", must, estimator)
    check_is_fitted(net)
    shape = getattr(net, "input_shape_", None)
    if shape is None:
        raise ValueError(
            f"{owner} needs to know the shape of X, and {type(net).__name__} was fitted on a "
            "mapping or loaded without it. Export net.module_ by torch.onnx.export itself."
        )
    scalings = [_scaling_of(step, name, len(shape) + 1) for name, step in steps]
    network = copy.deepcopy(getattr(net.module_, "_orig_mod", net.module_)).cpu().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    dtype = torch.float64 if net.precision == "float64" else torch.float32
    nonlinearity = net._get_predict_nonlinearity()
    both_classes = is_classifier(net) and getattr(net, "n_outputs_", None) == 1
    flat = not is_classifier(net) and net._one_target

    class Predictor(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            for position, numbers in enumerate(scalings):
                for name, value in zip(("mean", "scale"), numbers, strict=True):
                    tensor = torch.as_tensor(np.asarray(value), dtype=dtype)
                    self.register_buffer(f"{name}_{position}", tensor)

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            for position in range(len(scalings)):
                mean, scale = (getattr(self, f"{n}_{position}") for n in ("mean", "scale"))
                X = (X - mean) / scale
            output = self.network(X)
            scores = output[0] if isinstance(output, tuple) else output
            found = nonlinearity(scores)
            if both_classes and (found.ndim == 1 or found.shape[1] == 1):
                second = found.reshape(-1)
                return torch.stack([1 - second, second], dim=1)
            return found.reshape(-1) if flat else found

    # More than one sample: a batch of one would be taken for the only size there is.
    return Predictor().eval(), torch.zeros(2, *shape, dtype=dtype), net


def export_program(estimator: BaseEstimator) -> ExportedProgram:
    """Return the trained network as a program of torch.export.

    Parameters
    ----------
    estimator : fitted estimator
        As :func:`export_onnx` takes it.

    Returns
    -------
    program : torch.export.ExportedProgram
        Takes a batch X of any size and returns what `predict_proba` does, or for a regressor
        `predict`. ``torch.export.save`` writes it to a file.

    Raises
    ------
    ValueError
        If a part of it cannot be exported.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.persistence import export_program
    >>> X, y = make_classification(random_state=0)
    >>> model = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> export_program(model).module()(torch.zeros(5, 20)).shape
    torch.Size([5, 2])
    """
    predictor, example, net = _predictor(estimator, "export_program")
    return _exported(predictor, example, net)


def _exported(predictor: torch.nn.Module, example: torch.Tensor, net: NeuralNet) -> ExportedProgram:
    import torch

    sizes = {"X": {0: torch.export.Dim("n_samples")}}
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(predictor, (example,), dynamic_shapes=sizes)
    except Exception as error:  # of many kinds, each of which is about the module
        raise ValueError(
            f"The network of {type(net).__name__}, a {type(net.module_).__name__}, cannot be "
            f"exported by torch.export for batches of any size: {error}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the block go without what torch's exporter says of itself and of torchvision."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def export_onnx(estimator: BaseEstimator, path: PathLike) -> None:
    """Write the trained network to an ONNX file, for programs without Python.

    The file takes X, a batch of any size, and returns probabilities, or a regressor's targets in
    their units. Before it is written, it is tried: its answers are within 1e-5 of the estimator's.
    The scaling of the input, inside the network or in a step before it, is included.

    Parameters
    ----------
    estimator : fitted estimator
        An :class:`AntiTransferClassifier` or :class:`AntiTransferRegressor`, a search, or a
        ``Pipeline`` of a ``StandardScaler`` or :class:`~atl_sklearn.audio.Standardizer` and one of
        these. Other steps, such as audio features, are not torch's: export ``pipeline[1:]``.
    path : path-like
        The file. Its input is ``X``, its output ``probabilities`` or ``prediction``. Its properties
        include ``classes``, as JSON.

    Raises
    ------
    ImportError
        Without the extra ``onnx``.
    ValueError
        If a part of it cannot be exported, or the file predicts something else.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    save : For those who have this package.
    atl_sklearn.persistence.export_program : For torch without this package.

    Notes
    -----
    In half precision the estimator predicts under autocast; the file computes in single
    precision, and is compared with a network that does.

    Examples
    --------
    >>> import tempfile
    >>> import onnxruntime
    >>> from sklearn.datasets import make_classification
    >>> import atl_sklearn
    >>> X, y = make_classification(random_state=0)
    >>> model = atl_sklearn.AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/model.onnx"
    ...     atl_sklearn.export_onnx(model, path)
    ...     session = onnxruntime.InferenceSession(path)
    ...     session.run(None, {"X": X.astype("float32")})[0].shape
    (100, 2)
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 - which torch's exporter needs
    except ImportError as error:
        raise ImportError(
            f"export_onnx needs onnx, onnxruntime and onnxscript: {error}. Install the extra: "
            "pip install 'atl_sklearn[onnx]'."
        ) from error
    import torch

    predictor, example, net = _predictor(estimator, "export_onnx")
    program = _exported(predictor, example, net)
    output = "probabilities" if hasattr(net, "classes_") else "prediction"
    try:
        with _quiet():
            made = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=["X"], output_names=[output]
            )
    except Exception as error:  # of many kinds, each of which is about the module
        raise ValueError(
            f"The network of {type(net).__name__}, a {type(net.module_).__name__}, cannot be "
            f"exported to ONNX: {error}"
        ) from error
    if made is None:  # pragma: no cover - for other arguments than these
        raise ValueError("torch.onnx.export made nothing.")
    classes = getattr(net, "classes_", None)
    if classes is not None:
        made.model.metadata_props["classes"] = json.dumps(classes.tolist(), default=str)
    made.model.metadata_props["input_shape"] = json.dumps(list(net.input_shape_))
    # Not from torch's generator, which belongs to the user.
    X = np.random.default_rng(0).normal(size=(_N_TRIED, *example.shape[1:]))
    X = X.astype(example.numpy().dtype)
    with written_at_once(path) as partial:
        made.save(partial)
        session = onnxruntime.InferenceSession(partial, providers=["CPUExecutionProvider"])
        found = session.run(None, {"X": X})[0]
        with torch.no_grad():
            expected = predictor(torch.from_numpy(X)).numpy()
        scale = max(1.0, float(np.abs(expected).max()))
        if found.shape != expected.shape or np.abs(found - expected).max() > _TOLERANCE * scale:
            raise ValueError(
                f"The file of ONNX predicts {found.ravel()[:3].tolist()}... where the network "
                f"predicts {expected.ravel()[:3].tolist()}...: it was not kept. Something in the "
                "network depends on the values of its input, or is random."
            )
