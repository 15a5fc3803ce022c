"""What goes wrong with files of models."""


class CannotSaveError(ValueError):
    """An estimator holds something that cannot be saved faithfully; nothing was written."""


class ModelFileError(ValueError):
    """A file is not what :func:`~atl_sklearn.save` writes, or not any more."""


class UntrustedClassError(ModelFileError):
    """A file names a class or function that `trusted` does not."""


class UnknownStateError(TypeError):
    """A state has something in it of which nobody knows how to write it down."""
