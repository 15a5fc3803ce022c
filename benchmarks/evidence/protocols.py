"""The protocols: how real and synthetic data are made into folds."""

from __future__ import annotations

import functools
from collections.abc import Callable

import librosa
import numpy as np
import soundfile
from sklearn.datasets import load_breast_cancer, load_digits

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import fetch_fsdd, make_notes
from benchmarks.evidence.arabic_words import arabic_confounded, arabic_new_speaker
from benchmarks.evidence.census import adult
from benchmarks.evidence.folds import SPEAKER, Clips, Fold, standardised
from benchmarks.evidence.painted_digits import biased_mnist, coloured_mnist

_SPEECH = {"sr": 8000, "duration": 0.57, "n_fft": 256, "win_length": 200, "hop_length": 96}


@functools.cache
def _speech() -> dict[str, np.ndarray]:
    fsdd = fetch_fsdd()
    return {
        "X": np.asarray(LibrosaFeatures(n_mels=40, **_SPEECH).fit_transform(fsdd.paths)),
        "digit": fsdd.digit,
        "speaker": np.unique(fsdd.speaker, return_inverse=True)[1],
        "take": fsdd.take,
        "paths": fsdd.paths,
    }


def _part(keep: np.ndarray, weight: np.ndarray | None = None) -> Clips:
    speech = _speech()
    columns = (speech[name][keep] for name in ("X", "digit", "speaker"))
    return Clips(*columns, weight, speech["paths"][keep])


