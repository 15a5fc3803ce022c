"""Protocols on the Arabic Speech Commands: twenty words by thirty speakers."""

from __future__ import annotations

import functools

import numpy as np

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import fetch_arabic_speech_commands
from benchmarks.evidence.folds import SPEAKER, Clips, Fold, standardised

_N_WORDS, _N_SPEAKERS, _N_GROUPS = 20, 30, 5
_FEATURES = {"sr": 8000, "duration": 1.0, "n_fft": 256, "win_length": 200, "hop_length": 160}


@functools.cache
def _words() -> dict[str, np.ndarray]:
    commands = fetch_arabic_speech_commands(version="8k")
    return {
        "X": np.asarray(LibrosaFeatures(n_mels=40, **_FEATURES).fit_transform(commands.paths)),
        "word": commands.target,
        "speaker": commands.speaker - 1,
        "take": commands.take,
        "paths": commands.paths,
    }


def _part(keep: np.ndarray, weight: np.ndarray | None = None, *, of: str = "word") -> Clips:
    words = _words()
    nuisance = "speaker" if of == "word" else "word"
    columns = (words[name][keep] for name in ("X", of, nuisance))
    return Clips(*columns, weight, words["paths"][keep])


def arabic_new_speaker(index: int) -> Fold:
    """Words by speakers who are not in the training data; the unrelated task is the speaker.

    Of the 30 speakers, 20 are trained on, in 600 clips; 4 others are those of the validation in
    the test's condition, 6 those of the test. Each is in the test of one of the five folds.

    Parameters
    ----------
    index : int
        Which speakers are held out.
    """
    words = _words()
    word, speaker, take = words["word"], words["speaker"], words["take"]
    order = np.roll(np.random.RandomState(7000).permutation(_N_SPEAKERS), -6 * index)
    in_test, in_valid = np.isin(speaker, order[:6]), np.isin(speaker, order[6:10])
    known = ~in_test & ~in_valid
    half = (word + np.argsort(order)[speaker]) % 2 == 0  # of the clips of each word
    unlabeled = known & (take == 2) & ~half
    return standardised(
        Fold(
            train=_part(known & ((take == 1) | ((take == 2) & half))),
            unrelated=_part(known & ((take == 4) | (take == 5))),
            unlabeled=_part(unlabeled),
            unlabeled_wide=_part(unlabeled | (in_test & (take == 6))),
            valid=_part(known & (take == 3)),
            valid_like_test=_part(in_valid & (take < 6)),
            test=_part(in_test & (take < 6)),
            probe=_part(known & (take == 6)),
            max_epochs=20,
            nuisance=SPEAKER,
        )
    )


def arabic_confounded(index: int, confounding: float = 0.96, *, target: str = "word") -> Fold:
    """Words, each spoken almost only by its own group of speakers; 25 clips a word.

    The 20 words are in five groups of four, the 30 speakers in five groups of six, and the words
    of a group are spoken by the speakers of the same group, but for a few clips. Whoever
    recognises the speaker has four words left, and whoever recognises the word has six speakers.
    In the test each speaker speaks each word once.

    Parameters
    ----------
    index : int
        Which assignment.
    confounding : float, default=0.96
        Share of a word's clips by speakers of its own group.
    target : {"word", "speaker"}, default="word"
        The task; the other one is the unrelated task.
    """
    words = _words()
    word, speaker, take = words["word"], words["speaker"], words["take"]
    rng = np.random.RandomState(8000 + index)
    group_of_word = rng.permutation(_N_WORDS) % _N_GROUPS
    group_of_speaker = rng.permutation(_N_SPEAKERS) % _N_GROUPS
    own = group_of_word[word] == group_of_speaker[speaker]
    # 25 clips a word; where the share is no whole number, words take turns
    wanted = np.diff(np.floor(np.arange(_N_WORDS + 1) * 25 * confounding + 1e-9)).astype(int)
    train = np.zeros(len(word), dtype=bool)
    balanced = np.zeros(len(word), dtype=bool)
    for w in range(_N_WORDS):
        aligned = np.flatnonzero((word == w) & own & (take <= 4))
        conflicting = np.flatnonzero((word == w) & ~own & (take == 2))
        train[rng.choice(aligned, wanted[w], replace=False)] = True
        train[rng.choice(conflicting, 25 - wanted[w], replace=False)] = True
        for s in rng.choice(_N_SPEAKERS, 25, replace=False):
            there = np.flatnonzero((word == w) & (speaker == s) & (take <= 4))
            balanced[rng.choice(there)] = True
    unlabeled = np.zeros(len(word), dtype=bool)
    for s in range(_N_SPEAKERS):
        there = np.flatnonzero((speaker == s) & (take == 5))
        unlabeled[rng.choice(there, 8, replace=False)] = True
    held_out = (take == 5) & ~unlabeled
    is_own = own[held_out]
    share = np.where(is_own, confounding / is_own.sum(), (1 - confounding) / (~is_own).sum())
    part = functools.partial(_part, of=target)
    return standardised(
        Fold(
            train=part(train),
            unrelated=part(~own & ((take == 1) | (take == 3))),
            unlabeled=part(unlabeled),
            valid=part(held_out, share),
            valid_like_test=part(held_out),
            test=part(take == 6),
            probe=part(take == 6),
            balanced=part(balanced),
            max_epochs=20,
            nuisance=SPEAKER if target == "word" else "word",
        )
    )
