"""What the unrelated tasks explain of the target, added to the scores while training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import torch
from torch.utils.data import Subset

from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._choice import Choice, answers_in_order, n_classes_of
from atl_sklearn.estimators._data import IndexedData
from atl_sklearn.estimators._explaining import explain_once
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.estimators._rule import Explained
from atl_sklearn.unrelated import get_memory, unexplained_share


def _positions_of(dataset: object) -> np.ndarray | None:
    """Return which samples of the whole data are in a part of them; None for all."""
    if not isinstance(dataset, Subset):
        return None
    of_parent = _positions_of(dataset.dataset)
    own = np.asarray(dataset.indices)
    return own if of_parent is None else of_parent[own]


class Experts:
    """The fixed experts of a product: what the unrelated tasks explain of the target.

    Parameters
    ----------
    answers : sequence of ndarray of shape (n_samples, n_answers)
        What each unrelated task answers.
    y : ndarray of shape (n_samples, ...)
        The encoded targets; integers are classes.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    task_weight : ndarray of shape (n_samples,) or None
        Those in the task's loss, which weights of the classes are part of.
    strength : float
        Factor of what is added.
    n_classes : int or None
        Number of classes; None for numbers.
    known : Explained or None, default=None
        What the answers of all samples say of the target, if it is known.
    memory : joblib.Memory or None, default=None
        Where what is explained is kept.

    Attributes
    ----------
    left : float
        The share of the task's gradient that is left; 1 before :meth:`learn`.
    """

    def __init__(
        self,
        answers: Sequence[np.ndarray],
        y: np.ndarray,
        *,
        sample_weight: np.ndarray | None,
        task_weight: np.ndarray | None,
        strength: float,
        n_classes: int | None,
        known: Explained | None = None,
        memory: joblib.Memory | None = None,
    ) -> None:
        self._answers = answers
        self._y = y
        self._sample_weight = sample_weight
        self._task_weight = task_weight
        self._memory = memory
        self._strength = strength
        self._n_classes = n_classes
        self._known = known
        self._scores = torch.zeros(0)
        self.left = 1.0

    def learn(self, train: IndexedData) -> None:
        """Find out what is explained, from the part of the data that is trained on alone.

        Parameters
        ----------
        train : torch.utils.data.Dataset
            That part, or all of the data.
        """
        chosen = _positions_of(train)
        part: np.ndarray | slice = slice(None) if chosen is None else chosen
        weight, in_task = (
            None if values is None else values[part]
            for values in (self._sample_weight, self._task_weight)
        )
        known = self._known if chosen is None else None
        if known is None:
            known = explain_once(
                self._memory,
                [answers[part] for answers in self._answers],
                self._y[part],
                n_classes=self._n_classes,
                sample_weight=weight,
            )
        scores = known.scores
        everywhere = np.zeros((len(self._y), *scores.shape[1:]))
        everywhere[part] = self._strength * scores
        self.left = unexplained_share(everywhere[part], self._y[part], sample_weight=in_task)
        self._scores = torch.from_numpy(everywhere)

    def added(self, y_pred: Any, positions: torch.Tensor) -> Any:
        """Return the sum of what the network returned and what is explained.

        Parameters
        ----------
        y_pred : Tensor of shape (n_samples, ...), or a tuple that begins with it
            Scores of classes, or numbers.
        positions : Tensor of shape (n_samples,)
            Which samples they are.

        Returns
        -------
        judged : Tensor of shape (n_samples, ...), or tuple
            What the loss is computed of.
        """
        if isinstance(y_pred, tuple):
            return (self.added(y_pred[0], positions), *y_pred[1:])
        scores = self._scores[positions.cpu()].to(y_pred)
        if self._n_classes == 2 and y_pred[:1].numel() == 1:  # one score for two classes
            scores = scores[:, 1] - scores[:, 0]
        return y_pred + scores.reshape_as(y_pred)


def make_experts(net: Net, run: FitRun, rehearsal: Rehearsal, choice: Choice) -> Experts | None:
    """Return the experts of a fit; None where there are none.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    run : FitRun
        Its fit, with the unrelated sides.
    rehearsal : Rehearsal
        The training data, and their first samples.
    choice : Choice
        How much is added, and the answers where they are known.

    Returns
    -------
    experts : Experts or None
        To learn once it is known which samples are trained on.

    Raises
    ------
    ValueError
        If batches do not say which samples they have.
    """
    if not choice.strength or not run.sources:
        return None
    data = rehearsal.data
    if not makes_batches(data, net):
        raise ValueError(
            "product_of_experts needs batches that say which samples they have: the default "
            "'dataset', and 'iterator_train' without a sampler or a collate_fn of its own. Leave "
            "these out, or set product_of_experts=0."
        )
    answers, y = choice.answers or answers_in_order(net, run, rehearsal)
    return Experts(
        answers,
        y,
        sample_weight=run.data.sample_weight,
        task_weight=run.data.task_weight,
        strength=choice.strength,
        n_classes=n_classes_of(net),
        known=choice.explained,
        memory=get_memory(net.memory),
    )
