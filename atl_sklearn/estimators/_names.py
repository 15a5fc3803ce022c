"""Names: of optimizers, and of parameters that other libraries have and these estimators do not."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from atl_sklearn._validation import did_you_mean, refuse, shown
from atl_sklearn.estimators._net import Net
from atl_sklearn.modules import MLP, ConvNet

_STOPPING = "callbacks=[skorch.callbacks.EarlyStopping({})] with train_split=0.1"
_SCHEDULING = "lr_schedule"

# Names from MLPClassifier and others, for what has another name or place here.
_ELSEWHERE = {
    "activation": "module__activation",
    "alpha": "weight_decay",
    "beta_1": "optimizer__betas=(beta_1, beta_2)",
    "beta_2": "optimizer__betas=(beta_1, beta_2)",
    "early_stopping": _STOPPING.format("patience=10, load_best=True"),
    "epochs": "max_epochs",
    "epsilon": "optimizer__eps",
    "hidden_layer_sizes": "module__hidden_layer_sizes",
    "learning_rate": f"lr for the rate, and {_SCHEDULING} for a schedule",
    "learning_rate_init": "lr",
    "loss": "criterion",
    "max_fun": "optimizer='lbfgs' with optimizer__max_eval",
    "max_iter": "max_epochs",
    "momentum": "optimizer='sgd' with optimizer__momentum",
    "n_epochs": "max_epochs",
    "n_iter_no_change": _STOPPING.format("patience=n_iter_no_change"),
    "nesterovs_momentum": "optimizer='sgd' with optimizer__nesterov=True and optimizer__momentum",
    "patience": _STOPPING.format("patience=patience"),
    "power_t": _SCHEDULING,
    "seed": "random_state",
    "shuffle": "iterator_train__shuffle",
    "solver": "optimizer='adam', 'sgd' or 'lbfgs'",
    "tol": _STOPPING.format("threshold=tol, threshold_mode='abs'"),
    "validation_fraction": "train_split=validation_fraction",
}

# The parts that take arguments, with classes of which they are usually made.
_PARTS: dict[str, tuple[type, ...]] = {
    "module": (MLP, ConvNet),
    "optimizer": (torch.optim.AdamW, torch.optim.SGD),
    "criterion": (torch.nn.CrossEntropyLoss,),
    "iterator_train": (torch.utils.data.DataLoader,),
    "iterator_valid": (),
    "callbacks": (),
    "dataset": (),
    "compile": (),
}

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): cls
    for name, cls in vars(torch.optim).items()
    if isinstance(cls, type)
    and issubclass(cls, torch.optim.Optimizer)
    and cls is not torch.optim.Optimizer
}


def get_optimizer(optimizer: object) -> Any:
    """Return the optimizer of a name, or what is no name as it is.

    Parameters
    ----------
    optimizer : str, class or callable
        The name of a class of ``torch.optim``, in any case.

    Returns
    -------
    optimizer : class or callable
        To be called with the parameters that are trained; a name that is unknown as it is.

    Examples
    --------
    >>> from atl_sklearn.estimators._names import get_optimizer
    >>> get_optimizer("adamw").__name__, get_optimizer("RMSprop").__name__
    ('AdamW', 'RMSprop')
    """
    return OPTIMIZERS.get(optimizer.lower(), optimizer) if isinstance(optimizer, str) else optimizer


def check_optimizer(net: Net) -> None:
    """Check that ``optimizer`` is a name, an optimizer's class or something that makes one."""
    found = get_optimizer(net.optimizer)
    must = "an optimizer's class, or the name of one of torch.optim such as 'adamw'"
    if isinstance(found, str):
        available = f"Available: {sorted(OPTIMIZERS)}."
        hint = did_you_mean(found, OPTIMIZERS, otherwise=available)
        raise refuse(net, "optimizer", must, hint)
    if isinstance(found, torch.optim.Optimizer):
        raise refuse(net, "optimizer", must, "It is made for the network in fit.")
    if not callable(found) or (isinstance(found, type) and not hasattr(found, "zero_grad")):
        raise refuse(net, "optimizer", must)


def with_arguments(net: Net, part: str) -> str:
    """Return what errors say of the arguments that a part is made with, or nothing.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    part : str
        Such as ``"criterion"``.
    """
    names = [f"{part}__{name}" for name in sorted(net.get_params_for(part))]
    return f" with {', '.join(names)}" if names else ""


