"""The penalty in the history, and the table that is printed of it."""

from __future__ import annotations

import numpy as np
from skorch.callbacks import Callback, PrintLog

from atl_sklearn.estimators._net import Net


class EpochTable(PrintLog):
    """Prints a line for each epoch where `verbose` is above 1, or a sink of one's own is set."""

    def on_epoch_end(self, net: Net, **kwargs: object) -> None:
        """Print the line; see skorch."""
        if self.sink is not print or net.verbose > 1:
            super().on_epoch_end(net, **kwargs)


class PenaltyHistory(Callback):
    """Averages over each epoch what the training steps recorded of the penalty.

    The columns are ``train_objective`` (task loss plus weighted penalties), for each penalty
    ``train_penalty`` and ``valid_penalty``, and ``penalty_weight``; with several unrelated
    networks their position is appended (``train_penalty_0``), with several layers the
    layer's name. Where there is a target, ``penalty_weight`` is the weight at the end of the
    epoch, and ``train_similarity`` is what the target is compared with. A network without penalty
    has none of them.
    """

    def on_epoch_end(self, net: Net, **kwargs: object) -> None:
        """Record the epoch's averages."""
        if net._run is None or net._run.penalty is None:
            return
        penalty = net._run.penalty
        for name, value in (
            *penalty.epoch_weights(len(net.history) - 1),
            *penalty.epoch_similarities(),
        ):
            net.history.record(name, value)
        batches = net.history[-1]["batches"]
        for stage in ("train", "valid"):
            names = [*penalty.names, *(["objective"] if stage == "train" else [])]
            for name in (f"{stage}_{name}" for name in names):
                rows = [row for row in batches if name in row]
                if rows:
                    sizes = [row[f"{stage}_batch_size"] for row in rows]
                    average = np.average([row[name] for row in rows], weights=sizes)
                    net.history.record(name, float(average))
