"""Checks of the parameters of LibrosaFeatures."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING

import joblib
from sklearn.base import BaseEstimator

from atl_sklearn._folders import as_folder
from atl_sklearn._seeds import SEED, is_seed
from atl_sklearn._validation import is_number, refuse
from atl_sklearn.audio._cache_size import bytes_of
from atl_sklearn.audio._clips import LONGEST_SECONDS, Segment
from atl_sklearn.audio._features import as_list, get_feature, get_feature_names, name_of
from atl_sklearn.audio._reading import n_times_of
from atl_sklearn.audio._sound_file import LONGEST_VALUES
from atl_sklearn.audio._spectral import window_of
from atl_sklearn.audio._waveforms import is_scale

if TYPE_CHECKING:
    from atl_sklearn.audio._augmentation import Augmentation
    from atl_sklearn.audio._librosa_features import LibrosaFeatures
    from atl_sklearn.audio._segmenter import AudioSegmenter
    from atl_sklearn.audio._standardizer import Standardizer

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "crop": ("start", "center", "random", "loudest"),
    "pad": ("zeros", "wrap", "repeat"),
    "normalize": (None, "peak", "rms"),
    "on_error": ("raise", "warn"),
}
_MOST_JOBS = 10_000
_WITHOUT_STFT = ("waveform", "cqt", "tonnetz")


def check_choice(estimator: BaseEstimator, name: str, choices: tuple[str | None, ...]) -> None:
    """Check that a parameter is one of the given values."""
    value = getattr(estimator, name)
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise refuse(estimator, name, f"one of {list(choices)}")


def check_random_state(estimator: Augmentation | LibrosaFeatures) -> None:
    """Check that `random_state` makes a generator."""
    if not is_seed(estimator.random_state):
        raise refuse(estimator, "random_state", SEED)


def check_memory_map(estimator: LibrosaFeatures | Standardizer) -> None:
    """Check that `memory_map` can be a folder."""
    folder = estimator.memory_map
    if folder is None:
        return
    is_name = isinstance(folder, str | os.PathLike) and bool(os.fspath(folder))
    if not is_name or os.path.isfile(as_folder(folder)):
        raise refuse(estimator, "memory_map", "a folder or None, and no file")


def check_input(estimator: AudioSegmenter | LibrosaFeatures) -> None:
    """Check the parameters that say where audio is, and what integers are divided by."""
    root, column = estimator.root, estimator.column
    if not (root is None or isinstance(root, str | os.PathLike)) or root == "":
        raise refuse(estimator, "root", "a folder, or None for the current one")
    is_column = isinstance(column, str | Integral) and not isinstance(column, bool)
    if not (column is None or is_column):
        raise refuse(estimator, "column", "the name of a column, an int, or None")
    if not is_scale(estimator.scale):
        raise refuse(estimator, "scale", "a float in (0, inf), 'dtype' or None")


def check_parameters(settings: LibrosaFeatures) -> None:
    """Check the parameters of LibrosaFeatures.

    Parameters
    ----------
    settings : LibrosaFeatures
        The transformer.

    Raises
    ------
    ValueError
        If a parameter is of the wrong type or value; the message names it, says what it must
        be and what it is.
    """
    _check_features(settings)
    for name in ("sr", "n_fft", "n_mels", "n_mfcc"):
        value = getattr(settings, name)
        if not is_number(value, Integral) or value < 1:
            raise refuse(settings, name, "an int in [1, inf)")
    for name in ("win_length", "hop_length", "n_channels"):
        value = getattr(settings, name)
        if value is not None and (not is_number(value, Integral) or value < 1):
            raise refuse(settings, name, "an int in [1, inf) or None")
    if not is_number(settings.n_deltas, Integral) or settings.n_deltas < 0:
        raise refuse(settings, "n_deltas", "an int in [0, inf)")
    _check_times(settings)
    if not is_number(settings.exponent) or settings.exponent <= 0:
        raise refuse(settings, "exponent", "a float in (0, inf)")
    for name, choices in _CHOICES.items():
        check_choice(settings, name, choices)
    for name in ("flatten", "allow_silence"):
        if not isinstance(getattr(settings, name), bool):
            raise refuse(settings, name, "True or False")
    if not is_number(settings.verbose, Integral) and not isinstance(settings.verbose, bool):
        raise refuse(settings, "verbose", "an int")
    folders = (str, os.PathLike)
    if not (settings.memory is None or isinstance(settings.memory, (*folders, joblib.Memory))):
        raise refuse(settings, "memory", "a folder, a joblib.Memory or None")
    try:
        bytes_of(settings.memory_limit)
    except ValueError:
        must = "a number of bytes above 0, such as 10**9, '500 MB' or '2 GB', or None"
        raise refuse(settings, "memory_limit", must) from None
    check_memory_map(settings)
    check_input(settings)
    check_random_state(settings)
    n_jobs = settings.n_jobs
    if n_jobs is not None and (
        not is_number(n_jobs, Integral) or n_jobs == 0 or abs(n_jobs) > _MOST_JOBS
    ):
        must = f"None or an int in [{-_MOST_JOBS}, {_MOST_JOBS}], but not 0"
        raise refuse(settings, "n_jobs", must, "-1 stands for all processors.")
    _check_window(settings)
    _check_bands(settings)
    _check_decibels(settings)


def _check_times(settings: LibrosaFeatures) -> None:
    duration, sr, n_channels = settings.duration, settings.sr, settings.n_channels or 1
    if not is_number(duration) or duration <= 0:
        raise refuse(settings, "duration", "a float in (0, inf), in seconds")
    longest = LONGEST_VALUES / sr / n_channels
    if duration > longest:
        of_channels = f" with n_channels={n_channels}" if n_channels > 1 else ""
        raise refuse(
            settings,
            "duration",
            f"at most {longest:g} s at sr={sr}{of_channels}",
            "Cut longer recordings by AudioSegmenter.",
        )
    if n_times_of(settings) < 1:
        raise refuse(settings, "duration", f"at least a sample, {1 / sr:g} s at sr={sr}")
    if not is_number(settings.offset) or not 0 <= settings.offset <= LONGEST_SECONDS:
        raise refuse(settings, "offset", f"a float in [0, {LONGEST_SECONDS:g}], in seconds")


def check_windows(settings: LibrosaFeatures, clips: list[Segment]) -> None:
    """Check that the windows that AudioSegmenter cut are read to their ends.

    Raises
    ------
    ValueError
        If they are longer than what is read, and nothing says which part is to be read.
    """
    if settings.crop != "start" or settings.trim_silence is not None:
        return
    cut = [clip.duration for clip in clips if clip.recording is not None and clip.duration]
    longest = max(cut, default=0.0)
    if longest > settings.offset + settings.duration + 1 / settings.sr:
        after = f" after offset={settings.offset:g} s" if settings.offset else ""
        raise refuse(
            settings,
            "duration",
            f"at least what there is of the windows{after}, which are {longest:g} s long, or "
            "their ends are never read",
            f"Set AudioSegmenter(duration={settings.offset + settings.duration:g}), or "
            f"{type(settings).__name__}(duration={longest - settings.offset:g}), or by 'crop' "
            "which part of a window is to be read: 'center', 'random' or 'loudest'.",
        )


def _check_features(settings: LibrosaFeatures) -> None:
    features = as_list(settings.feature)
    if not features:
        raise refuse(settings, "feature", "a name, a callable, or a list of one or more of these")
    for feature in features:
        get_feature(feature)
    passed_on = settings.feature_params
    if passed_on is None:
        return
    if not isinstance(passed_on, dict) or not all(isinstance(v, dict) for v in passed_on.values()):
        must = "None or a dict of dicts, such as {'cqt': {'n_bins': 60}}"
        raise refuse(settings, "feature_params", must)
    unknown = sorted(set(map(str, passed_on)) - set(get_feature_names()))
    if unknown:
        must = f"a dict with keys among {get_feature_names()}"
        raise refuse(
            settings,
            "feature_params",
            must,
            f"{unknown} are no such names; use functools.partial for a callable.",
        )


def _check_window(settings: LibrosaFeatures) -> None:
    n_times = n_times_of(settings)
    with_stft = [
        feature
        for feature in as_list(settings.feature)
        if not callable(feature) and feature not in _WITHOUT_STFT
    ]
    if with_stft and settings.n_fft > n_times:
        raise refuse(
            settings,
            "n_fft",
            f"at most the length of a clip, {n_times} samples "
            f"(duration={settings.duration} s at sr={settings.sr} Hz)",
            "Lower n_fft or raise duration.",
        )
    win_length, hop_length = window_of(settings)
    if win_length > settings.n_fft:
        raise refuse(settings, "win_length", f"at most n_fft={settings.n_fft}", "Raise n_fft.")
    if hop_length < 1:
        raise refuse(settings, "hop_length", "given where the window is shorter than 4 samples")
    n_frames = 1 + n_times // hop_length
    if "mfcc" in map(name_of, with_stft):
        if settings.n_mfcc > settings.n_mels:
            raise refuse(settings, "n_mfcc", f"at most n_mels={settings.n_mels}", "Raise n_mels.")
        if settings.n_deltas and n_frames < 9:
            raise refuse(
                settings,
                "n_deltas",
                f"0 for clips of fewer than 9 frames; these have {n_frames}",
                "Raise duration or lower hop_length.",
            )


def _check_bands(settings: LibrosaFeatures) -> None:
    nyquist = settings.sr / 2
    fmax = nyquist if settings.fmax is None else settings.fmax
    if not is_number(fmax) or not 0 < fmax <= nyquist:
        must = f"a float in (0, {nyquist:g}], half the sampling rate, or None"
        raise refuse(settings, "fmax", must)
    if not is_number(settings.fmin) or not 0 <= settings.fmin < fmax:
        raise refuse(settings, "fmin", f"a float in [0, {fmax:g}), below fmax")


def _check_decibels(settings: LibrosaFeatures) -> None:
    for name in ("top_db", "trim_silence"):
        value = getattr(settings, name)
        if name == "trim_silence" and (
            callable(value) or (isinstance(value, str) and value == "energy")
        ):
            continue
        if value is not None and (not is_number(value) or value < 0):
            others = ", 'energy', a callable" if name == "trim_silence" else ""
            raise refuse(settings, name, f"a float in [0, inf), in dB{others}, or None")
    ref = settings.ref
    if not (isinstance(ref, str) and ref == "max") and (not is_number(ref) or ref <= 0):
        raise refuse(settings, "ref", "'max' or a float in (0, inf)")
