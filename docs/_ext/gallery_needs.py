"""Which examples run: those that need more than the extra ``docs`` run where it is there.

Elsewhere their code is shown without what it prints and draws.
"""

import importlib.util

from atl_sklearn.datasets import fetch_fsdd


def _are_installed(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


def _are_digits_there():
    try:
        fetch_fsdd(download_if_missing=False)
    except OSError:
        return False
    return True


# By the name of the script, behind "plot_".
NEEDS = {
    "dask": lambda: _are_installed("distributed"),
    "pretrained_pitch": lambda: _are_installed("torchcrepe"),
    "pretrained_speaker": lambda: _are_installed("resemblyzer") and _are_digits_there(),
}


def runs():
    """Return a pattern of the paths of the scripts that run, and the names of those that do not."""
    left_out = [name for name, is_there in NEEDS.items() if not is_there()]
    unless = "".join(rf"(?!{name}\.py)" for name in left_out)
    return rf"/plot_{unless}", left_out
