"""The file: safetensors, with JSON in its header.

One file and not a zip or a folder: it is written and replaced at once, has no names of files in
it that could lead elsewhere, and is not compressed, so that it never becomes larger than it is.
The same numbers can be read by whatever reads safetensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

import torch

from atl_sklearn._partial_files import written_at_once
from atl_sklearn._types import Json, PathLike
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import shown
from atl_sklearn._version import __version__
from atl_sklearn._versions import versions_here
from atl_sklearn.persistence._errors import CannotSaveError, ModelFileError

FORMAT = "atl_sklearn"
FORMAT_VERSION = 1
_LONGEST_HEADER = 100_000_000  # as in the safetensors library
_KEYS = {"format", "format_version", "versions", "model", "sources", "digest"}


class Content(NamedTuple):
    """What is in a file.

    Parameters
    ----------
    model : JSON
        The description of the estimator.
    tensors : dict of str to Tensor
        Its numbers.
    sources : dict of str to str
        Source code of classes and functions, by name.
    versions : dict of str to str
        Of the packages that wrote it.
    digest : str, default=""
        Of the content, once it was written.
    """

    model: Json
    tensors: dict[str, torch.Tensor]
    sources: dict[str, str]
    versions: dict[str, str]
    digest: str = ""


def _digest(texts: list[str], tensors: dict[str, torch.Tensor]) -> str:
    found = hashlib.sha256()
    for text in texts:
        found.update(f"{len(text)}:{text}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name!r} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def pack(content: Content) -> tuple[bytes, str]:
    """Return a file's bytes, which begin with its header, and the digest of its content."""
    from safetensors.torch import save

    try:
        model = json.dumps(content.model, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise CannotSaveError("The estimator cannot be saved: it is nested too deeply.") from None
    texts = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "versions": json.dumps(content.versions),
        "model": model,
        "sources": json.dumps(content.sources),
    }
    texts["digest"] = _digest([texts[k] for k in sorted(texts)], content.tensors)
    return save(content.tensors, metadata=texts), texts["digest"]


def write(content: Content, path: PathLike) -> str:
    """Write a file, all of it or nothing, and return the digest of its content."""
    packed, digest = pack(content)
    with written_at_once(path) as partial:
        partial.write_bytes(packed)
    return digest


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelFileError(f"The file has {shown(twice)} twice.")
    return found


def _parse(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"The file's {what} cannot be read: {error}.") from error


def _no_constant(name: str) -> Json:
    raise ModelFileError(f"The file has {name} as a number.")


def _header(data: bytes) -> dict[str, str]:
    """Return the texts in the header, after a look at how long everything is."""
    size = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if not 2 <= size <= _LONGEST_HEADER or data[8:9] != b"{":
        raise ModelFileError("It is not a file that atl_sklearn.save wrote: it has no such header.")
    if len(data) < 8 + size:
        raise ModelFileError(
            f"The file is cut off: it has {len(data)} bytes of {8 + size} or more."
        )
    header = _parse(data[8 : 8 + size], "header")
    texts = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(texts, dict) or texts.get("format") != FORMAT:
        raise ModelFileError(
            "It is not a file that atl_sklearn.save wrote, but another safetensors file."
        )
    found = texts.get("format_version")
    if found != str(FORMAT_VERSION):
        raise ModelFileError(
            f"The file is of format version {shown(found)}, and this version of atl_sklearn, "
            f"{__version__}, reads {FORMAT_VERSION}. Install the one that wrote it: "
            f"{shown(texts.get('versions'))}."
        )
    if texts.keys() != _KEYS or not all(isinstance(text, str) for text in texts.values()):
        lacks = sorted(_KEYS - texts.keys()) or "nothing"
        raise ModelFileError(f"The file's header must have {sorted(_KEYS)}. It lacks {lacks}.")
    try:
        ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        end = 8 + size + max(ends, default=0)
        short = len(data) < end
    except (KeyError, IndexError, TypeError) as error:
        raise ModelFileError("The file's header does not say where its tensors lie.") from error
    if short:
        raise ModelFileError(f"The file is cut off: it has {len(data)} bytes of {end}.")
    return texts


def unpack(data: bytes) -> Content:
    """Return what is in a file's bytes, checked against its digest.

    Raises
    ------
    ModelFileError
        If it is no such file, of another version, cut off or changed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    texts = _header(data)
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"The file's tensors cannot be read: {error}.") from error
    digest = texts.pop("digest")
    found = _digest([texts[k] for k in sorted(texts)], tensors)
    if found != digest:
        raise ModelFileError(
            f"The file was changed after it was written: its digest is {found}, and it says "
            f"{shown(digest)}. Get it again."
        )
    versions = _parse(texts["versions"], "versions")
    sources = _parse(texts["sources"], "sources")
    for table, what in ((versions, "versions"), (sources, "sources")):
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise ModelFileError(f"The file's {what} are not names and texts.")
    return Content(_parse(texts["model"], "model"), tensors, sources, versions, digest)


def read(path: PathLike) -> Content:
    """Return what is in a file; see :func:`unpack`."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # a pipe or a device may have no end
        raise ModelFileError(f"{os.fspath(path)!r} is no file.")
    return unpack(Path(path).read_bytes())


def warn_of_versions(versions: dict[str, str], path: PathLike) -> bool:
    """Warn if other versions wrote a file, and return whether they did."""
    here = versions_here()
    differ = [f"{name} {versions.get(name, 'unknown')} (here {here[name]})" for name in here
              if versions.get(name) != here[name] and name != "python"]  # fmt: skip
    if differ:
        warn_user(
            f"{os.fspath(path)!r} was saved with {', '.join(differ)}. The loaded estimator may "
            "predict other values; compare a few."
        )
    return bool(differ)
