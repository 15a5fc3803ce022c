"""One bar over all epochs of a training."""

from __future__ import annotations

from atl_sklearn._progress import Progress


class TrainingProgress:
    """Shows how far a training is, and the time left.

    Parameters
    ----------
    name : str
        Of what is trained.
    max_epochs : int
        How many epochs there will be.
    n_batches : int or None
        How many batches an epoch has; None where that is not known, and epochs are counted.
    done : int, default=0
        How many epochs an earlier process has ended.
    """

    def __init__(self, name: str, max_epochs: int, n_batches: int | None, *, done: int = 0) -> None:
        self._max_epochs = max_epochs
        self._n_batches = n_batches
        self._epoch = done
        self._batch = 0
        if n_batches is None:
            self._progress = Progress(max_epochs, name, unit="epoch", initial=done)
        else:
            before = done * n_batches
            self._progress = Progress(max_epochs * n_batches, name, unit="step", initial=before)

    def begin_epoch(self) -> None:
        """Begin an epoch."""
        self._epoch += 1
        self._batch = 0

    def count(self, loss: float) -> None:
        """Count a batch.

        Parameters
        ----------
        loss : float
            The task loss of the batch.
        """
        self._batch += 1
        note = f"epoch {self._epoch} of {self._max_epochs}, loss {loss:.3g}"
        if self._n_batches is not None:
            done = (self._epoch - 1) * self._n_batches + min(self._batch, self._n_batches)
            self._progress.advance_to(done, note=note)

    def end_epoch(self) -> None:
        """End an epoch, which is what is counted where the number of batches is not known."""
        if self._n_batches is None:
            self._progress.advance_to(self._epoch)

    def close(self) -> None:
        """Leave the last state visible."""
        self._progress.close()