def fsdd_confounded(index: int, confounding: float = 0.96, *, same_clips: bool = False) -> Fold:
    """Digits, each spoken almost only by one speaker; 25 clips a digit.

    Parameters
    ----------
    index : int
        Which assignment of speakers to digits.
    confounding : float, default=0.96
        Share of a digit's clips by its main speaker; the others are by other speakers.
    same_clips : bool, default=False
        Whether the unrelated network is fitted on the confounded clips themselves.
    """
    speech = _speech()
    digit, speaker, take = speech["digit"], speech["speaker"], speech["take"]
    rng = np.random.RandomState(5000 + index)
    main = np.r_[rng.permutation(6), rng.permutation(6)[:4]]
    rng.shuffle(main)
    train = np.zeros(len(digit), dtype=bool)
    other = np.zeros(10, dtype=int)
    # 25 clips a digit; where the share is no whole number, digits take turns
    wanted = np.diff(np.floor(np.arange(11) * 25 * confounding + 1e-9)).astype(int)
    for d in range(10):
        rest = rng.permutation([s for s in range(6) if s != main[d]])
        other[d] = rest[0]
        train |= (digit == d) & (speaker == main[d]) & (take >= 16) & (take < 16 + wanted[d])
        for n in range(25 - wanted[d]):
            place = (speaker == rest[n % 5]) & (take == 16 + n // 5)
            train |= (digit == d) & place
    assert train.sum() == 250
    held_out = (take >= 8) & (take < 12)
    is_main = speaker == main[digit]
    like_train = held_out & (is_main | (speaker == other[digit]))
    share = np.where(is_main[like_train], confounding, 1 - confounding)
    balanced = np.zeros(len(digit), dtype=bool)
    for d in range(10):
        for s in range(6):
            there = np.flatnonzero((digit == d) & (speaker == s) & (take >= 16) & (take < 40))
            size = 4 + (s == main[d])
            balanced[rng.choice(there, size, replace=False)] = True
    return standardised(
        Fold(
            train=_part(train),
            unrelated=_part(train if same_clips else take >= 40),
            unlabeled=_part((take >= 12) & (take < 16)),
            valid=_part(like_train, share),
            valid_like_test=_part(held_out),
            test=_part(take < 8),
            probe=_part(take < 8),
            balanced=_part(balanced),
            nuisance=SPEAKER,
        )
    )


@functools.cache
def _register() -> np.ndarray:
    """Return for each clip whether its median pitch is low, middle or high."""
    pitch = [
        np.median(librosa.yin(wave, fmin=60, fmax=400, sr=_SPEECH["sr"], frame_length=512))
        for wave in _waveforms()
    ]
    return np.digitize(pitch, np.quantile(pitch, [1 / 3, 2 / 3]))


def fsdd_speaker(index: int) -> Fold:
    """Digits by a speaker who is not in the training data; 5 clips a digit and speaker."""
    speech = _speech()
    speaker, take = speech["speaker"], speech["take"]
    known = speaker != index
    unrelated = known & (take >= 40)
    return standardised(
        Fold(
            train=_part(known & (take >= 16) & (take < 21)),
            unrelated=_part(unrelated),
            second=Clips(
                speech["X"][unrelated], speech["digit"][unrelated], _register()[unrelated]
            ),
            unlabeled=_part(known & (take >= 12) & (take < 16)),
            unlabeled_wide=_part((take >= 12) & (take < 16)),
            valid=_part(known & (take >= 8) & (take < 12)),
            valid_like_test=_part(~known & (take >= 8) & (take < 12)),
            test=_part(~known & ((take < 8) | (take >= 16))),
            probe=_part(known & (take < 8)),
            nuisance=SPEAKER,
        )
    )


_NOISES = ("white", "brown", "hum", "babble")


def _noise(
    kind: str, length: int, rng: np.random.RandomState, clips: list[np.ndarray]
) -> np.ndarray:
    time = np.arange(length) / _SPEECH["sr"]
    if kind == "white":
        noise = rng.normal(size=length)
    elif kind == "brown":
        noise = np.cumsum(rng.normal(size=length))
        noise -= np.linspace(noise[0], noise[-1], length)
    elif kind == "hum":
        noise = sum(np.sin(2 * np.pi * (120 * k * time + rng.uniform())) / k for k in range(1, 12))
    else:
        noise = np.zeros(length)
        for clip in rng.choice(len(clips), 6):
            noise += np.resize(np.roll(clips[clip], rng.randint(8000)), length)
    return noise / (noise.std() + 1e-12)


@functools.cache
def _waveforms() -> list[np.ndarray]:
    return [soundfile.read(path)[0] for path in _speech()["paths"]]


@functools.cache
def _noisy(snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Return features of all clips in noise, and the type of each clip's noise."""
    waves = _waveforms()
    rng = np.random.RandomState(int(snr) + 77)
    kinds = rng.randint(len(_NOISES), size=len(waves))
    noisy = []
    for wave, kind in zip(waves, kinds, strict=True):
        noise = _noise(_NOISES[kind], len(wave), rng, waves)
        noisy.append((wave + noise * wave.std() * 10 ** (-snr / 20)).astype(np.float32))
    return np.asarray(LibrosaFeatures(n_mels=40, **_SPEECH).fit_transform(noisy)), kinds


def fsdd_small(index: int, n_train: int = 120, snr: float | None = None) -> Fold:
    """Few clips drawn at random; in noise, the type of the noise is the unrelated task.

    Parameters
    ----------
    index : int
        Which split.
    n_train : int, default=120
        Number of training clips.
    snr : float or None, default=None
        Signal-to-noise ratio in dB; None for clean clips, with the speaker as nuisance.
    """
    speech = _speech()
    digit, take = speech["digit"], speech["take"]
    X, nuisance = (speech["X"], speech["speaker"]) if snr is None else _noisy(snr)
    rng = np.random.RandomState(2000 + index)

    def part(keep: np.ndarray) -> Clips:
        return Clips(X[keep], digit[keep], nuisance[keep])

    pool = np.flatnonzero((take >= 16) & (take < 40))
    train = np.concatenate(
        [rng.choice(pool[digit[pool] == d], n_train // 10, replace=False) for d in range(10)]
    )
    held_out, late = (take >= 8) & (take < 12), take >= 40
    return standardised(
        Fold(
            train=part(train),
            unrelated=part(late),
            second=None if snr is None else Clips(X[late], digit[late], speech["speaker"][late]),
            unlabeled=part((take >= 12) & (take < 16)),
            valid=part(held_out),
            valid_like_test=part(held_out),
            test=part(take < 8),
            probe=part(take < 8),
            nuisance=SPEAKER if snr is None else "noise",
        )
    )


def notes(index: int, *, unseen_octave: bool = False) -> Fold:
    """Timbre of synthetic notes against their pitch.

    Parameters
    ----------
    index : int
        Which notes.
    unseen_octave : bool, default=False
        Whether the training notes are all of the lower octave, timbre and pitch independent,
        and the test notes of the upper; otherwise pitch gives the timbre away in training.
    """
    features = LibrosaFeatures(sr=8000, duration=0.5, n_fft=256, hop_length=128, n_mels=40)

    def part(n_samples: int, correlation: float, seed: int, octave: str = "both") -> Clips:
        made = make_notes(
            n_samples * (1 if octave == "both" else 2),
            n_timbres=4,
            n_pitches=12,
            correlation=correlation,
            random_state=100 * index + seed,
        )
        keep = {
            "both": np.ones(len(made.pitch), dtype=bool),
            "lower": made.pitch < 6,
            "upper": made.pitch >= 6,
        }[octave]
        X = np.asarray(features.fit_transform(list(np.asarray(made.data)[keep])))
        return Clips(X, made.timbre[keep], made.pitch[keep])

    if unseen_octave:
        return standardised(
            Fold(
                train=part(240, 0.0, 1, "lower"),
                unrelated=part(480, 0.0, 0, "lower"),
                unlabeled=part(202, 0.0, 5, "lower"),
                unlabeled_wide=part(202, 0.0, 6),
                valid=part(240, 0.0, 2, "lower"),
                valid_like_test=part(240, 0.0, 3, "upper"),
                test=part(480, 0.0, 4, "upper"),
                probe=part(480, 0.0, 7, "lower"),
            )
        )
    test = part(480, 0.0, 4)
    return standardised(
        Fold(
            train=part(240, 0.96, 1),
            unrelated=part(480, 0.0, 0),
            unlabeled=part(202, 0.0, 5),
            valid=part(240, 0.96, 2),
            valid_like_test=part(240, 0.0, 3),
            test=test,
            probe=Clips(test.X.copy(), test.target, test.nuisance),
            balanced=part(240, 0.0, 8),
        )
    )


def digit_images(index: int, nuisance: str = "background", confounding: float = 0.96) -> Fold:
    """Images of handwritten digits with a nuisance that gives the digit away in training.

    Parameters
    ----------
    index : int
        Which split and assignment.
    nuisance : {"background", "rotation"}, default="background"
        Five levels of added brightness, or four rotations by right angles.
    confounding : float, default=0.96
        Share of the training images of a digit that have its own nuisance.
    """
    data = load_digits()
    rng = np.random.RandomState(3000 + index)
    order = rng.permutation(len(data.target))
    n_levels = 5 if nuisance == "background" else 4
    own = np.r_[np.arange(n_levels), rng.randint(n_levels, size=10 - n_levels)]
    rng.shuffle(own)
    starts = iter(np.cumsum([0, 250, 400, 202, 150, 150, 400, 245]))
    start = next(starts)

    def part(share: float) -> Clips:
        nonlocal start
        end = next(starts)
        index = order[start:end]
        start = end
        target = data.target[index]
        other = rng.randint(n_levels, size=len(index))
        level = np.where(rng.uniform(size=len(index)) < share, own[target], other)
        images = data.images[index] / 16
        if nuisance == "background":
            images = np.clip(images + 0.2 * level[:, None, None], 0, 1.5)
        else:
            images = np.stack([np.rot90(x, k) for x, k in zip(images, level, strict=True)])
        return Clips(images[:, None], target, level)

    train, unrelated, unlabeled = part(confounding), part(0.0), part(0.0)
    valid, valid_like_test, test, balanced = part(confounding), part(0.0), part(0.0), part(0.0)
    return standardised(
        Fold(
            train=train,
            unrelated=unrelated,
            unlabeled=unlabeled,
            valid=valid,
            valid_like_test=valid_like_test,
            test=test,
            probe=Clips(test.X.copy(), test.target, test.nuisance),
            balanced=balanced,
        )
    )


def table(index: int, confounding: float = 0.9) -> Fold:
    """Breast cancer, with an attribute (mean texture above its median) that gives it away.

    Parameters
    ----------
    index : int
        Which split.
    confounding : float, default=0.9
        Share of training samples whose attribute goes along with the target.
    """
    data = load_breast_cancer()
    X, target = data.data, data.target
    attribute = (X[:, 1] > np.median(X[:, 1])).astype(int)
    rng = np.random.RandomState(4000 + index)
    cells = {
        (t, a): list(rng.permutation(np.flatnonzero((target == t) & (attribute == a))))
        for t in (0, 1)
        for a in (0, 1)
    }

    def part(n_samples: int, share: float) -> Clips:
        taken = []
        # Malignant (0) goes along with more texture.
        for t in (0, 1):
            for a in (0, 1):
                agrees = a == 1 - t
                size = round(n_samples / 2 * (share if agrees else 1 - share))
                taken += [cells[t, a].pop() for _ in range(size)]
        taken = rng.permutation(taken)
        return Clips(X[taken], target[taken], attribute[taken])

    test = part(80, 0.5)
    valid_like_test = part(24, 0.5)
    train, valid = part(100, confounding), part(40, confounding)
    rest = rng.permutation(np.concatenate([np.array(c, dtype=int) for c in cells.values()]))
    half = len(rest) // 2
    return standardised(
        Fold(
            train=train,
            unrelated=Clips(X[rest[:half]], target[rest[:half]], attribute[rest[:half]]),
            unlabeled=Clips(X[rest[half:]], target[rest[half:]], attribute[rest[half:]]),
            valid=valid,
            valid_like_test=valid_like_test,
            test=test,
            probe=Clips(test.X.copy(), test.target, test.nuisance),
        )
    )


# From name to what makes a fold of it, and how many folds there are.
PROTOCOLS: dict[str, tuple[Callable[[int], Fold], int]] = {
    "fsdd-80": (functools.partial(fsdd_confounded, confounding=0.80), 5),
    "fsdd-90": (functools.partial(fsdd_confounded, confounding=0.90), 5),
    "fsdd-96": (fsdd_confounded, 5),
    "fsdd-100": (functools.partial(fsdd_confounded, confounding=1.0), 5),
    "fsdd-96-same-clips": (functools.partial(fsdd_confounded, same_clips=True), 5),
    "fsdd-new-speaker": (fsdd_speaker, 6),
    "fsdd-60": (functools.partial(fsdd_small, n_train=60), 5),
    "fsdd-120": (functools.partial(fsdd_small, n_train=120), 5),
    "fsdd-300": (functools.partial(fsdd_small, n_train=300), 5),
    "fsdd-120-snr20": (functools.partial(fsdd_small, snr=20), 5),
    "fsdd-120-snr10": (functools.partial(fsdd_small, snr=10), 5),
    "fsdd-120-snr0": (functools.partial(fsdd_small, snr=0), 5),
    "notes-96": (notes, 5),
    "notes-unseen-octave": (functools.partial(notes, unseen_octave=True), 5),
    "digits-background": (digit_images, 5),
    "digits-rotation": (functools.partial(digit_images, nuisance="rotation"), 5),
    "table": (table, 5),
    "coloured-mnist-0.5": (functools.partial(coloured_mnist, conflicting=0.005), 5),
    "coloured-mnist-1": (coloured_mnist, 5),
    "coloured-mnist-2": (functools.partial(coloured_mnist, conflicting=0.02), 5),
    "coloured-mnist-5": (functools.partial(coloured_mnist, conflicting=0.05), 5),
    **{
        f"biased-mnist-{rho}": (functools.partial(biased_mnist, rho=rho / 1000), 5)
        for rho in (999, 997, 995, 990)
    },
    **{
        f"biased-mnist-{rho}-full": (functools.partial(biased_mnist, rho=rho / 1000, full=True), 3)
        for rho in (999, 997, 995, 990)
    },
    "arabic-new-speaker": (arabic_new_speaker, 5),
    "arabic-90": (functools.partial(arabic_confounded, confounding=0.90), 5),
    "arabic-96": (arabic_confounded, 5),
    "arabic-reversed": (functools.partial(arabic_confounded, target="speaker"), 5),
    "adult": (adult, 5),
    "adult-with-sex": (functools.partial(adult, sex_is_a_column=True), 5),
}

# The unrelated network learns the nuisance of the training samples themselves: whoever uses it
# needs these labels.
ON_TRAINING_SAMPLES = tuple(
    name
    for name in PROTOCOLS
    if name == "fsdd-96-same-clips" or name.startswith(("coloured-mnist", "biased-mnist"))
)

# Of the published size, which takes a GPU.
FULL_SIZE = tuple(name for name in PROTOCOLS if name.endswith("-full"))

TITLES = {
    "fsdd-80": "Spoken digits, speaker gives the digit away in 80 %",
    "fsdd-90": "Spoken digits, speaker gives the digit away in 90 %",
    "fsdd-96": "Spoken digits, speaker gives the digit away in 96 %",
    "fsdd-100": "Spoken digits, speaker gives the digit away in 100 %",
    "fsdd-96-same-clips": "Spoken digits, 96 %, unrelated network fitted on the same clips",
    "fsdd-new-speaker": "Spoken digits, a new speaker",
    "fsdd-60": "Spoken digits, 60 random clips",
    "fsdd-120": "Spoken digits, 120 random clips",
    "fsdd-300": "Spoken digits, 300 random clips",
    "fsdd-120-snr20": "Spoken digits in noise of 20 dB, 120 clips",
    "fsdd-120-snr10": "Spoken digits in noise of 10 dB, 120 clips",
    "fsdd-120-snr0": "Spoken digits in noise of 0 dB, 120 clips",
    "notes-96": "Notes, pitch gives the timbre away in 96 %",
    "notes-unseen-octave": "Notes, an unseen octave",
    "digits-background": "Images of digits, background gives the digit away in 96 %",
    "digits-rotation": "Images of digits, rotation gives the digit away in 96 %",
    "table": "Breast cancer, texture gives the diagnosis away in 90 %",
    "coloured-mnist-0.5": "Coloured MNIST, the colour gives the digit away but for 0.5 %",
    "coloured-mnist-1": "Coloured MNIST, the colour gives the digit away but for 1 %",
    "coloured-mnist-2": "Coloured MNIST, the colour gives the digit away but for 2 %",
    "coloured-mnist-5": "Coloured MNIST, the colour gives the digit away but for 5 %",
    **{
        f"biased-mnist-{rho}": f"Biased MNIST, the background gives the digit away in {rho / 10} %"
        for rho in (999, 997, 995, 990)
    },
    **{
        f"biased-mnist-{rho}-full": f"Biased MNIST of the published size, {rho / 10} %"
        for rho in (999, 997, 995, 990)
    },
    "arabic-new-speaker": "Arabic words, new speakers",
    "arabic-90": "Arabic words, speakers narrow the word down in 90 %",
    "arabic-96": "Arabic words, speakers narrow the word down in 96 %",
    "arabic-reversed": "Arabic speakers, words narrow the speaker down in 96 %",
    "adult": "Adult, income and sex",
    "adult-with-sex": "Adult, income and sex, which is a column",
}