def sparse_weights(network: torch.nn.Module) -> set[int]:
    """Return the ids of the parameters whose gradients are sparse: those of some embeddings.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    """
    embeddings = (torch.nn.Embedding, torch.nn.EmbeddingBag)
    parts = [part for part in network.modules() if isinstance(part, embeddings) and part.sparse]
    return {id(part.weight) for part in parts}


def check_gradients(net: Net) -> None:
    """Refuse an optimizer that cannot take the network's gradients, sparse or dense.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its network and its optimizers are made.

    Raises
    ------
    ValueError
        The message names a parameter of the network.
    """
    optimizer = net.optimizer_
    if not isinstance(optimizer, torch.optim.Optimizer) or "module_" not in vars(net):
        return
    sparse = sparse_weights(net.module_)
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    names = {id(p): name for name, p in net.module_.named_parameters() if id(p) in trained}
    dense = [name for key, name in names.items() if key not in sparse]
    thin = [name for key, name in names.items() if key in sparse]
    if isinstance(optimizer, torch.optim.SparseAdam) and dense:
        why = f"SparseAdam trains embeddings with sparse=True only, and there is {dense[0]!r}."
        raise refuse(net, "optimizer", "one for dense gradients, such as 'adam'", why)
    takes = (torch.optim.Adagrad, torch.optim.SGD, torch.optim.SparseAdam)
    if thin and type(optimizer).__module__.startswith("torch.") and type(optimizer) not in takes:
        why = f"The gradients of {thin[0]!r} are sparse; sparse=False makes them dense."
        raise refuse(net, "optimizer", "one for sparse gradients: 'sparseadam' or 'sgd'", why)
    if thin and net.max_grad_norm is not None:
        why = f"The gradients of {thin[0]!r} are sparse, and torch has no norm of these."
        raise refuse(net, "max_grad_norm", "None for sparse gradients", why)


def advice_for(name: str) -> str:
    """Return what to write instead of a parameter that does not exist, or nothing.

    Parameters
    ----------
    name : str
        As the user wrote it.

    Returns
    -------
    advice : str
        A sentence.

    Examples
    --------
    >>> from atl_sklearn.estimators._names import advice_for
    >>> advice_for("max_iter"), advice_for("label_smoothing")
    ('Here it is max_epochs.', 'Here it is criterion__label_smoothing.')
    """
    if name in _ELSEWHERE:
        return f"Here it is {_ELSEWHERE[name]}."
    for part, classes in _PARTS.items():
        if any(name in inspect.signature(cls).parameters for cls in classes):
            return f"Here it is {part}__{name}."
    return ""


def _is_own(net: Net, name: str) -> bool:
    """Tell whether a keyword argument has a place here, or may have one in a subclass."""
    part, dunder, _ = name.partition("__")
    # A subclass may make further modules, whose names are known when they are made.
    makes_parts = any(
        getattr(type(net), f"initialize_{made}") is not getattr(_base(net), f"initialize_{made}")
        for made in ("module", "criterion", "optimizer")
    )
    own = name.endswith("_") or name in _PARTS or (dunder and part in _PARTS)
    return bool(own or makes_parts)


def _base(net: Net) -> type:
    """Return the class of this package from which `net` has its training."""
    return next(cls for cls in type(net).__mro__ if cls.__module__.startswith("atl_sklearn."))


def check_names(net: Net) -> None:
    """Refuse keyword arguments that do not exist, before anything is fitted.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.

    Raises
    ------
    ValueError
        If the constructor was given an argument that has no place; the message says where the
        same is set, or which name is near.
    """
    for name in sorted(net._params_to_validate):
        if not _is_own(net, name):
            raise ValueError(
                f"{type(net).__name__} got an unexpected argument {name!r} "
                f"({name}={shown(vars(net).get(name))}). {_way_out(net, name)}"
            )


def _way_out(net: Net, name: str) -> str:
    advice = advice_for(name)
    if advice:
        return advice
    for part in sorted(_PARTS, key=len, reverse=True):
        if name.startswith(f"{part}_") and not name.startswith(f"{part}__"):
            return f"Did you mean {f'{part}__' + name[len(part) + 1 :]!r}?"
    parameters = inspect.signature(type(net).__init__).parameters.values()
    known = [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]
    return did_you_mean(name, known, otherwise=f"Available: {sorted(known)}.")
