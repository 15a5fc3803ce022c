"""Target tasks and unrelated ones, and their folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from atl_sklearn.audio import LibrosaFeatures
from benchmarks.evidence.folds import Clips, Fold, standardised
from benchmarks.paper.corpora import Corpus
from benchmarks.paper.settings import Settings

Corpora = Mapping[str, Callable[[], Corpus]]


@dataclass(frozen=True)
class Pair:
    """A target task, and the unrelated one of another set or the same.

    Attributes
    ----------
    title : str
        For tables and figures.
    target, unrelated : tuple of str
        The set, and the label in it.
    nuisance : str
        The label of the target's set that probes read.
    groups : str or None
        The label of which no value is in training and test; None for a split at random.
    """

    title: str
    target: tuple[str, str]
    unrelated: tuple[str, str]
    nuisance: str
    groups: str | None = None

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets that it needs."""
        return tuple(dict.fromkeys((self.target[0], self.unrelated[0])))

    def lacks(self, corpora: Corpora) -> str:
        """Return which label has too few values for a fold; "" if none has."""
        labels = [self.target, self.unrelated]
        if self.groups is not None:
            labels.append((self.target[0], self.groups))
        for name, label in labels:
            n_values = len(np.unique(corpora[name]().labels[label]))
            if n_values < 2:
                return f"{name} must have recordings of two values of {label!r}, and has {n_values}"
        return ""


PAIRS = {
    "fsdd-arabic": Pair(
        "Digits by new speakers, from speakers of Arabic",
        ("fsdd", "digit"), ("arabic", "speaker"), "speaker", "speaker",
    ),
    "arabic-fsdd": Pair(
        "Arabic words by new speakers, from speakers of digits",
        ("arabic", "word"), ("fsdd", "speaker"), "speaker", "speaker",
    ),
    "speech-commands-iemocap": Pair(
        "Speech Commands, from the speakers of IEMOCAP",
        ("speech-commands", "word"), ("iemocap", "speaker"), "speaker",
    ),
    "iemocap-librispeech": Pair(
        "Emotions by new speakers, from the speakers of LibriSpeech",
        ("iemocap", "emotion"), ("librispeech", "speaker"), "speaker", "speaker",
    ),
    "iemocap-iemocap": Pair(
        "Emotions by new speakers, from speakers of the same set",
        ("iemocap", "emotion"), ("iemocap", "speaker"), "speaker", "speaker",
    ),
    "good-sounds-nsynth": Pair(
        "How good a sound is, from the instruments of NSynth",
        ("good-sounds", "goodness"), ("nsynth", "instrument"), "instrument",
    ),
    "good-sounds-good-sounds": Pair(
        "How good a sound is on new instruments, from instruments of the same set",
        ("good-sounds", "goodness"), ("good-sounds", "instrument"), "instrument", "instrument",
    ),
    # Additions, for those who have one or two of the paper's sets.
    "fsdd-librispeech": Pair(
        "Digits by new speakers, from the speakers of LibriSpeech",
        ("fsdd", "digit"), ("librispeech", "speaker"), "speaker", "speaker",
    ),
    "speech-commands-librispeech": Pair(
        "Speech Commands, from the speakers of LibriSpeech",
        ("speech-commands", "word"), ("librispeech", "speaker"), "speaker",
    ),
    "speech-commands-speech-commands": Pair(
        "Speech Commands by new speakers, from speakers of the same set",
        ("speech-commands", "word"), ("speech-commands", "speaker"), "speaker", "speaker",
    ),
    "iemocap-librispeech-sex": Pair(
        "Emotions by new speakers, from women and men of LibriSpeech",
        ("iemocap", "emotion"), ("librispeech", "sex"), "speaker", "speaker",
    ),
    "iemocap-iemocap-session": Pair(
        "Emotions in a new session, from sessions of the same set",
        ("iemocap", "emotion"), ("iemocap", "session"), "session", "session",
    ),
    "nsynth-nsynth": Pair(
        "Instruments on new pitches, from pitches of the same set",
        ("nsynth", "instrument"), ("nsynth", "pitch"), "pitch", "pitch",
    ),
}  # fmt: skip


def draw(labels: np.ndarray, n: int | None, rng: np.random.RandomState) -> np.ndarray:
    """Return places of at most `n` samples, as many of each label as there are."""
    order = rng.permutation(len(labels))
    _, codes = np.unique(labels[order], return_inverse=True)
    ranks = np.empty(len(order), dtype=int)
    for code in range(codes.max() + 1):
        of_label = codes == code
        ranks[of_label] = np.arange(of_label.sum())
    return np.sort(order[np.argsort(ranks, kind="stable")][:n])


def held_out(corpus: Corpus, pair: Pair, index: int) -> np.ndarray:
    """Return which recordings are for the test: a fifth of the groups, or a tenth at random."""
    if pair.groups is None:
        place = np.random.RandomState(index).permutation(len(corpus.paths))
        return place < max(1, len(place) // 10)
    labels = corpus.labels[pair.groups]
    groups = np.random.RandomState(0).permutation(np.unique(labels))
    size = max(1, len(groups) // 5)
    chosen = np.take(groups, np.arange(index * size, (index + 1) * size), mode="wrap")
    return np.isin(labels, chosen)


def make_fold(pair: Pair, corpora: Corpora, index: int, settings: Settings) -> Fold:
    """Return the data of a fold.

    Parameters
    ----------
    pair : Pair
        The tasks.
    corpora : dict of str to callable
        What reads the sets.
    index : int
        Which recordings are held out.
    settings : Settings
        Features and sizes.

    Returns
    -------
    fold : Fold
        Its `unlabeled` and `probe` are further recordings in the condition of `train`, as many as
        of the test.
    """
    rng = np.random.RandomState(100 + index)
    corpus = corpora[pair.target[0]]()
    is_test = held_out(corpus, pair, index)
    target, nuisance = corpus.labels[pair.target[1]], corpus.labels[pair.nuisance]
    both = np.char.add(np.char.add(target, "/"), nuisance)

    def drawn(places: np.ndarray, n: int | None) -> np.ndarray:
        return places[draw(both[places], n, rng)]

    known = np.flatnonzero(~is_test)
    train = drawn(known, settings.n_train)
    rest = np.setdiff1d(known, train)
    # Of a set that is all used for training, the probe sees the training recordings.
    probe = drawn(rest if len(rest) else train, settings.n_test)
    test = drawn(np.flatnonzero(is_test), settings.n_test)
    other = corpora[pair.unrelated[0]]()
    # Of the same set, the unrelated network sees no test recordings either.
    allowed = known if pair.unrelated[0] == pair.target[0] else np.arange(len(other.paths))
    labels = other.labels[pair.unrelated[1]]
    unrelated = allowed[draw(labels[allowed], settings.n_unrelated, rng)]

    front = LibrosaFeatures(duration=corpus.duration, **settings.features)
    front.fit(corpus.paths[:1])

    def clips(places: np.ndarray) -> Clips:
        X = np.asarray(front.transform(corpus.paths[places]), dtype=np.float32)
        return Clips(X, target[places], nuisance[places])

    return standardised(
        Fold(
            train=clips(train),
            unrelated=Clips(
                np.asarray(front.transform(other.paths[unrelated]), dtype=np.float32),
                labels[unrelated], labels[unrelated],
            ),
            unlabeled=clips(probe),
            valid=clips(probe),
            valid_like_test=clips(test),
            test=clips(test),
            probe=clips(probe),
            max_epochs=settings.max_epochs,
            unrelated_epochs=settings.unrelated_epochs,
            network=dict(settings.network),
        )
    )  # fmt: skip
