"""Fitted estimators in files: safe ones for this package, and those for other programs."""

from atl_sklearn.persistence._allowed import Trusted, allowed_name
from atl_sklearn.persistence._errors import (
    CannotSaveError,
    ModelFileError,
    UnknownStateError,
    UntrustedClassError,
)
from atl_sklearn.persistence._export import export_onnx, export_program
from atl_sklearn.persistence._kept import find, keep, own_parts_of
from atl_sklearn.persistence._plain import HERE_ONLY_OF_NETS, LEFT_BEHIND, shadows
from atl_sklearn.persistence._save import load, save
from atl_sklearn.persistence._state import check_packable, pack_state, unpack_state

__all__ = [
    "CannotSaveError",
    "ModelFileError",
    "UntrustedClassError",
    "export_onnx",
    "export_program",
    "load",
    "save",
]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    HERE_ONLY_OF_NETS,
    LEFT_BEHIND,
    Trusted,
    UnknownStateError,
    allowed_name,
    check_packable,
    find,
    keep,
    own_parts_of,
    pack_state,
    shadows,
    unpack_state,
)
