"""Checks of the parameters of LibrosaFeatures."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from atl_sklearn.audio._features import get_feature, window_of


def _refuse(settings: Any, name: str, must: str, way_out: str = "") -> ValueError:
    message = (
        f"The {name!r} parameter of {type(settings).__name__} must be {must}. "
        f"Got {getattr(settings, name)!r} instead."
    )
    return ValueError(f"{message} {way_out}".rstrip())


def _is_number(value: Any, kind: Any = Real) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


def n_times_of(settings: Any) -> int:
    """Return the length of a clip in samples."""
    return round(settings.duration * settings.sr)


def check_parameters(settings: Any) -> None:
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
    get_feature(settings.feature)
    for name in ("sr", "n_fft", "n_mels"):
        value = getattr(settings, name)
        if not _is_number(value, Integral) or value < 1:
            raise _refuse(settings, name, "an int in [1, inf)")
    for name in ("win_length", "hop_length"):
        value = getattr(settings, name)
        if value is not None and (not _is_number(value, Integral) or value < 1):
            raise _refuse(settings, name, "an int in [1, inf) or None")
    if not _is_number(settings.duration) or settings.duration <= 0:
        raise _refuse(settings, "duration", "a float in (0, inf), in seconds")
    if not _is_number(settings.verbose, Integral) and not isinstance(settings.verbose, bool):
        raise _refuse(settings, "verbose", "an int")
    _check_window(settings)
    _check_bands(settings)
    _check_decibels(settings)


def _check_window(settings: Any) -> None:
    n_times = n_times_of(settings)
    if not callable(settings.feature) and settings.n_fft > n_times:
        raise _refuse(
            settings,
            "n_fft",
            f"at most the length of a clip, {n_times} samples "
            f"(duration={settings.duration} s at sr={settings.sr} Hz)",
            "Lower n_fft or raise duration.",
        )
    win_length, hop_length = window_of(settings)
    if win_length > settings.n_fft:
        raise _refuse(settings, "win_length", f"at most n_fft={settings.n_fft}", "Raise n_fft.")
    if hop_length < 1:
        raise _refuse(settings, "hop_length", "given where the window is shorter than 4 samples")


def _check_bands(settings: Any) -> None:
    nyquist = settings.sr / 2
    fmax = nyquist if settings.fmax is None else settings.fmax
    if not _is_number(fmax) or not 0 < fmax <= nyquist:
        must = f"a float in (0, {nyquist:g}], half the sampling rate, or None"
        raise _refuse(settings, "fmax", must)
    if not _is_number(settings.fmin) or not 0 <= settings.fmin < fmax:
        raise _refuse(settings, "fmin", f"a float in [0, {fmax:g}), below fmax")


def _check_decibels(settings: Any) -> None:
    top_db, ref = settings.top_db, settings.ref
    if top_db is not None and (not _is_number(top_db) or top_db < 0):
        raise _refuse(settings, "top_db", "a float in [0, inf), in dB, or None")
    if not (isinstance(ref, str) and ref == "max") and (not _is_number(ref) or ref <= 0):
        raise _refuse(settings, "ref", "'max' or a float in (0, inf)")
