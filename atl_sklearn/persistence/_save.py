"""Save and load."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from atl_sklearn._types import PathLike
from atl_sklearn._validation import refuse_value
from atl_sklearn._versions import versions_here
from atl_sklearn.persistence._errors import ModelFileError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from atl_sklearn.persistence._allowed import Code, Trusted
    from atl_sklearn.persistence._encode import Keep
    from atl_sklearn.persistence._file import Content


def save(
    estimator: BaseEstimator,
    path: PathLike,
    *,
    include_optimizer: bool = False,
    include_unrelated: bool = False,
    include_source: bool = False,
) -> None:
    """Save a fitted estimator in a file that is safe to send and to load.

    Parameters
    ----------
    estimator : fitted estimator
        An :class:`AntiTransferClassifier` or :class:`AntiTransferRegressor`; a transformer of this
        package; one of scikit-learn's that holds only numbers (a ``StandardScaler``, a ``PCA``); a
        ``Pipeline`` of these; or a search, of which ``best_estimator_`` is saved.
    path : path-like
        The file. It is written whole or not at all; an older file stays if saving fails.
    include_optimizer : bool, default=False
        Whether to save the state of the training too, so that `partial_fit`, and `fit` with
        ``warm_start=True``, go on as if nothing had happened. Without it they go on from the same
        weights with a new optimizer.
    include_unrelated : bool, default=False
        Whether to save fitted unrelated networks too. Prediction does not need them. Without them,
        another `fit` asks you to set `unrelated`.
    include_source : bool, default=False
        Whether to save the source code of your own modules and functions too, for people who do not
        have it. It only runs if they name it in `trusted`.

    Raises
    ------
    CannotSaveError
        If a parameter or attribute, such as a lambda, cannot be saved faithfully. The message names
        it and a way out; nothing was written.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : The way back.

    Notes
    -----
    Data, caches, hooks, folders of this machine (``memory``, ``memory_map``) and callbacks that
    write files are not saved. The file is in the safetensors format. Its header holds the rest as
    JSON: parameters, classes, shapes, versions and a digest.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import make_classification
    >>> import atl_sklearn
    >>> X, y = make_classification(random_state=0)
    >>> model = atl_sklearn.AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atl_sklearn.save(model, f"{folder}/model.safetensors")
    ...     loaded = atl_sklearn.load(f"{folder}/model.safetensors")
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import check_is_fitted

    from atl_sklearn.persistence import _file
    from atl_sklearn.persistence._encode import Keep

    estimator = best_of(estimator, "save")
    if not isinstance(estimator, BaseEstimator):
        raise refuse_value("save", "estimator", "a fitted estimator", estimator)
    check_is_fitted(estimator)
    what = Keep(include_optimizer, include_unrelated, include_source)
    _file.write(as_content(estimator, what), path)


def best_of(estimator: BaseEstimator, owner: str) -> BaseEstimator:
    """Return the best estimator of a search, or the estimator itself.

    Raises
    ------
    ValueError
        If the search has none.
    """
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(estimator, BaseEstimator) or isinstance(estimator, type):
        return estimator
    if "refit" not in estimator.get_params(deep=False):
        return estimator
    check_is_fitted(estimator)
    if not hasattr(estimator, "best_estimator_"):
        way_out = "Search with refit=True."
        raise refuse_value(owner, "estimator", "a refitted search", estimator, way_out)
    return estimator.best_estimator_


def as_content(value: object, keep: Keep) -> Content:
    """Return what a file holds of an object."""
    from atl_sklearn.persistence._encode import Encoder
    from atl_sklearn.persistence._file import Content

    encoder = Encoder(keep)
    model = encoder.encode(value)
    return Content(model, encoder.tensors, encoder.sources, versions_here())


def load(path: PathLike, trusted: Trusted = ()) -> BaseEstimator:
    """Load what :func:`save` saved, without running anything that is in the file.

    Parameters
    ----------
    path : path-like
        The file.
    trusted : sequence of str, class or function, default=()
        Classes and functions that the file may name, besides those of this package, scikit-learn,
        skorch and torch: ``"package.module.Name"``, or the object itself. Only for these is a
        module imported, or source code in the file run.

    Returns
    -------
    estimator : fitted estimator
        It predicts as the saved one did: bit for bit, with the same versions on the same kind of
        machine.

    Raises
    ------
    UntrustedClassError
        If the file names code that is not trusted; none of it was run.
    ModelFileError
        If it is not such a file, has another format version, or was cut off or changed.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If other versions of the packages wrote the file, or a device is not there.

    See Also
    --------
    save : The way there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> import atl_sklearn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atl_sklearn.save(StandardScaler().fit(np.eye(3)), f"{folder}/scaler.safetensors")
    ...     atl_sklearn.load(f"{folder}/scaler.safetensors").n_features_in_
    3
    """
    from atl_sklearn.persistence import _file

    try:
        content = _file.read(path)
        older = _file.warn_of_versions(content.versions, path)
        return from_content(content, trusted, older=older)
    except ModelFileError as error:
        raise type(error)(f"{os.fspath(path)!r} cannot be loaded. {error}") from error


def from_content(content: Content, trusted: Trusted = (), *, older: bool = False) -> Any:
    """Return the object that a file holds; see :func:`load`."""
    from atl_sklearn.persistence._allowed import Trust
    from atl_sklearn.persistence._decode import Decoder
    from atl_sklearn.persistence._source import run_source

    makers: dict[str, Callable[[], Code]] = {
        name: partial(run_source, name, text) for name, text in content.sources.items()
    }
    return Decoder(content.tensors, Trust(trusted, makers), older=older).decode(content.model)
