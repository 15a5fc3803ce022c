"""What all drawings have in common: colours, room for labels, and the error without matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from atl_sklearn._validation import refuse_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# Okabe and Ito's colours, which people with colour blindness tell apart; neighbours differ in
# brightness too, and each has a marker and dashes of its own for print in grey.
COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00",
    "#CC79A7", "#7F7F7F", "#B8A000", "#882255", "#44AA99",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "p")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2, 1, 2)))
HEAT = "cividis"  # of one hue for the colour-blind, and its brightness rises throughout
GREY = "0.5"  # seen on white and on black

_SMALLEST = 5.0  # points


def need_matplotlib(owner: str) -> ModuleType:
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
    owner: str, axes: object, shape: tuple[int, int], size: tuple[float, float], **kwargs: Any
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


def legend_label(name: str) -> str:
    """Return a user's name as it stands in a legend.

    Matplotlib leaves labels out that are empty or begin with "_"; these get a space before them.
    """
    return name if name and not name.startswith("_") else f" {name}"


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


def _fits(axis: XAxis | YAxis, labels: Sequence[Text], at: np.ndarray) -> bool:
    """Tell whether labels at ticks leave room between each other, without drawing them."""
    horizontal = axis.axis_name == "x"
    boxes = [label.get_window_extent() for label in labels]
    sizes = np.array([box.width if horizontal else box.height for box in boxes])
    points = np.column_stack([at, at])
    places = axis.axes.transData.transform(points)[:, 0 if horizontal else 1]
    room = np.abs(np.diff(places))
    return bool(np.all((sizes[:-1] + sizes[1:]) / 2 + 2 <= room))


def fit_labels(axes: Any, names: Sequence[str]) -> None:
    """Write names beside an axis so that none covers another.

    They are turned, then made smaller; what is still too many is left out, every second one first.

    Parameters
    ----------
    axes : matplotlib.axis.Axis, or list of these
        Of axes of which the limits are set; all of the same size.
    names : sequence of str
        The labels, at 0, 1, ...
    """
    several = axes if isinstance(axes, list) else [axes]
    first = several[0]
    figure = first.figure
    names, at = list(names), np.arange(len(names))
    for axis in several:
        axis.set_ticks(at, names)
    figure.draw_without_rendering()  # so that the axes have their sizes
    size = first.get_ticklabels()[0].get_fontsize()
    turns = (0, 90) if first.axis_name == "x" else (0,)
    settings = [
        (step, max(_SMALLEST, size * smaller), turn)
        for step in range(1, len(names) + 1)
        for smaller in ((1.0, 0.85, 0.7, 0.6, 0.5) if step == 1 else (0.5,))
        for turn in (turns if step == 1 else turns[-1:])
    ]
    for step, points, turn in settings:
        first.set_ticks(at[::step], names[::step])
        labels = first.get_ticklabels()
        for label in labels:
            label.set(rotation=turn, fontsize=points)
        if _fits(first, labels, at[::step]):
            break
    for axis in several[1:]:
        axis.set_ticks(at[::step], names[::step])
        for label in axis.get_ticklabels():
            label.set(rotation=turn, fontsize=points)


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
    ticks = _hidden_ticks(figure)
    names, found = [], []
    for text in figure.findobj(Text):
        box = text.get_window_extent() if text.get_visible() and text.get_text().strip() else None
        if box is None or not (box.width and box.height):
            continue
        if (text.get_text(), tuple(box.bounds)) not in ticks:
            names.append(text.get_text())
            found.append(box.shrunk(0.98, 0.9).extents)  # boxes are larger than what is in them
    x0, y0, x1, y1 = np.array(found).reshape(-1, 4).T
    crossed = (x0[:, None] < x1) & (x0 < x1[:, None]) & (y0[:, None] < y1) & (y0 < y1[:, None])
    pairs = np.argwhere(np.triu(crossed, k=1))
    return [(names[a], names[b]) for a, b in pairs]


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
