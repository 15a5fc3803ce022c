"""Fitted estimators in files that nothing executes when they are read."""

from atl_sklearn.persistence._errors import CannotSaveError, ModelFileError, UntrustedClassError
from atl_sklearn.persistence._save import load, save

__all__ = ["CannotSaveError", "ModelFileError", "UntrustedClassError", "load", "save"]
