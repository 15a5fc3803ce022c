"""A multilayer perceptron."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import nn

from atl_sklearn.modules._checks import check_dropout, check_integer, check_integers
from atl_sklearn.modules._input_shape import check_batch_shape, check_input_shape
from atl_sklearn.modules._nonlinearities import make_activation
from atl_sklearn.modules._scaling import Rescale, standardize_layer


class MLP(nn.Module):
    """Multilayer perceptron: linear layers with a nonlinearity after each but the last.

    Its parts are called ``hidden.0.linear``, ``hidden.0.activation``, ``hidden.0.dropout``
    (where there is dropout), ``hidden.1.linear`` and so on, and ``head``.

    Parameters
    ----------
    input_shape : int or tuple of int
        Shape of one sample, ``X.shape[1:]``. Samples of several axes are flattened.
    n_outputs : int
        Number of outputs: classes, or regression targets.
    hidden_layer_sizes : int or sequence of int, default=(100, 50)
        Number of units of each hidden layer; an empty sequence gives a linear model.
    activation : {"elu", "gelu", "identity", "leaky_relu", "logistic", "relu", "silu", "tanh"}, \
            callable or torch.nn.Module, default="relu"
        The nonlinearity: a name, a class or other callable that returns a module when called
        without arguments, or a module. Each layer has its own copy, and none works in place.
    dropout : float, default=0.0
        Share of the activations dropped after each nonlinearity while training, in [0, 1).
    standardize : bool, default=False
        Whether the input goes through a :class:`Standardize` layer first, ``standardize``.
    rescale : bool, default=False
        Whether the output goes through a :class:`Rescale` layer at the end, ``rescale``, which
        brings it to the units of a regression target.

    Raises
    ------
    ValueError
        If a parameter has a value that is not allowed.
    TypeError
        If `activation` does not give a module.

    See Also
    --------
    ConvNet : A network for images such as spectrograms.
    get_module : Choose a network by name or by the shape of the data.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.modules import MLP
    >>> network = MLP(20, 3, hidden_layer_sizes=(16, 8))
    >>> network(torch.zeros(5, 20)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        input_shape: int | tuple[int, ...],
        n_outputs: int,
        *,
        hidden_layer_sizes: int | Sequence[int] = (100, 50),
        activation: str | Callable[[], nn.Module] | nn.Module = "relu",
        dropout: float = 0.0,
        standardize: bool = False,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        self.input_shape = check_input_shape(input_shape, "MLP")
        n_outputs = check_integer(n_outputs, "n_outputs", "MLP")
        sizes = check_integers(hidden_layer_sizes, "hidden_layer_sizes", "MLP")
        dropout = check_dropout(dropout, "MLP")

        self.standardize = standardize_layer(self.input_shape) if standardize else None
        n_features = math.prod(self.input_shape)
        self.hidden = nn.Sequential()
        for size in sizes:
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            parts["linear"] = nn.Linear(n_features, size)
            parts["activation"] = make_activation(activation, "MLP")
            if dropout:
                parts["dropout"] = nn.Dropout(dropout)
            self.hidden.append(nn.Sequential(parts))
            n_features = size
        self.head = nn.Linear(n_features, n_outputs)
        self.rescale = Rescale(n_outputs) if rescale else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of a batch.

        Parameters
        ----------
        x : Tensor of shape (n_samples, *input_shape)
            The batch.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_outputs)
            Raw scores: no softmax or other link function is applied.

        Raises
        ------
        ValueError
            If `x` does not have the shape that the network was made for.
        """
        check_batch_shape(x, self.input_shape, "MLP")
        if self.standardize is not None:
            x = self.standardize(x)
        scores = self.head(self.hidden(x.flatten(1)))
        return scores if self.rescale is None else self.rescale(scores)
