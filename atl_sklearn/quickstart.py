"""A comparison in a minute, from wherever the package is installed.

``python -m atl_sklearn.quickstart`` trains three networks on synthetic notes, whose pitch gives the
timbre away: a plain one, and two that avoid what a fourth one knows of the pitch. It tests them on
notes in which the pitch tells nothing. Nothing is downloaded and nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from atl_sklearn.estimators import AntiTransferClassifier

__all__ = ["fit_in_turn", "main"]


def fit_in_turn(
    unrelated: AntiTransferClassifier,
    X: np.ndarray,
    y: np.ndarray,
    X_unlabeled: np.ndarray,
    **settings: Any,
) -> Iterator[tuple[str, AntiTransferClassifier]]:
    """Fit a plain network, and two that avoid what a fitted one knows.

    Parameters
    ----------
    unrelated : AntiTransferClassifier
        Fitted on the nuisance.
    X : ndarray of shape (n_samples, ...)
        Training data.
    y : ndarray of shape (n_samples,)
        The target.
    X_unlabeled : ndarray of shape (n_unlabeled, ...)
        Further data without labels, for the last of the networks.
    **settings : object
        Parameters of all three.

    Yields
    ------
    name : str
        ``"plain"``, ``"anti-transfer"`` or ``"anti-transfer, unlabeled"``.
    net : AntiTransferClassifier
        The network of this name, fitted when you ask for it.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.quickstart import fit_in_turn
    >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    >>> knows = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    >>> nets = dict(fit_in_turn(knows, X, X[:, 1] > 0, X[:30], max_epochs=1, random_state=0))
    >>> list(nets)
    ['plain', 'anti-transfer', 'anti-transfer, unlabeled']
    """
    from atl_sklearn.estimators import AntiTransferClassifier

    for name, network, unlabeled in (
        ("plain", None, None),
        ("anti-transfer", unrelated, None),
        ("anti-transfer, unlabeled", unrelated, X_unlabeled),
    ):
        net = AntiTransferClassifier(unrelated=network, **settings)
        yield name, net.fit(X, y, X_unlabeled=unlabeled)


def main(arguments: Sequence[str] | None = None) -> dict[str, tuple[float, float]]:
    """Run the comparison and print it.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        The command line, without the name of the program; None for that of the process.

    Returns
    -------
    results : dict of str to (float, float)
        For each network the accuracy of the timbre, and that with which a probe reads the pitch.

    Examples
    --------
    >>> from atl_sklearn.quickstart import main
    >>> results = main(["--samples", "48", "--epochs", "1"])  # doctest: +ELLIPSIS
    48 training notes ...
    >>> sorted(results)
    ['anti-transfer', 'anti-transfer, unlabeled', 'plain']
    """
    parser = argparse.ArgumentParser(
        prog="python -m atl_sklearn.quickstart", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--samples", type=int, default=240, help="notes to train on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    # Here, so that --help is there at once.
    from sklearn.utils import Bunch

    from atl_sklearn import AntiTransferClassifier
    from atl_sklearn.audio import LibrosaFeatures
    from atl_sklearn.datasets import make_notes
    from atl_sklearn.inspection import probe_score

    train: Bunch = make_notes(options.samples, correlation=0.96, random_state=1)
    test: Bunch = make_notes(2 * options.samples, correlation=0.0, random_state=2)
    more: Bunch = make_notes(options.samples + 10, correlation=0.0, random_state=3)
    features = LibrosaFeatures(sr=train.sr, duration=0.5, n_fft=256, hop_length=128, n_mels=40)
    X, X_test, X_more = (features.fit_transform(notes.data) for notes in (train, test, more))
    print(f"{options.samples} training notes in which the pitch gives the timbre away\n")
    print("network                            timbre  pitch, read by a probe", flush=True)

    settings = {"max_epochs": options.epochs, "random_state": options.seed}
    pitch = AntiTransferClassifier(**settings).fit(X, train.pitch)
    results = {}
    for name, net in fit_in_turn(pitch, X, train.timbre, X_more, **settings):
        results[name] = net.score(X_test, test.timbre), probe_score(net, X_test, test.pitch)
        print(f"{name:33}  {results[name][0]:6.3f}  {results[name][1]:22.3f}", flush=True)
    print(f"{'chance':33}  {0.25:6.3f}  {0.125:22.3f}")
    return results


if __name__ == "__main__":
    main()
