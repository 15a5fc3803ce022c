"""What identifies a fit (parameters, data and versions), and what makes it impossible to resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.utils import is_dataset
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from atl_sklearn._fingerprint import Unidentifiable, fingerprint, fingerprint_read
from atl_sklearn._validation import refuse
from atl_sklearn._versions import versions_here
from atl_sklearn.estimators._data import IndexedData
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._object_state import has_state_dict, only_watches

# Parameters that change nothing of what is learnt.
_WITHOUT_EFFECT = frozenset({"checkpoint_dir", "memory", "torch_load_kwargs", "verbose"})
_TWICE = 8  # samples of a Dataset that are read twice
_MUST = "None for a fit that cannot be continued to the same network"
# Arguments of a DataLoader that decide which samples come when, and may remember something.
_ORDERS = ("sampler", "batch_sampler", "collate_fn", "worker_init_fn")


def _refuse(net: Net, why: str) -> ValueError:
    return refuse(net, "checkpoint_dir", _MUST, why)


def _is_torch(value: object) -> bool:
    return type(value).__module__.startswith("torch.utils.data")


def check_resumable(net: Net, X: object, X_unlabeled: object) -> None:
    """Refuse a fit that could not be continued to the same network.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    X, X_unlabeled : array, mapping or Dataset
        The data.

    Raises
    ------
    ValueError
        If it makes batches, or samples, in a way that may have a memory of its own.
    """
    if hasattr(net, "_initialize_accelerator") or hasattr(net, "accelerator"):
        raise _refuse(net, "Several processes of accelerate train one network.")
    if net.dataset is not Dataset:
        raise _refuse(
            net, "'dataset' makes the samples, and may make others each time. Leave it out."
        )
    for stage in ("iterator_train", "iterator_valid"):
        if getattr(net, stage) is not DataLoader:
            raise _refuse(
                net, f"{stage!r} makes the batches, and may have a memory. Use torch's DataLoader."
            )
        kwargs = net.get_params_for(stage)
        for name in _ORDERS:
            value = kwargs.get(name)
            if value is not None and not _is_torch(value):
                raise _refuse(
                    net, f"{stage}__{name} may have a memory. Leave it out, or use one of torch's."
                )
    for name, data in (("X", X), ("X_unlabeled", X_unlabeled)):
        if is_dataset(data) and net.cache not in ("memory", "mapped") and not _is_fixed(data):
            raise _refuse(
                net,
                f"{name} is a {type(data).__name__}, which may make other samples each time. If "
                "they are the same in every epoch, say so with cache='memory' or 'mapped'; or "
                "pass arrays.",
            )


def _of_data(name: str, data: Any, net: Net) -> object:
    """Return what tells data from others: of a Dataset that reads files, say, what it reads."""
    if not is_dataset(data) or _is_fixed(data):
        return data
    samples = [_of_sample(data, index) for index in range(len(data))]
    if any(_of_sample(data, index) != samples[index] for index in range(min(_TWICE, len(data)))):
        raise _refuse(net, f"{name} makes other samples each time, whatever 'cache' says.")
    return samples


def _of_sample(data: IndexedData, index: int) -> str:
    item = data[index]
    return fingerprint(item[0] if isinstance(item, tuple | list) else item)


def _is_fixed(data: Any) -> bool:
    """Tell whether a dataset has tensors or arrays, and does nothing with them."""
    while type(data) is Subset:
        data = data.dataset
    if type(data) is ConcatDataset:
        return all(map(_is_fixed, data.datasets))
    return type(data) is TensorDataset or (type(data) is Dataset and data.transform is None)


def _of_callback(callback: Any) -> list[object]:
    """Return what tells one callback from another: what it was made with."""
    if isinstance(callback, type) or not isinstance(callback, Callback):
        return [callback]
    if only_watches(callback):
        return [type(callback)]
    if has_state_dict(callback):
        return [type(callback), callback.state_dict()]
    return [type(callback), callback.get_params(deep=False)]


def _of_callbacks(callbacks: object) -> object:
    if not isinstance(callbacks, list):
        return callbacks
    named = [entry if isinstance(entry, tuple | list) else ("", entry) for entry in callbacks]
    return [[name, *_of_callback(callback)] for name, callback in named]


def identify_fit(net: Net, data: Mapping[str, object]) -> dict[str, str]:
    """Return what makes a fit, as strings that are the same in every process.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    data : mapping of str to object
        What `fit` was called with.

    Returns
    -------
    identity : dict of str to str
        For each parameter and each argument its fingerprint; and the versions of what trains.

    Raises
    ------
    ValueError
        If one cannot be told from others.
    """
    params = {n: v for n, v in net.get_params(deep=False).items() if n not in _WITHOUT_EFFECT}
    params["device"] = str(net.device)
    params["callbacks"] = _of_callbacks(net.callbacks)
    identity = {"form of the checkpoints": "2"}  # what states are written as
    identity |= {f"version of {name}": found for name, found in versions_here().items()}
    for name, value in {"class": type(net), **params, **data}.items():
        try:
            if name in data:
                identity[name] = fingerprint_read(_of_data(name, value, net), value, estimator=net)
            else:
                identity[name] = fingerprint(value)
        except Unidentifiable as error:
            raise _refuse(net, f"{name!r} cannot be told from others: {error}") from error
    return identity
