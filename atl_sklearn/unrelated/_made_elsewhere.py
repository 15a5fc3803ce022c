"""Networks in other forms than modules: exported programs, and ONNX files by their paths."""

from __future__ import annotations

import os
import sys
import weakref

import torch

from atl_sklearn.unrelated._onnx import OnnxNetwork

_MODULES: weakref.WeakKeyDictionary[object, torch.nn.Module] = weakref.WeakKeyDictionary()


def _is_program(source: object) -> bool:
    # What has never been imported is nobody's class; importing it takes a second.
    library = sys.modules.get("torch.export")
    return library is not None and isinstance(source, library.ExportedProgram)


def _is_onnx_path(source: object) -> bool:
    return isinstance(source, str | os.PathLike) and os.fspath(source).endswith(".onnx")


def is_made_elsewhere(source: object) -> bool:
    """Tell whether `source` is a network in a form that is no module.

    Examples
    --------
    >>> from atl_sklearn.unrelated._made_elsewhere import is_made_elsewhere
    >>> is_made_elsewhere("encoder.onnx"), is_made_elsewhere("encoder")
    (True, False)
    """
    return _is_onnx_path(source) or _is_program(source)


def as_module(source: object) -> object:
    """Return a network in another form as a module, and anything else as it is.

    Parameters
    ----------
    source : object
        An exported program, the path of an ONNX file, or what else is unrelated.

    Returns
    -------
    source : torch.nn.Module or object
        Of one program always the same module.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        If a file cannot be read; see :class:`~atl_sklearn.unrelated.OnnxNetwork`.
    """
    if _is_onnx_path(source):
        return OnnxNetwork(source)  # type: ignore[arg-type]
    if not _is_program(source):
        return source
    if source not in _MODULES:
        _MODULES[source] = source.module()  # type: ignore[attr-defined]
    return _MODULES[source]
