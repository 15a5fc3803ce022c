"""Recordings with their labels, from whatever set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from atl_sklearn.datasets import fetch_arabic_speech_commands, fetch_fsdd


@dataclass(frozen=True)
class Corpus:
    """Recordings and their labels.

    Attributes
    ----------
    paths : ndarray of str of shape (n_recordings,)
        The files.
    labels : dict of str to ndarray of shape (n_recordings,)
        The labels by what they are of, such as ``"word"`` and ``"speaker"``.
    duration : float
        Seconds that are heard of each; shorter ones are padded.
    """

    paths: np.ndarray
    labels: dict[str, np.ndarray]
    duration: float


def _fsdd() -> Corpus:
    fsdd = fetch_fsdd()
    labels = {"digit": fsdd.digit.astype(str), "speaker": fsdd.speaker.astype(str)}
    return Corpus(fsdd.paths, labels, 1.0)


def _arabic() -> Corpus:
    commands = fetch_arabic_speech_commands(version="8k")
    labels = {"word": commands.word.astype(str), "speaker": commands.speaker.astype(str)}
    return Corpus(commands.paths, labels, 1.0)


# What can be had by everybody.
PUBLIC: dict[str, Callable[[], Corpus]] = {"fsdd": _fsdd, "arabic": _arabic}
