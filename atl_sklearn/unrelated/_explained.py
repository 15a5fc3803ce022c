"""What an unrelated task's answers say of the target, so that a network need not learn it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from atl_sklearn._blas_threads import threads_for
from atl_sklearn._validation import check_no_missing
from atl_sklearn.unrelated._target_statistics import centred, class_shares, cross_entropy

_N_FOLDS = 5
_MAX_ITER = 500
_RIDGE = 1.0  # added to the sum of squares of a standardised column


def explained_scores(
    answers: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    n_classes: int | None = None,
    sample_weight: npt.ArrayLike | None = None,
) -> np.ndarray:
    r"""Return what a nuisance says of the target, as scores to add during training.

    If you add these to a network's scores in the loss, and add nothing in prediction, the network
    only has to learn what the nuisance leaves unexplained. This is a product of experts, of which
    one is fixed [1]_, [2]_. For classes the scores are :math:`\log q(y \mid a) - \log p(y)`, so
    that answers :math:`a` which say nothing add nothing, whatever the shares of the classes [3]_;
    :math:`q` is a multinomial logistic regression. For numbers they are :math:`E[y \mid a] - E[y]`
    by ridge regression, so that the network learns the residual. Each sample's scores come from a
    regression that was fitted without it.

    Parameters
    ----------
    answers : array-like of shape (n_samples,) or (n_samples, n_answers)
        What is known about the nuisance: probabilities, predictions or one-hot labels. Put those of
        several unrelated tasks side by side, and their products too if they may say something only
        together.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        The target. Integers of shape (n_samples,) are classes, counted from 0.
    n_classes : int or None, default=None
        How many classes there are; None for as many as `y` has.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights of the samples in the regressions.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes) or that of y
        To be added to the network's scores, or to its predictions of numbers.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 2 samples, a class is negative or not below
        `n_classes`, or an answer is NaN or infinite.

    Notes
    -----
    :math:`q` is mixed with the shares of the classes, as if one more sample of each class had been
    seen, so that no fold is surer than its size allows. All scores, each of a sample that was left
    out, are then multiplied by one number in [0, 1], the one that suits them best: about 0 if the
    answers say nothing of the target. This number alone knows of a sample's own target.

    References
    ----------
    .. [1] G. Hinton, "Training products of experts by minimizing contrastive divergence", Neural
       Computation 14, 2002.
    .. [2] C. Clark, M. Yatskar, L. Zettlemoyer, "Don't take the easy way out: ensemble based
       methods for avoiding known dataset biases", EMNLP 2019 (the bias product).
    .. [3] A. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated import explained_scores
    >>> speaker = np.repeat([0, 1], 50)
    >>> word = speaker.copy()
    >>> word[[0, 99]] = 1, 0  # all but two samples go along with the speaker
    >>> scores = explained_scores(np.eye(2)[speaker], word)
    >>> scores[50].round(1)  # speaker 1: hardly word 0
    array([-2.2,  0.5])
    """
    target = np.asarray(y)
    known = np.asarray(answers, dtype=np.float64)
    known = known.reshape(len(known), -1)
    if len(known) != len(target) or len(target) < 2:
        raise ValueError(
            f"answers and y must have the same number of samples, at least 2. Got {len(known)} "
            f"and {len(target)}."
        )
    check_no_missing(target, "y")
    if not np.isfinite(known).all():
        raise ValueError("The answers have NaN or infinite values. Leave these samples out.")
    weight = _weight_of(sample_weight, len(target))
    weight = weight / weight[weight > 0].mean()
    if not (np.issubdtype(target.dtype, np.integer) and target.ndim == 1):
        with threads_for(known.size * known.shape[1]):
            return _of_numbers(known, target.astype(np.float64), weight)
    n_classes = int(target.max()) + 1 if n_classes is None else n_classes
    if target.min() < 0 or target.max() >= n_classes:
        raise ValueError(
            f"y must hold classes from 0 to {n_classes - 1}, or floats. Got {target.min()} to "
            f"{target.max()}."
        )
    with threads_for(known.size * n_classes):
        return _of_classes(known, target, weight, n_classes)


def unexplained_share(
    scores: npt.ArrayLike, y: npt.ArrayLike, *, sample_weight: npt.ArrayLike | None = None
) -> float:
    r"""Return how much of the task's gradient is left if you add scores.

    Take a network that knows only the shares of the classes (or the mean), and the gradients of the
    samples' cross-entropies (or squared errors) with respect to its outputs. The share is the sum
    of their lengths with the added scores, divided by the sum without. If you multiply a penalty's
    weight by it, the penalty weighs as much against the task as before.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes) or that of y
        What is added during training, as :func:`explained_scores` returns it.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        The target. Integers of shape (n_samples,) are classes, counted from 0.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights of the samples.

    Returns
    -------
    share : float
        In [0, 1]; about 1 if nothing is explained.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn.unrelated import explained_scores, unexplained_share
    >>> speaker = np.repeat([0, 1], 50)
    >>> word = speaker.copy()
    >>> word[[0, 99]] = 1, 0  # all but two samples go along with the speaker
    >>> round(unexplained_share(explained_scores(np.eye(2)[speaker], word), word), 2)
    0.14
    """
    added, target = np.asarray(scores, dtype=np.float64), np.asarray(y)
    classes = added.ndim == 2 and target.ndim == 1 and np.issubdtype(target.dtype, np.integer)
    fits = len(added) == len(target) if classes else added.shape == target.shape
    if (
        not fits
        or not len(target)
        or (classes and not 0 <= target.min() <= target.max() < added.shape[1])
    ):
        raise ValueError(
            "scores must have shape (n_samples, n_classes) for classes from 0 to n_classes - 1, or "
            f"the shape of y for numbers. Got {added.shape} for y of shape {target.shape}."
        )
    weight = _weight_of(sample_weight, len(target))
    if classes:
        right = np.eye(added.shape[1])[target]
        shares, log_shares = class_shares(target, weight, added.shape[1])
        known = softmax(log_shares + added, axis=1)
        before, left = shares - right, known - right
    else:
        before = centred(target, weight).reshape(len(target), -1)
        left = before - added.reshape(len(target), -1)
    total = float(weight @ np.linalg.norm(before, axis=1))
    return min(float(weight @ np.linalg.norm(left, axis=1)) / total, 1.0) if total else 1.0


def _weight_of(sample_weight: npt.ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return weights; equal ones if there are none above 0."""
    weight = np.ones(n_samples) if sample_weight is None else np.asarray(sample_weight, float)
    return weight if (weight > 0).any() else np.ones(n_samples)


