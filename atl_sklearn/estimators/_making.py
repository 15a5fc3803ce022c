"""Making what is trained: the network, and the arguments of its optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier

from atl_sklearn._validation import refuse, shown
from atl_sklearn.estimators._input_checks import accepted, as_array
from atl_sklearn.estimators._names import get_optimizer, sparse_weights, with_arguments
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._outputs import takes_one_score
from atl_sklearn.estimators._placement import PRECISIONS
from atl_sklearn.estimators._seeding import own_random_numbers
from atl_sklearn.modules import get_module
from atl_sklearn.unrelated import copy_network, why_not_trainable

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
_OTHER_FORMS = {"fused", "foreach", "capturable", "differentiable"}


def waits_for_sizes(net: Net) -> bool:
    """Tell whether the network cannot be made before the sizes of X and y are known."""
    given = net.get_params_for("module")
    sizes = {"input_shape": "input_shape_", "n_outputs": "n_outputs_"}
    unknown = {n for n, of in sizes.items() if n not in given and not hasattr(net, of)}
    if "input_shape" in unknown:
        unknown |= {"n_features_in"} - given.keys()
    if isinstance(net.module, str):
        return bool(unknown & sizes.keys())
    if isinstance(net.module, torch.nn.Module) or not callable(net.module):
        return False
    asked = inspect.signature(net.module).parameters
    needed = {n for n, p in asked.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
    return bool(unknown & needed)


def _check_trainable(net: Net, module: torch.nn.Module) -> None:
    reason = why_not_trainable(module)
    if reason:
        way_out = f"It {reason}. It can be the unrelated one."
        raise refuse(net, "module", "a network that can be trained", way_out)


def make_module(net: Net) -> torch.nn.Module:
    """Make the network; it is told the sizes of X and y where it asks for them by name.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.

    Returns
    -------
    module : torch.nn.Module
        In the floating type of the estimator.

    Raises
    ------
    ValueError
        If the sizes are not known, or something else is made than a module that can be trained.
    """
    kwargs = net.get_params_for("module")
    shape = getattr(net, "input_shape_", None)
    module = net.module
    if isinstance(module, torch.nn.Module):
        _check_trainable(net, module)
        # Trained in place it would not be the user's any more.
        made = net.initialized_instance(copy_network(module), kwargs)
    else:
        sizes = {
            "input_shape": shape,
            "n_features_in": shape[0] if shape else None,
            "n_outputs": getattr(net, "n_outputs_", None),
        }
        scaling = {}
        if isinstance(module, str):
            known = kwargs.get("input_shape", shape)
            if known is None:
                raise ValueError(
                    f"module={shown(module)} needs the shape of X, which is not known before fit. "
                    "Call fit, or set module__input_shape and module__n_outputs."
                )
            module = get_module(module, (known,) if isinstance(known, int) else tuple(known))
            scaling = net._scaling_of_named()
        asked = inspect.signature(module).parameters
        given = {name: v for name, v in sizes.items() if name in asked and v is not None}
        made = module(**{**given, **scaling, **kwargs})
        if not isinstance(made, torch.nn.Module):
            way_out = f"It made {shown(made)}."
            raise refuse(net, "module", "what makes a torch.nn.Module", way_out)
        _check_trainable(net, made)
    return made.to(PRECISIONS[net.precision])


def make_network(net: Net, X: object) -> torch.nn.Module:
    """Return a network as `fit` would make it for X, of an estimator that is not fitted."""
    X = as_array(X)
    net.input_shape_ = tuple((X if hasattr(X, "shape") else np.asarray(X)).shape[1:])
    classes = getattr(net, "classes", None)
    # How many outputs are needed is known from y only; their number changes no name.
    n_outputs = (2 if classes is None else len(classes)) if is_classifier(net) else 1
    net.n_outputs_ = 1 if takes_one_score(net.criterion) and n_outputs == 2 else n_outputs
    with own_random_numbers(0, "cpu"), net._current_init_context("module"):
        net.initialize_module()
    return net.module_


@contextmanager
def naming_parameter(net: Net, name: str, cannot: str) -> Iterator[None]:
    """Let errors of the block, which makes a part, name the parameter that it is made by.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator.
    name : str
        The parameter.
    cannot : str
        What it cannot do.
    """
    given = getattr(net, name)
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The {name!r} parameter, {shown(given)}, {cannot}{with_arguments(net, name)}: {error}"
        ) from error


def optimizer_arguments(
    net: Net,
    prefix: str,
    parameters: list[tuple[str, torch.nn.Parameter]],
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Return the arguments of an optimizer, completed by the defaults of the estimators.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Its network is made.
    prefix : str
        Which optimizer.
    parameters : list of (str, Parameter)
        What it trains.
    kwargs : dict
        As skorch has them.

    Returns
    -------
    kwargs : dict
        With the weight decay of an optimizer that has one. torch's fused form, which makes one
        step of all parameters at once, is chosen where there is one and no other form is asked
        for.
    """
    if isinstance(kwargs.get("lr"), np.generic):
        kwargs["lr"] = kwargs["lr"].item()
    optimizer = get_optimizer(getattr(net, prefix, None))
    if "weight_decay" in accepted(optimizer, ("weight_decay",)) - kwargs.keys():
        kwargs["weight_decay"] = net.weight_decay
    sparse = set().union(*(sparse_weights(getattr(net, f"{name}_")) for name in net._modules))
    fits = all(
        parameter.is_floating_point()
        and id(parameter) not in sparse
        and parameter.device.type in ("cpu", "cuda")
        for _, parameter in parameters
    )
    if optimizer in _FUSED and fits and not kwargs.keys() & _OTHER_FORMS:
        kwargs["fused"] = True
    return kwargs
