"""A pretrained speaker encoder: anti-transfer without the label of any speaker."""

from __future__ import annotations

import functools
import importlib.util

import numpy as np

from atl_sklearn.unrelated import GroupedNetwork, find_groups
from benchmarks.evidence.folds import Clips


def is_there() -> bool:
    """Tell whether the weights are installed: ``pip install --no-deps resemblyzer``."""
    return importlib.util.find_spec("resemblyzer") is not None


@functools.cache
def _encoder_input(path: str) -> np.ndarray:
    from examples.pretrained_speaker import ENCODER_INPUT

    return np.asarray(ENCODER_INPUT.fit_transform([path]))[0]


def encoder_input(clips: Clips) -> np.ndarray:
    """Return what the encoder takes of clips.

    Parameters
    ----------
    clips : Clips
        With the paths of their recordings.
    """
    assert clips.paths is not None
    return np.stack([_encoder_input(str(path)) for path in clips.paths])


def grouped_encoder(clips: Clips) -> GroupedNetwork:
    """Return the encoder with the groups that it hears in clips.

    Parameters
    ----------
    clips : Clips
        With the paths of their recordings; no label of theirs is read.
    """
    from examples.pretrained_speaker import SpeakerEncoder

    return find_groups(SpeakerEncoder(), encoder_input(clips))
