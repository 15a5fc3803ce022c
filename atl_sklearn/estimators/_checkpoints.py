"""A fit that goes on where it was interrupted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from torch.utils.data import Subset

from atl_sklearn._folders import as_folder
from atl_sklearn._user_warnings import warn_user
from atl_sklearn._validation import shown
from atl_sklearn.estimators._checkpoint_files import CheckpointFiles
from atl_sklearn.estimators._data import IndexedData
from atl_sklearn.estimators._fit_identity import check_resumable, identify_fit
from atl_sklearn.estimators._fit_state import give_state_back, take_state, unchanging
from atl_sklearn.estimators._net import Net
from atl_sklearn.persistence import UnknownStateError, pack_state

# Share of the time of a fit that may be spent on checkpoints: if epochs are short, not every one
# gets a checkpoint.
_SHARE = 0.1


class Checkpoints:
    """The checkpoints of one fit: written between epochs, and gone on from.

    Between two epochs no iterator is running and no score is half summed up, so that the state can
    be written down completely.

    Parameters
    ----------
    files : CheckpointFiles
        Opened.

    Attributes
    ----------
    state : dict or None
        What the fit goes on from; None for a new fit, and after it has gone on.
    done : int
        How many epochs had ended when the fit was interrupted.
    weights : list of float
        The weights of the penalties at the beginning.
    strength : float
        That of the product of experts.
    split : dict
        Which samples are held out.
    """

    def __init__(self, files: CheckpointFiles) -> None:
        self._files = files
        self.state = files.load()
        self.weights: list[float] = []
        self.strength = 0.0
        self.split: dict[str, np.ndarray] = {}
        self._pending = self.state is not None
        # How many epochs had ended when the fit was interrupted.
        self.done: int = 0 if self.state is None else self.state["epochs"]
        self._unchanging: dict[str, str] | None = None
        self._last, self._cost = time.monotonic(), 0.0
        self.finished = False
        if self.state is not None:
            self.weights, self.strength = self.state["weights"], self.state["strength"]
            self.split = self.state["split"]

    def same_split(
        self, train: IndexedData, valid: IndexedData | None
    ) -> tuple[IndexedData, IndexedData | None]:
        """Return the datasets with the samples that were drawn when the fit began.

        Parameters
        ----------
        train, valid : torch.utils.data.Dataset
            As they were drawn now; the second may be None.
        """
        for name, part in (("train", train), ("valid", valid)):
            if isinstance(part, Subset):
                self.split.setdefault(name, np.asarray(part.indices, dtype=np.int64))
        return self._as_then("train", train), self._as_then("valid", valid)

    def _as_then(self, name: str, part: Any) -> Any:
        if name in self.split:
            part = copy(part)  # the user may have made it
            part.indices = self.split[name].tolist()
        return part

    def check(self, net: Net) -> None:
        """Refuse what has a state that cannot be written down, before training.

        Raises
        ------
        ValueError
            The message says what it is.
        """
        try:
            state = take_state(net)
            pack_state(state)
        except UnknownStateError as error:
            raise ValueError(
                f"checkpoint_dir={shown(net.checkpoint_dir)} cannot be used: {error}. Give it "
                "state_dict and load_state_dict, or leave checkpoint_dir out."
            ) from error
        self._unchanging = unchanging(state)

    def go_on(self, net: Net) -> None:
        """Bring everything to where it was, if that has not been done.

        Raises
        ------
        RuntimeError
            If it does not come back as it was.
        """
        if not self._pending:
            return
        self._pending = False
        # Before it is read, which takes things out of it.
        expected = {name: pack_state(part) for name, part in self.state.items()}
        try:
            give_state_back(net, self.state)
            found = {name: pack_state(part) for name, part in take_state(net).items()}
            others = [name for name, part in expected.items() if found[name] != part]
            why = f"{', '.join(others)} would not be what it was" if others else ""
        except Exception as error:  # whatever a load_state_dict of the user's raises
            why = f"{type(error).__name__}: {error}"
        if why:
            raise RuntimeError(
                f"The fit cannot be continued as it was from {self._files.folder}: {why}. Delete "
                "that folder to begin anew."
            )
        self.state = None  # its tensors are in the network now

    def keep(self, net: Net) -> None:
        """Write a checkpoint, at the end of an epoch, unless the last one is recent.

        Warns
        -----
        UserWarning
            If something has a state now that cannot be written down.
        """
        began = time.monotonic()
        if self._cost > _SHARE * (began - self._last) or self._unchanging is None:
            return
        try:
            state = take_state(net)
            found = unchanging(state)
            known = self._unchanging
            changed = [where for where, value in found.items() if known.get(where) != value]
            if changed:
                raise UnknownStateError(f"{changed[0]} has changed in training")
            data = pack_state(state)
        except UnknownStateError as error:
            self._unchanging = None
            warn_user(
                f"No more checkpoints are kept: {error}, which cannot be written down. Give it "
                "state_dict and load_state_dict. The training goes on."
            )
            return
        self._files.save(data, state["epochs"])
        self._last = time.monotonic()
        self._cost = self._last - began

    def close(self) -> None:
        """Let go of the files; remove them if the fit came to its end."""
        self._files.close(finished=self.finished)


def end_for_good(net: Net) -> None:
    """Have the checkpoints removed after an error that would come again in a resumed fit.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        In training.
    """
    run = getattr(net, "_run", None)
    if run is not None and run.checkpoints is not None:
        run.checkpoints.finished = True


def open_checkpoints(
    net: Net, data: Mapping[str, object], *, max_epochs: int, method: str, continues: bool
) -> Checkpoints | None:
    """Return the checkpoints of a fit, or None where none are kept.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        The estimator, with a folder for them; its parameters and data have been checked.
    data : mapping of str to object
        What `fit` was called with.
    max_epochs : int
        How many epochs it has.
    method : str
        What the user called.
    continues : bool
        Whether it goes on with the network of an earlier call.

    Raises
    ------
    ValueError
        If the fit could not be continued to the same network.

    Warns
    -----
    UserWarning
        If `checkpoint_dir` is of no use to this call.
    """
    if method != "fit" or continues:
        what = "partial_fit" if method != "fit" else "a fit that goes on with warm_start"
        warn_user(
            f"checkpoint_dir is not used by {what}: only a fit that starts from nothing can be "
            "found again. Save the estimator between the calls instead."
        )
        return None
    assert net.checkpoint_dir is not None
    check_resumable(net, data["X"], data["X_unlabeled"])
    files = CheckpointFiles(as_folder(net.checkpoint_dir), identify_fit(net, data))
    if not files.open():
        return None
    found = Checkpoints(files)
    if found.done and net.verbose:
        print(f"Going on after epoch {found.done} of {max_epochs}, from {files.folder}")
    return found
