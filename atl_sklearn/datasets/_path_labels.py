"""Labels that are in the paths of files."""

from __future__ import annotations

import os
import re

import numpy as np

from atl_sklearn._validation import refuse_value, shown

LABELS = ("target", "nuisance", "group")


def check_pattern(function: str, pattern: object) -> re.Pattern[str]:
    """Return a regular expression whose groups are labels."""
    must = (
        "a regular expression with groups named target, nuisance or group, such as "
        r"r'(?P<nuisance>\w+)/(?P<target>\d+)_[^/]*'"
    )
    try:
        compiled = re.compile(pattern)  # type: ignore[call-overload]
    except (re.error, TypeError) as error:
        raise refuse_value(function, "pattern", must, pattern, str(error)) from error
    names = set(compiled.groupindex)
    if not isinstance(compiled.pattern, str) or not names or names - set(LABELS):
        raise refuse_value(function, "pattern", must, pattern)
    return compiled


def labels_of(path: str, root: str, pattern: re.Pattern[str] | None) -> dict[str, str] | str:
    """Return the labels in a path, from the root on; or what is wrong with it."""
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    found: dict[str, str] = {}
    if pattern is not None:
        match = pattern.search(relative)
        if match is None:
            return "its path does not match the pattern"
        found = match.groupdict()
        missing = [name for name, label in found.items() if label is None]
        if missing:
            return f"its path has no {missing[0]}, by the pattern"
    if "target" not in found:
        folder, _, rest = relative.partition("/")
        if not rest:
            return "it is in no folder of a category, and the pattern names no target"
        found["target"] = folder
    return found


def columns_of(labels: list[dict[str, str]]) -> dict[str, np.ndarray]:
    """Return an array for each kind of label."""
    names = [name for name in LABELS if labels and name in labels[0]]
    return {name: np.array([row[name] for row in labels]) for name in names}


def check_links(paths: list[str], targets: list[str]) -> None:
    """Refuse a file that is there twice, by links, with two targets."""
    known: dict[str, int] = {}
    for i, path in enumerate(paths):
        first = known.setdefault(os.path.realpath(path), i)
        if targets[first] != targets[i]:
            raise ValueError(
                f"{shown(paths[first])} and {shown(path)} are one file, by links, with two "
                f"targets, {targets[first]!r} and {targets[i]!r}. Remove one of them."
            )
