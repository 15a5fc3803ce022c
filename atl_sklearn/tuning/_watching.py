"""How far a study is, for those who wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from optuna.study import Study
from optuna.trial import TrialState

from atl_sklearn._progress import Progress
from atl_sklearn.tuning._results import listed

_LOOK = 0.5  # seconds between looks at what other processes do


class TrialsProgress:
    """Shows how many of a study's trials are done, whoever made them and when.

    Parameters
    ----------
    study : optuna.study.Study
        The study.
    n_trials : int
        How many it is to have.
    """

    def __init__(self, study: Study, n_trials: int) -> None:
        self._study = study
        n_done, _ = self._look()
        self._progress = Progress(n_trials, "AntiTransferSearchCV", unit="trial", initial=n_done)
        self._lock = threading.Lock()

    def _look(self) -> tuple[int, str]:
        trials = listed(self._study)
        scores = [t.values[0] for t in trials if t.state == TrialState.COMPLETE]
        return len(trials), f"best score {max(scores):.4g}" if scores else ""

    def refresh(self) -> None:
        """Look at the study, and show what is new."""
        n_done, note = self._look()
        with self._lock:
            self._progress.advance_to(n_done, note=note)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again while the block waits for others, and once more at its end."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_LOOK):
                with suppress(Exception):  # the next look may succeed
                    self.refresh()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        self.refresh()

    def close(self) -> None:
        """Leave the last state visible."""
        with self._lock:
            self._progress.close()
