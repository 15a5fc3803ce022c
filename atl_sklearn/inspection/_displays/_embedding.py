"""The samples as a network arranges them, in two dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn._validation import refuse_value
from atl_sklearn.inspection._arguments import check_count
from atl_sklearn.inspection._displays._frames import make_frame
from atl_sklearn.inspection._displays._style import (
    COLORS,
    GREY,
    HEAT,
    MARKERS,
    legend_label,
    several_axes,
    short,
)
from atl_sklearn.inspection._labels import check_length
from atl_sklearn.inspection._streaming import (
    choose_all,
    read_activations,
    rows_of,
    unwrapped_search,
)
from atl_sklearn.unrelated import as_tensors, freeze_network

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_METHODS = ("pca", "tsne")
_MOST_LABELS = 16
_MOST_IN_COLUMN = 12


class EmbeddingDisplay:
    """A projection of a layer, coloured by the target and by the nuisance.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, 2)
        Where the samples lie.
    labels : dict of str to ndarray of shape (n_samples,)
        For each panel its title, and the labels that colour it.

    Attributes
    ----------
    ax_ : ndarray of matplotlib.axes.Axes
        The panels, after `plot`.
    figure_ : matplotlib.figure.Figure
        The figure they are in.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.inspection import EmbeddingDisplay
    >>> display = EmbeddingDisplay(np.eye(2), {"target": ["a", "b"], "unrelated": [0, 1]})
    >>> display.frame().columns.tolist()
    ['x', 'y', 'target', 'unrelated']
    """

    ax_: np.ndarray
    figure_: Figure | SubFigure

    def __init__(self, embedding: np.ndarray, labels: Mapping[str, ArrayLike]) -> None:
        self.embedding = np.asarray(embedding)
        self.labels = {name: np.asarray(values) for name, values in labels.items()}

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        y_unrelated: ArrayLike,
        *,
        layer: str | int = "last",
        method: str | TransformerMixin = "pca",
        n_samples: int = 1000,
        batch_size: int = 128,
        random_state: int = 0,
    ) -> EmbeddingDisplay:
        """Project the activations of a layer.

        Parameters
        ----------
        estimator : fitted estimator or torch.nn.Module
            The network.
        X : array-like of shape (n_samples, ...)
            Data that were not used in fitting.
        y, y_unrelated : array-like of shape (n_samples,)
            The target and the nuisance.
        layer : str or int, default="last"
            The layer, as the estimators take it.
        method : {"pca", "tsne"} or transformer, default="pca"
            What makes two features of many; a transformer has ``fit_transform``.
        n_samples : int, default=1000
            How many samples are drawn at most, at random.
        batch_size : int, default=128
            Samples that run through the network at a time.
        random_state : int, default=0
            Determines the samples and the projection.

        Returns
        -------
        display : EmbeddingDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If there is no such layer or method.
        """
        owner = "EmbeddingDisplay.from_estimator"
        for name, value, least in (("n_samples", n_samples, 3), ("batch_size", batch_size, 1)):
            check_count(owner, name, value, least)
        is_name = isinstance(method, str) and method in _METHODS
        if not is_name and (isinstance(method, type) or not hasattr(method, "fit_transform")):
            must = f"one of {list(_METHODS)} or a transformer"
            raise refuse_value(owner, "method", must, method)
        n = _num_samples(X)
        labels = {
            "target": check_length(owner, "y", y, n),
            "nuisance": check_length(owner, "y_unrelated", y_unrelated, n),
        }
        chosen = np.sort(np.random.default_rng(random_state).permutation(n)[:n_samples])
        estimator = unwrapped_search(estimator)
        frozen = freeze_network(estimator)
        few = as_innermost_sees(estimator, rows_of(X, chosen[:2]))
        choose_all(frozen, as_tensors(frozen.network, few)[:2], layer)
        (features,) = read_activations((estimator,), frozen, X, chosen, batch_size=batch_size)
        features = StandardScaler().fit_transform(features.astype(np.float64))
        if method == "pca":
            made: BaseEstimator = PCA(min(2, *features.shape), random_state=random_state)
        elif method == "tsne":
            made = TSNE(
                init="pca", random_state=random_state, perplexity=min(30, (len(chosen) - 1) / 3)
            )
        else:
            made = clone(method)
        embedding = np.asarray(made.fit_transform(features))
        if embedding.shape[1] == 1:  # a layer of one feature
            embedding = np.hstack([embedding, np.zeros_like(embedding)])
        if embedding.shape != (len(chosen), 2):
            got = f"what returns shape {embedding.shape}"
            must = "what makes two features of many"
            raise refuse_value(owner, "method", must, got, "Set n_components=2.")
        return cls(embedding, {name: values[chosen] for name, values in labels.items()})

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns ``x`` and ``y``, and one for each panel.
        """
        rows = [
            (float(x), float(y), *(values[k] for values in self.labels.values()))
            for k, (x, y) in enumerate(self.embedding)
        ]
        return make_frame(rows, ("x", "y", *self.labels), "EmbeddingDisplay.frame")

    def plot(self, *, ax: Axes | None = None) -> EmbeddingDisplay:
        """Draw the same points side by side, coloured by each label.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes or None, default=None
            One for each label; None for a new figure.

        Returns
        -------
        display : EmbeddingDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.labels)
        axes = several_axes(
            "EmbeddingDisplay.plot", ax, (1, n), (5.2 * n, 4.2), sharex=ax is None,
            sharey=ax is None,
        )  # fmt: skip
        for at, (title, labels) in zip(axes, self.labels.items(), strict=True):
            self._draw(at, labels)
            at.set_title(title, fontsize="medium")
            at.set(xticks=[], yticks=[], xlabel="first direction")
        axes[0].set_ylabel("second direction")
        self.ax_, self.figure_ = axes, axes[0].figure
        return self

    def _draw(self, ax: Axes, labels: np.ndarray) -> None:
        x, y = self.embedding.T
        if type_of_target(labels) == "continuous":
            points = ax.scatter(x, y, c=labels, cmap=HEAT, s=14, linewidths=0)
            ax.figure.colorbar(points, ax=ax)
            return
        known = sorted(set(labels.tolist()))
        if len(known) > _MOST_LABELS:
            frequent = [name for name, _ in Counter(labels.tolist()).most_common(_MOST_LABELS)]
            rare = ~np.isin(labels, frequent)
            ax.scatter(x[rare], y[rare], c=GREY, s=8, linewidths=0, label="others")
            known = sorted(frequent)
        for place, name in enumerate(known):
            keep = labels == name
            ax.scatter(
                x[keep], y[keep], s=16, linewidths=0, alpha=0.8,
                label=legend_label(short(str(name), 12)), color=COLORS[place % len(COLORS)],
                marker=MARKERS[(place + place // len(COLORS)) % len(MARKERS)],
            )  # fmt: skip
        ax.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small",
            ncols=-(-len(known) // _MOST_IN_COLUMN), handletextpad=0.2,
        )  # fmt: skip
