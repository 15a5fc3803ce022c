"""The link to the documentation in the diagrams that notebooks show of estimators."""

from __future__ import annotations

import importlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from itertools import takewhile
from pathlib import Path

# An address, or a folder with the pages that sphinx-build has made.
_VARIABLE = "ATL_SKLEARN_DOCS"


@cache
def _published_address() -> str:
    """Return the address of the documentation in what pip knows of the package, if any."""
    try:
        addresses = metadata("atl_sklearn").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(entry.split(", ", 1) for entry in addresses)
    return named.get("Documentation", "")


def documentation_address() -> str:
    """Return where the documentation is: that of the environment first, empty for nowhere.

    Returns
    -------
    address : str
        Without a slash at the end.
    """
    address = os.environ.get(_VARIABLE) or _published_address()
    if address and "://" not in address:
        address = Path(address).absolute().as_uri()
    return address.rstrip("/")


class DocumentationLink:
    """Links the diagram of an estimator to its page of the reference.

    The pages are where the environment variable ``ATL_SKLEARN_DOCS`` says, an address or a folder
    that ``sphinx-build`` has made; otherwise at the address that the package was published with.
    Where there is neither, there is no link.
    """

    def _get_doc_link(self) -> str:
        address = documentation_address()
        module, name = type(self).__module__.split("."), type(self).__name__
        if not address or module[0] != "atl_sklearn":
            return ""
        # The page has the shortest name under which users find the class.
        public = list(takewhile(lambda part: not part.startswith("_"), module))
        if hasattr(importlib.import_module(public[0]), name):
            public = public[:1]
        return f"{address}/generated/{'.'.join([*public, name])}.html"
