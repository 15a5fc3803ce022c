"""The network of the anti-transfer paper."""

from __future__ import annotations

import torch
from torch import nn

from atl_sklearn.modules._checks import check_dropout, check_integer, check_positive
from atl_sklearn.modules._input_shape import (
    as_images,
    check_image_batch,
    check_image_shape,
    pooling_kernel,
)
from atl_sklearn.modules._scaling import Rescale, standardize_layer

# The channels of VGG-16's convolutions; pooling follows each row.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG(nn.Module):
    """VGG-16, the network of the anti-transfer paper, of adjustable width and for any input size.

    Thirteen 3 x 3 convolutions, each with a rectifier, in five stages that end with 2 x 2 maximum
    pooling; adaptive average pooling to a grid; three linear layers with rectifiers and dropout
    between them.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, ``X.shape[1:]``: (height, width), always an image of one channel, or
        (channels, height, width).
    n_outputs : int
        Number of outputs: classes, or regression targets.
    width : float, default=1.0
        What the numbers of channels and of hidden units are multiplied by; the products are
        rounded, and at least 1.
    batch_norm : bool, default=False
        Whether to normalise over the batch after each convolution. A batch of one sample is then
        refused in training once its images have shrunk to one position.
    dropout : float, default=0.5
        Share of the activations dropped after each hidden linear layer while training, in [0, 1).
    hidden_units : int, default=4096
        Number of units of each hidden linear layer, before it is multiplied by `width`.
    grid_size : int, default=7
        Height and width of the grid that the average pooling leaves.
    standardize : bool, default=False
        Whether the input goes through a :class:`Standardize` layer first, ``standardize``.
    rescale : bool, default=False
        Whether the output goes through a :class:`Rescale` layer at the end, ``rescale``, which
        brings it to the units of a regression target.

    Raises
    ------
    ValueError
        If a parameter has a value that is not allowed.

    See Also
    --------
    ConvNet : A smaller network that trains in a fraction of the time.
    get_module : Choose a network by name or by the shape of the data.

    Notes
    -----
    The paper [1]_ uses VGG-16 [2]_. Its published code takes torchvision's and replaces the first
    convolution by one for a single channel and the last linear layer by one for the task's
    classes. With the default parameters and an `input_shape` of one channel this is that network:
    the same layers with the same names (``features.0`` to ``features.30``, ``avgpool``,
    ``classifier.0`` to ``classifier.6``), so that weights can be loaded from one into the other;
    with ``batch_norm=True`` those of torchvision's variant with batch normalisation.

    There are three differences. The rectifiers do not work in place, so that you can still read the
    output of a convolution after them. An axis of length 1 is no longer pooled; torchvision's
    network refuses images below 32 x 32. The hidden linear layers, like the convolutions, start
    from He's normal distribution instead of a standard deviation of 0.01, with which signals fade
    in narrow networks.

    References
    ----------
    .. [1] E. Guizzo, T. Weyde, G. Tarroni, "Anti-Transfer Learning for Task Invariance in
       Convolutional Neural Networks for Speech Processing", Neural Networks 142, 2021,
       arXiv:2006.06494.
    .. [2] K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
       Recognition", ICLR 2015, arXiv:1409.1556.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.modules import VGG
    >>> network = VGG((40, 32), 10, width=1 / 16)
    >>> network(torch.zeros(5, 40, 32)).shape
    torch.Size([5, 10])
    >>> network.features[28]
    Conv2d(32, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        n_outputs: int,
        *,
        width: float = 1.0,
        batch_norm: bool = False,
        dropout: float = 0.5,
        hidden_units: int = 4096,
        grid_size: int = 7,
        standardize: bool = False,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        n_channels, rows, columns = check_image_shape(input_shape, "VGG")
        self.input_shape = tuple(input_shape)
        self.standardize = standardize_layer(self.input_shape) if standardize else None
        n_outputs = check_integer(n_outputs, "n_outputs", "VGG")
        width = check_positive(width, "width", "VGG")
        dropout = check_dropout(dropout, "VGG")
        n_hidden = _scale(check_integer(hidden_units, "hidden_units", "VGG"), width)
        grid_size = check_integer(grid_size, "grid_size", "VGG")

        self.features = nn.Sequential()
        for stage in _STAGES:
            for size in stage:
                n_maps = _scale(size, width)
                self.features.append(nn.Conv2d(n_channels, n_maps, 3, padding=1))
                if batch_norm:
                    self.features.append(nn.BatchNorm2d(n_maps))
                self.features.append(nn.ReLU())
                n_channels = n_maps
            # Kept even where it has nothing to do: the names count on it.
            window = pooling_kernel(rows, columns)
            self.features.append(nn.MaxPool2d(window))
            rows, columns = rows // window[0], columns // window[1]
        self.avgpool = nn.AdaptiveAvgPool2d(grid_size)
        head = nn.Linear(n_hidden, n_outputs)
        self.classifier = nn.Sequential(
            nn.Linear(n_channels * grid_size**2, n_hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            head,
        )
        self.rescale = Rescale(n_outputs) if rescale else None
        self.apply(_initialize)
        nn.init.normal_(head.weight, std=0.01)  # so that no class is favoured at the start

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of a batch.

        Parameters
        ----------
        x : Tensor of shape (n_samples, height, width) or (n_samples, channels, height, width)
            The batch, with as many axes as `input_shape` has and one more.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_outputs)
            Raw scores: no softmax or other link function is applied.

        Raises
        ------
        ValueError
            If `x` has another number of axes or channels than the network was made for.
        """
        check_image_batch(x, self.input_shape, "VGG")
        if self.standardize is not None:
            x = self.standardize(x)
        x = self.features(as_images(x))
        scores = self.classifier(self.avgpool(x).flatten(1))
        return scores if self.rescale is None else self.rescale(scores)


def _scale(size: int, width: float) -> int:
    return max(1, round(size * width))


def _initialize(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    else:
        return
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
