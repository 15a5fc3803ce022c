"""How similar each layer of a network is to each of the unrelated one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _num_samples

from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._arguments import check_count, check_metric
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import HEAT, fit_labels, one_axes, short
from atl_sklearn.inspection._streaming import (
    choose_all,
    read_activations,
    rows_of,
    through,
    unwrapped_search,
)
from atl_sklearn.inspection._unrelated_side import find_sides, similarity_of
from atl_sklearn.unrelated import as_tensors, freeze_network

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_MOST_WITH_NUMBERS = 8  # layers


class LayerSimilarityDisplay:
    """Similarity of the layers of a network to those of the unrelated one.

    Parameters
    ----------
    similarity : ndarray of shape (n_layers, n_unrelated_layers)
        The numbers.
    layers, unrelated_layers : sequence of str
        The layers of both.
    metric : str
        What was measured.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The drawing, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure it is in.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from atl_sklearn.inspection import LayerSimilarityDisplay
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    >>> display = LayerSimilarityDisplay.from_estimator(net, X, unrelated=net)
    >>> display.similarity.diagonal().round(3).tolist()
    [1.0, 1.0]
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        similarity: np.ndarray,
        *,
        layers: Sequence[str],
        unrelated_layers: Sequence[str],
        metric: str,
    ) -> None:
        self.similarity = np.asarray(similarity)
        self.layers = tuple(layers)
        self.unrelated_layers = tuple(unrelated_layers)
        self.metric = metric

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        unrelated: object = None,
        layers: str | int | Sequence[str | int] | None = None,
        unrelated_layers: str | int | Sequence[str | int] | None = None,
        metric: str = "debiased_cka",
        n_samples: int = 1000,
        batch_size: int = 128,
        random_state: int = 0,
    ) -> LayerSimilarityDisplay:
        """Run both networks, and compare.

        Parameters
        ----------
        estimator : fitted estimator or torch.nn.Module
            The network.
        X : array-like of shape (n_samples, ...)
            Data that were not used in fitting.
        unrelated : fitted estimator, torch.nn.Module or None, default=None
            The other network, which takes X itself; None for the (first) one that `estimator`
            was kept from.
        layers, unrelated_layers : str, int, list of these or None, default=None
            Layers of the two; None for all convolutions and linear layers.
        metric : str, default="debiased_cka"
            A similarity of the arrangement of the samples.
        n_samples : int, default=1000
            How many samples of X are compared at most, drawn at random.
        batch_size : int, default=128
            Samples that run through the networks at a time.
        random_state : int, default=0
            Determines the samples.

        Returns
        -------
        display : LayerSimilarityDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If there is no unrelated network, or no such layer or metric.
        """
        owner = "LayerSimilarityDisplay.from_estimator"
        check_metric(owner, metric)
        for name, value, least in (("n_samples", n_samples, 4), ("batch_size", batch_size, 1)):
            check_count(owner, name, value, least)
        estimator = unwrapped_search(estimator)
        sides, _ = find_sides({"": estimator}, unrelated)
        if not sides:
            way_out = "Pass the network to compare with; a plain network has none."
            must = "a fitted network where `estimator` was not kept from one"
            raise refuse_value(owner, "unrelated", must, unrelated, way_out)
        n = _num_samples(X)
        rng = np.random.default_rng(random_state)
        chosen = np.sort(rng.permutation(n)[:n_samples])
        found, names = [], []
        for source, stages, wanted in (
            (estimator, (estimator,), layers),
            (sides[0].source, sides[0].stages, unrelated_layers),
        ):
            frozen = freeze_network(source)
            few = through(stages, rows_of(X, chosen[:2]))
            names.append(choose_all(frozen, as_tensors(frozen.network, few)[:2], wanted))
            found.append(read_activations(stages, frozen, X, chosen, batch_size=batch_size))
        table = [[similarity_of(a, b, metric) for b in found[1]] for a in found[0]]
        return cls(np.array(table), layers=names[0], unrelated_layers=names[1], metric=metric)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``layer``, ``unrelated_layer`` and ``similarity``.
        """
        rows = [
            (layer, other, float(self.similarity[a, b]))
            for a, layer in enumerate(self.layers)
            for b, other in enumerate(self.unrelated_layers)
        ]
        columns = ("layer", "unrelated_layer", "similarity")
        return make_frame(rows, columns, "LayerSimilarityDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> LayerSimilarityDisplay:
        """Draw the table in shades.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : LayerSimilarityDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_rows, n_columns = self.similarity.shape
        size = (min(10.0, 3.6 + 0.35 * n_columns), min(9.0, 2.6 + 0.3 * n_rows))
        ax = one_axes("LayerSimilarityDisplay.plot", ax, size)
        low = min(0.0, float(np.nanmin(self.similarity)))
        image = ax.imshow(
            self.similarity, vmin=low, vmax=1, cmap=HEAT, aspect="auto", origin="lower"
        )
        if max(n_rows, n_columns) <= _MOST_WITH_NUMBERS:
            for a, b in np.ndindex(n_rows, n_columns):
                bright = (self.similarity[a, b] - low) / (1 - low) > 0.55
                ax.text(
                    b, a, f"{self.similarity[a, b]:.2f}", ha="center", va="center",
                    color="black" if bright else "white", fontsize="small",
                )  # fmt: skip
        ax.set_xlabel("layer of the unrelated network")
        ax.set_ylabel("layer of this network")
        ax.figure.colorbar(image, ax=ax, label=self.metric.replace("_", " "))
        fit_labels(ax.xaxis, [short(name) for name in self.unrelated_layers])
        fit_labels(ax.yaxis, [short(name) for name in self.layers])
        self.ax_, self.figure_ = ax, ax.figure
        return self
