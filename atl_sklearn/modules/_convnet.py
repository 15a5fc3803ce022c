"""A small convolutional network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from atl_sklearn._validation import shown
from atl_sklearn.modules._checks import check_dropout, check_integer, check_integers
from atl_sklearn.modules._input_shape import (
    as_images,
    check_image_batch,
    check_image_shape,
    pooling_kernel,
)
from atl_sklearn.modules._scaling import Rescale, standardize_layer


class ConvNet(nn.Module):
    """Small convolutional network for images, spectrograms among them, of any size.

    Blocks of convolution, batch normalisation, rectifier and maximum pooling, followed by the
    average over all positions and a linear layer. The parts are called ``blocks.0.conv``,
    ``blocks.0.norm``, ``blocks.0.activation``, ``blocks.0.pool`` and so on, then ``average``,
    ``dropout`` and ``head``. A part that you switch off does not exist.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, ``X.shape[1:]``: (height, width), always an image of one channel, or
        (channels, height, width).
    n_outputs : int
        Number of outputs: classes, or regression targets.
    channels : int or sequence of int, default=(16, 32, 48, 48, 64)
        Number of channels of each block's convolution.
    kernel_size : int or (int, int), default=3
        Height and width of the convolutions' kernels, odd. The borders are padded with zeros, so
        that convolutions do not change the size.
    pool_after : int or sequence of int, default=(0, 1, 3)
        The blocks that end with 2 x 2 maximum pooling, counted from 0 as in their names. Numbers
        beyond the last block are ignored, so that the default fits any number of blocks. An axis of
        length 1 is not pooled.
    dropout : float, default=0.0
        Share of the averages dropped before the linear layer while training, in [0, 1).
    batch_norm : bool, default=True
        Whether to normalise over the batch after each convolution.
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
    VGG : The network of the paper.
    get_module : Choose a network by name or by the shape of the data.

    Notes
    -----
    Batch normalisation needs more than one value of each channel while training: PyTorch refuses
    a batch of one sample once its images have shrunk to one position. Where the last batch of an
    epoch can be a single sample, pass ``batch_norm=False``, or leave that batch out with
    ``iterator_train__drop_last=True``.

    Batches may have another height and width than `input_shape` if they are large enough to be
    pooled; `input_shape` decides which axes are pooled.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.modules import ConvNet
    >>> network = ConvNet((64, 32), 10)
    >>> network(torch.zeros(5, 64, 32)).shape
    torch.Size([5, 10])
    >>> [name for name, _ in network.blocks[1].named_children()]
    ['conv', 'norm', 'activation', 'pool']
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        n_outputs: int,
        *,
        channels: int | Sequence[int] = (16, 32, 48, 48, 64),
        kernel_size: int | tuple[int, int] = 3,
        pool_after: int | Sequence[int] = (0, 1, 3),
        dropout: float = 0.0,
        batch_norm: bool = True,
        standardize: bool = False,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        n_channels, height, width = check_image_shape(input_shape, "ConvNet")
        self.input_shape = tuple(input_shape)
        self.standardize = standardize_layer(self.input_shape) if standardize else None
        n_outputs = check_integer(n_outputs, "n_outputs", "ConvNet")
        channels = check_integers(channels, "channels", "ConvNet")
        if not channels:
            raise ValueError(
                "The 'channels' parameter of ConvNet must name one block or more. "
                "Got () instead. Use MLP for a network without convolutions."
            )
        kernel = _check_kernel_size(kernel_size)
        pool_after = check_integers(pool_after, "pool_after", "ConvNet", minimum=0)
        dropout = check_dropout(dropout, "ConvNet")

        self.blocks = nn.Sequential()
        for index, n_maps in enumerate(channels):
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            padding = (kernel[0] // 2, kernel[1] // 2)
            # Batch normalisation takes any bias away again.
            parts["conv"] = nn.Conv2d(
                n_channels, n_maps, kernel, padding=padding, bias=not batch_norm
            )
            if batch_norm:
                parts["norm"] = nn.BatchNorm2d(n_maps)
            parts["activation"] = nn.ReLU()
            if index in pool_after:
                window = pooling_kernel(height, width)
                parts["pool"] = nn.MaxPool2d(window)
                height, width = height // window[0], width // window[1]
            self.blocks.append(nn.Sequential(parts))
            n_channels = n_maps
        self.average = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.head = nn.Linear(n_channels, n_outputs)
        self.rescale = Rescale(n_outputs) if rescale else None
        # The order of memory in which convolutions, norms and pooling are fastest.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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
        check_image_batch(x, self.input_shape, "ConvNet")
        if self.standardize is not None:
            x = self.standardize(x)
        x = self.blocks(as_images(x))
        x = self.average(x).flatten(1)
        if self.dropout is not None:
            x = self.dropout(x)
        scores = self.head(x)
        return scores if self.rescale is None else self.rescale(scores)


def _check_kernel_size(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    sides = check_integers(kernel_size, "kernel_size", "ConvNet")
    if len(sides) == 1:
        sides *= 2
    if len(sides) != 2 or any(side % 2 == 0 for side in sides):
        raise ValueError(
            "The 'kernel_size' parameter of ConvNet must be an odd int or a pair of these, "
            f"height and width. Got {shown(kernel_size)} instead."
        )
    return sides[0], sides[1]
