"""Fitted estimators in files: safe ones for this package, and those for other programs."""

from atl_sklearn.persistence._errors import CannotSaveError, ModelFileError, UntrustedClassError
from atl_sklearn.persistence._export import export_onnx, export_program
from atl_sklearn.persistence._save import load, save

__all__ = [
    "CannotSaveError",
    "ModelFileError",
    "UntrustedClassError",
    "export_onnx",
    "export_program",
    "load",
    "save",
]
