"""What classifier and regressor have in common, written once: arguments and their description."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

_Class = TypeVar("_Class", bound=type)
_TITLE = re.compile(r"^(\S.*)\n-{3,}\n", re.MULTILINE)


def arguments_of(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a constructor, those in its ``**kwargs`` among them.

    Parameters
    ----------
    names : mapping
        The constructor's ``locals()``, before it has any names of its own.

    Returns
    -------
    arguments : dict
        Without ``self``.
    """
    own = {"self", "__class__", "kwargs"}
    return {**{n: v for n, v in names.items() if n not in own}, **names["kwargs"]}


def _sections(docstring: str) -> dict[str, str]:
    """Return the sections of a numpydoc docstring by title; what comes first has none."""
    parts = _TITLE.split(inspect.cleandoc(docstring))
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section by name."""
    found = re.split(r"^(?=\S)", section.rstrip() + "\n", flags=re.MULTILINE)
    return {entry.partition(" : ")[0]: entry for entry in found if entry}


def documented_like(
    other: type, *, leaving_out: Collection[str] = ()
) -> Callable[[_Class], _Class]:
    """Complete the docstring of a class by that of another.

    Sections that it lacks are the other's, and so are entries of sections in which both have
    entries with types.

    Parameters
    ----------
    other : type
        The class whose docstring has everything.
    leaving_out : collection of str, default=()
        Names of entries that are the other's alone.

    Returns
    -------
    decorate : callable
        A decorator of classes.
    """

    def decorate(cls: _Class) -> _Class:
        if not cls.__doc__ or not other.__doc__:  # which python -OO drops
            return cls
        own, theirs = _sections(cls.__doc__), _sections(other.__doc__)
        for title in ("Parameters", "Attributes"):
            known = _entries(theirs[title])
            known |= _entries(own.get(title, ""))
            entries = [text for name, text in known.items() if name not in leaving_out]
            own[title] = "".join(entries)
        order = {**dict.fromkeys(theirs), **own}
        texts = {**theirs, **own}
        cls.__doc__ = "\n\n".join(
            f"{title}\n{'-' * len(title)}\n{texts[title]}".strip() if title else texts[""].strip()
            for title in order
        )
        return cls

    return decorate
