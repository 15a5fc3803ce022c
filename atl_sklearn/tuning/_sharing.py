"""An unrelated network that travels to each process once, and not with each task."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from atl_sklearn._documentation import DocumentationLink
from atl_sklearn._fingerprint import Unidentifiable, fingerprint
from atl_sklearn._types import PathLike
from atl_sklearn._validation import shown
from atl_sklearn.persistence import CannotSaveError, ModelFileError, find, keep, own_parts_of
from atl_sklearn.unrelated import as_module, check_source, is_fitted, is_word

if TYPE_CHECKING:
    from distributed import Client, Worker

_HERE: dict[str, SharedNetwork] = {}  # the networks that this process has
_LOCK = threading.Lock()


class SharedNetwork(DocumentationLink, FrozenEstimator):
    """A fitted network that is pickled by name; :func:`share_network` makes it.

    Parameters
    ----------
    estimator : fitted estimator or torch.nn.Module
        The network.
    path : str or None, default=None
        The file from which other processes load it; None if it was sent to them.
    name : str or None, default=None
        Its name in the process that it comes from; None to name it here, by its content.

    Examples
    --------
    >>> import pickle, tempfile
    >>> import torch
    >>> from atl_sklearn.tuning import share_network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shared = share_network(torch.nn.Linear(1000, 1000), folder)
    ...     len(pickle.dumps(shared)) < 1000
    True
    """

    def __init__(
        self, estimator: BaseEstimator, path: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(estimator)
        self.path = path
        self.name = name
        self._shared_as: str | None = None
        # Of the file, and what in it is of others' code: who has these from us may read it.
        self._digest: str | None = None
        self._needs: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., SharedNetwork], tuple[object, ...]]:
        name = _name(self.estimator) if self.name is None else self.name
        if self._shared_as not in (None, name):
            raise RuntimeError(
                "A shared network has changed since share_network was called, and others have it "
                "as it was then. Share it again."
            )
        return _find, (name, self.path, self._digest, self._needs)

    @property
    def _saved_instead(self) -> FrozenEstimator:
        """What is saved in files of estimators: the network itself, not where it lies."""
        return FrozenEstimator(self.estimator)


def _name(estimator: BaseEstimator) -> str:
    try:
        return fingerprint(estimator)
    except Unidentifiable as error:
        raise TypeError(
            "share_network names a network by its content, so that no process gets another one. "
            f"The content of this {type(estimator).__name__} cannot be told: {error} Leave that "
            "out, or pass the network as it is: then it is sent with every task."
        ) from error


def _find(
    name: str, path: str | None, digest: str | None = None, needs: tuple[str, ...] = ()
) -> SharedNetwork:
    """Return a network that this process has, loading it the first time."""
    with _LOCK:
        if name not in _HERE:
            if path is None:
                raise RuntimeError(
                    "A shared network was not sent to this process. Share it with the client whose "
                    "workers use it, or by a folder that they see."
                )
            try:
                network = find(name, path, needs, digest)
            except OSError as error:
                raise FileNotFoundError(
                    f"The file {path!r} of a shared network cannot be read on this machine: "
                    f"{error}. Share it by a folder that all machines see at the same place."
                ) from error
            except ModelFileError as error:
                raise ModelFileError(
                    f"The file {path!r} of a shared network cannot be used: {error} Share it again."
                ) from error
            _HERE[name] = SharedNetwork(network, path, name)
            _HERE[name]._digest, _HERE[name]._needs = digest, needs
        return _HERE[name]


class _Delivery:
    """Puts a network into each Dask worker, those that join later too."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = f"atl_sklearn-network-{name}"
        self._network = name
        self._content = content

    def setup(self, worker: Worker) -> None:
        with _LOCK:
            _HERE[self._network] = SharedNetwork(pickle.loads(self._content), None, self._network)


def share_network(unrelated: BaseEstimator, where: PathLike | Client) -> SharedNetwork:
    """Return an unrelated network that each other process gets only once.

    A distributed search sends the estimator with every task, and its fitted `unrelated` network
    with it. What this function returns is sent as a name instead.

    Parameters
    ----------
    unrelated : fitted estimator or torch.nn.Module
        As the estimators take it.
    where : str, path-like or distributed.Client
        A folder that all processes see, at the same place on all machines. The network is written
        to a file in it, named by its content; each process reads it once, and checks that it is
        what was written. Or a Dask client: the network is sent to each of its workers, without a
        folder.

    Returns
    -------
    shared : SharedNetwork
        For the parameter `unrelated`; clones keep it.

    Raises
    ------
    TypeError
        If `unrelated` has no network, holds something that cannot be told from others (such as an
        open file) or cannot be written (such as a lambda), or if `where` is neither a folder nor a
        client.
    ValueError
        If it is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.tuning import share_network
    >>> X, y = make_classification(random_state=0)
    >>> speaker = AntiTransferClassifier(max_epochs=1).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shared = share_network(speaker, folder)
    ...     net = AntiTransferClassifier(unrelated=shared, weight=1.0, max_epochs=1)
    ...     net.fit(X, y).weight_
    1.0
    """
    unrelated = as_module(unrelated)
    check_source(unrelated)
    if is_word(unrelated):
        raise TypeError(
            f"share_network takes a fitted network. Got {shown(unrelated)}, which is none."
        )
    if not is_fitted(unrelated):
        raise ValueError(
            "share_network takes a fitted network; an unfitted estimator is small enough to be "
            f"sent as it is. Got {type(unrelated).__name__}, which is not fitted."
        )
    name = _name(unrelated)
    if hasattr(where, "register_plugin"):
        from distributed import WorkerPlugin

        delivery = type("NetworkDelivery", (_Delivery, WorkerPlugin), {})
        where.register_plugin(delivery(name, pickle.dumps(unrelated)))
        shared = SharedNetwork(unrelated)
    elif isinstance(where, str | os.PathLike):
        folder = Path(where).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            parts = own_parts_of(unrelated)
            path, digest = keep(
                unrelated,
                name,
                lambda digest: folder / f"network_{name}_{digest[:16]}.safetensors",
                optimizer=False,
            )
        except CannotSaveError as error:
            raise TypeError(
                f"This network cannot be written to a folder. {error} Or pass the network as it "
                "is: then it is sent with every task."
            ) from error
        shared = SharedNetwork(unrelated, str(path))
        shared._digest = digest
        shared._needs = tuple(f"{part.__module__}.{part.__qualname__}" for part in parts)
    else:
        raise TypeError(
            "The 'where' argument must be a folder or a distributed.Client. Got "
            f"{shown(where)} instead."
        )
    shared._shared_as = name
    with _LOCK:
        if name not in _HERE or _HERE[name].path != shared.path:
            _HERE[name] = shared
        return _HERE[name]
