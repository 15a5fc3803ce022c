"""The versions of what runs, for files and fits that depend on them."""

from __future__ import annotations

import platform
from importlib import import_module

from atl_sklearn._version import __version__

_PACKAGES = {"numpy": "numpy", "scikit-learn": "sklearn", "skorch": "skorch", "torch": "torch"}


def versions_here() -> dict[str, str]:
    """Return the versions of this package and of those that train, and that its files hold.

    Returns
    -------
    versions : dict of str to str
        By the names of packages, of what is running: others may have been installed since.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn._versions import versions_here
    >>> versions_here()["torch"] == torch.__version__
    True
    """
    found = {"atl_sklearn": __version__, "python": platform.python_version()}
    return found | {
        name: str(import_module(module).__version__) for name, module in _PACKAGES.items()
    }
