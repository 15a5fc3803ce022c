"""What all drawings have in common: colours, room for labels, and the error without matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from atl_sklearn._validation import refuse_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# Okabe and Ito's colours, which people with colour blindness tell apart; neighbours differ in
# brightness too, and each has a marker and dashes of its own for print in grey.
COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#882255",
    "#44AA99",
    "#7F7F7F",
    "#B8A000",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "p")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2, 1, 2)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo", "**")
HEAT = "cividis"  # of one hue for the colour-blind, and its brightness rises throughout
GREY = "0.5"  # seen on white and on black

_SMALLEST = 5.0  # points


def need_matplotlib(owner: str) -> Any:
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{owner} needs matplotlib: pip install atl_sklearn[plot]") from error
    return plt


def style_of(place: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the line at a place."""
    return {
        "color": COLORS[place % len(COLORS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": DASHES[place % len(DASHES)],
    }


def one_axes(owner: str, ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """Return the axes to draw into, of a new figure if there are none."""
    plt = need_matplotlib(owner)
    if ax is not None:
        return ax
    _, made = plt.subplots(figsize=size, layout="constrained")
    return made


def several_axes(
    owner: str, axes: Any, shape: tuple[int, int], size: tuple[float, float], **kwargs: Any
) -> np.ndarray:
    """Return as many axes as there are panels, of a new figure if there are none.

    Raises
    ------
    ValueError
        If there is another number of axes than of panels.
    """
    plt = need_matplotlib(owner)
    n_panels = kwargs.pop("n_panels", shape[0] * shape[1])
    if axes is not None:
        given = np.asarray(axes, dtype=object).ravel()
        if len(given) != n_panels:
            must = f"None or {n_panels} matplotlib Axes, one for each panel"
            raise refuse_value(owner, "ax", must, f"{len(given)} of them")
        return given
    _, made = plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False, **kwargs)
    for unused in made.ravel()[n_panels:]:
        unused.set_axis_off()
    drawn: np.ndarray = made.ravel()[:n_panels]
    return drawn


def legend_above(ax: Axes, n_columns: int = 2) -> None:
    """Put the legend above the axes, where nothing is drawn."""
    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    ax.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=min(n_columns, len(labels)),
        borderaxespad=0.3,
        frameon=False,
        fontsize="small",
    )


def _overlap(texts: Sequence[Text]) -> bool:
    boxes = [text.get_window_extent() for text in texts]
    return any(a.padded(1).overlaps(b) for a, b in pairwise(boxes))


def _visible(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
    return [label for at, label in ticks if low <= at <= high and label.get_text()]


def fit_labels(axis: Any, names: Sequence[str], places: Sequence[float] | None = None) -> None:
    """Write names beside an axis so that none covers another.

    They are turned, then made smaller; what is still too many is left out, every second one first.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Of an axes of which the limits are set.
    names : sequence of str
        The labels.
    places : sequence of float or None, default=None
        Where they stand; None for 0, 1, ...
    """
    figure: Any = axis.figure
    at = np.arange(len(names)) if places is None else np.asarray(places)
    axis.set_ticks(at, list(names))
    horizontal = axis.axis_name == "x"
    size = axis.get_ticklabels()[0].get_fontsize() if len(names) else 10.0
    turns = (0, 90) if horizontal else (0,)
    for smaller in (1.0, 0.85, 0.7, 0.6, 0.5):
        for turn in turns:
            points = max(_SMALLEST, size * smaller)
            for label in axis.get_ticklabels():
                label.set(rotation=turn, fontsize=points)
            figure.draw_without_rendering()
            if not _overlap(_visible(axis)):
                return
    step = 2
    while step < len(names):
        axis.set_ticks(at[::step], list(names)[::step])
        for label in axis.get_ticklabels():
            label.set(rotation=turns[-1], fontsize=_SMALLEST)
        figure.draw_without_rendering()
        if not _overlap(_visible(axis)):
            return
        step += 1


def overlapping_labels(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of visible texts of a figure that cover each other.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is drawn first.

    Returns
    -------
    pairs : list of (str, str)
        Empty where all can be read.
    """
    from matplotlib.text import Text

    figure.draw_without_rendering()
    boxes = []
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        boxes.append((text.get_text(), text.get_window_extent()))
    ticks = _hidden_ticks(figure)
    boxes = [(name, box) for name, box in boxes if (name, tuple(box.bounds)) not in ticks]
    # Boxes are a little larger than what is written in them.
    return [
        (a, b)
        for (a, first), (b, second) in combinations(boxes, 2)
        if first.shrunk(0.98, 0.9).overlaps(second.shrunk(0.98, 0.9))
        and first.width
        and second.width
    ]


def _hidden_ticks(figure: Figure) -> set[tuple[str, tuple[float, ...]]]:
    """Return the labels of ticks that are not drawn: beyond the limits, or switched off."""
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                outside = not low - 1e-9 <= tick.get_loc() <= high + 1e-9
                for label in (tick.label1, tick.label2):
                    if outside or not ax.axison or not ax.get_visible() or not axis.get_visible():
                        hidden.add((label.get_text(), tuple(label.get_window_extent().bounds)))
    return hidden


def short(name: str, most: int = 24) -> str:
    """Return a name that fits beside an axis: its end, where it is long."""
    return name if len(name) <= most else f"...{name[-most + 3 :]}"
