"""The page of what was measured."""

from __future__ import annotations

from benchmarks.pages import Page
from benchmarks.training.aims import AIMS

TITLES = {
    "steps": "Steps, as multiples of a plain one; peak memory of a step",
    "comparisons": "Metrics and aggregations, at the last layer of the ConvNet, batches of 32",
    "growth": "Value and gradient of a similarity as activations grow: exponents, milliseconds",
    "scaling": "Whole fits as more samples are seen, or tasks compared: exponents, seconds",
    "fits": "Whole fits",
    "uses": "Whole fits of each recommended use",
    "tables": "Tables, beside scikit-learn's MLPClassifier of the same layers",
    "small": "Small sets, beside a loop by hand; what comes before the first step",
    "searches": "A grid of 4 candidates in 5 folds, as multiples of a plain one",
}


def training_page(device: str, threads: int) -> Page:
    """Return the page of measurements on a device.

    Parameters
    ----------
    device : str
        Its type.
    threads : int
        Of torch, on the CPU.
    """
    # Of one thread the name is the plain one: most of what fits do is too small for several.
    several = f"-{threads}-threads" if device == "cpu" and threads > 1 else ""
    return Page(f"training-{device}{several}", TITLES, AIMS)