def _folds(weight: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the samples to fit on, without those of weight 0, and the samples to predict."""
    folds = KFold(min(_N_FOLDS, len(weight)), shuffle=True, random_state=0)
    for rest, part in folds.split(weight):
        seen = rest[weight[rest] > 0]
        if len(seen):
            yield seen, part


def _of_numbers(known: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import Ridge  # slow to import, and seldom needed

    scores = np.zeros(y.shape)
    for seen, part in _folds(weight):
        scaler = StandardScaler().fit(known[seen])
        model = Ridge(_RIDGE).fit(scaler.transform(known[seen]), y[seen], weight[seen])
        mean = np.average(y[seen], axis=0, weights=weight[seen])
        # For a target of one column it may drop the axis of columns.
        predicted = model.predict(scaler.transform(known[part]))
        scores[part] = predicted.reshape(len(part), *y.shape[1:]) - mean
    return scores * _slope(scores, y, weight)


def _of_classes(known: np.ndarray, y: np.ndarray, weight: np.ndarray, n_classes: int) -> np.ndarray:
    scores = np.zeros((len(y), n_classes))
    for seen, part in _folds(weight):
        of_seen = (known[seen], y[seen], weight[seen])
        scores[part] = _log_ratio(*of_seen, known[part], n_classes)
    share = np.bincount(y, weights=weight, minlength=n_classes) + 1
    return scores * _best_power(scores, y, weight, share)


def _best_power(scores: np.ndarray, y: np.ndarray, weight: np.ndarray, share: np.ndarray) -> float:
    """Return the power of the ratios q / p that makes the classes likeliest."""
    log_share = np.log(share / share.sum())

    def loss(power: float) -> float:
        return cross_entropy(log_share + power * scores, y, weight)

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    return float(min((0.0, best, 1.0), key=loss))


def _slope(scores: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Return the slope of the regression of y on what was predicted of it."""
    products = np.tensordot(weight, scores * centred(y, weight), 1).sum()
    squares = np.tensordot(weight, scores * scores, 1).sum()
    return float(np.clip(products / squares, 0, 1)) if squares > 0 else 0.0


def _log_ratio(
    known: np.ndarray, y: np.ndarray, weight: np.ndarray, asked: np.ndarray, n_classes: int
) -> np.ndarray:
    """Return log q(y | answers) - log p(y) for the answers in `asked`."""
    from sklearn.linear_model import LogisticRegression

    n = weight.sum()
    share = (np.bincount(y, weights=weight, minlength=n_classes) + 1) / (n + n_classes)
    there = np.unique(y)
    q = np.tile(share, (len(asked), 1))  # a class that was not seen keeps its share
    if len(there) == 1:
        q[:, there] = 1
    else:
        scaler = StandardScaler().fit(known)
        model = LogisticRegression(max_iter=_MAX_ITER).fit(scaler.transform(known), y, weight)
        q[:, there] = model.predict_proba(scaler.transform(asked))
    q = (n * q + n_classes * share) / (n + n_classes)
    return np.log(q) - np.log(share)
