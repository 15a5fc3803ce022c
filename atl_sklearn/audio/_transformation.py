"""What LibrosaFeatures does with clips, for one set of parameters or for several at once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._set_output import _get_output_config

from atl_sklearn._fingerprint import Unidentifiable, fingerprint
from atl_sklearn._user_warnings import warn_user
from atl_sklearn.audio._bad_audio import BadFile, report_bad
from atl_sklearn.audio._batches import BatchJob, ClipBatch, compute_batches
from atl_sklearn.audio._cache import ClipCache, folder_of, key_of_settings
from atl_sklearn.audio._cache_size import bytes_of
from atl_sklearn.audio._clips import Audio, Segment, as_clips
from atl_sklearn.audio._exchange import SentFeatures
from atl_sklearn.audio._features import as_list, compute_features
from atl_sklearn.audio._lengths import signature_of
from atl_sklearn.audio._npy_file import NpyFile
from atl_sklearn.audio._parameters import check_parameters, check_windows
from atl_sklearn.audio._reading import n_times_of

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures


def clips_of(settings: LibrosaFeatures, X: Audio, bad: list[BadFile] | None) -> list[Segment]:
    """Return audio as clips, as the parameters say where it is."""
    return as_clips(X, bad, settings.root, column=settings.column, scale=settings.scale)


def feature_shape(settings: LibrosaFeatures) -> tuple[int, ...]:
    """Return the shape of the features of a clip.

    Raises
    ------
    ValueError
        If the features are not finite, whatever the clip.
    """
    # noise, as some features warn of silence
    size = (1, settings.n_channels or 1, n_times_of(settings))
    noise = np.random.default_rng(0).normal(0.0, 0.1, size).astype(np.float32)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # told below
        features = compute_features(noise, settings)
    ours = not any(map(callable, as_list(settings.feature)))
    if ours and not np.isfinite(features).all():  # as all clips' would be
        raise ValueError(
            f"With these parameters {settings.feature!r} is not finite, even of noise. Look at "
            f"those that are unusual, such as exponent={settings.exponent} or "
            f"feature_params={settings.feature_params}."
        )
    return features.shape[1:]


def transform_together(transformers: Sequence[LibrosaFeatures], X: Audio) -> list[np.ndarray]:
    """Return the features that each transformer makes of clips, which are read once.

    Parameters
    ----------
    transformers : sequence of LibrosaFeatures
        The parameters; where X is, and its integers, are as the first of them says.
    X : sequence of paths or waveforms, or array of shape (n_samples, n_times)
        Audio, as in :meth:`LibrosaFeatures.transform`.

    Returns
    -------
    features : list of ndarray
        Those of each.
    """
    for settings in transformers:
        check_parameters(settings)
    bad: list[BadFile] = []
    clips = clips_of(transformers[0], X, bad)
    for settings in transformers:
        check_windows(settings, clips)
    shapes = [feature_shape(settings) for settings in transformers]
    return transform_clips(transformers, clips, bad, shapes)


def transform_clips(
    transformers: Sequence[LibrosaFeatures],
    clips: list[Segment],
    bad: list[BadFile],
    shapes: Sequence[tuple[int, ...]],
) -> list[np.ndarray]:
    """Return the features that each transformer makes of clips, after all has been checked.

    Parameters
    ----------
    transformers : sequence of LibrosaFeatures
        The parameters.
    clips : list of Segment
        The clips.
    bad : list of BadFile
        Those of them that are known to be of no use.
    shapes : sequence of tuple of int
        What :func:`feature_shape` returned for each transformer.

    Returns
    -------
    features : list of ndarray
        Those of each.
    """
    for settings in transformers:
        _check_container(settings)
    with ExitStack() as stack:
        parts = [
            _Transformation(settings, clips, shape, stack)
            for settings, shape in zip(transformers, shapes, strict=True)
        ]
        jobs = [part.job for part in parts]
        # Closed at once where anything fails, and with it what it keeps on the disk.
        for batches in stack.enter_context(closing(compute_batches(clips, jobs))):
            for part, batch in zip(parts, batches, strict=True):
                part.take(batch)
        return [part.finish(bad) for part in parts]


class _Transformation:
    """The features of clips in the making, for one set of parameters."""

    def __init__(
        self,
        settings: LibrosaFeatures,
        clips: list[Segment],
        shape: tuple[int, ...],
        stack: ExitStack,
    ) -> None:
        self._settings = settings
        self._clips = clips
        seed = None
        if settings.crop == "random":
            seed = int(check_random_state(settings.random_state).randint(2**31 - 1))
        folder = folder_of(settings.memory)
        self._key = uuid.uuid4().hex
        if folder is not None or settings.memory_map is not None:
            try:
                self._key = key_of_settings(settings, seed)
            except Unidentifiable as error:
                if folder is not None and settings.verbose:
                    print(f"Features are not kept in 'memory': {error}")
                folder = None
        # Crops that are drawn anew each time are never found again.
        lasting = settings.crop != "random" or isinstance(settings.random_state, int | np.integer)
        cache = ClipCache(folder, self._key) if folder is not None and lasting else None
        if cache is not None:
            cache.load_index()
        self._features: NDArray[np.float32] | None = None
        rows = None
        if settings.memory_map is None:
            self._features = np.empty((len(clips), *shape), np.float32)
        else:
            rows = stack.enter_context(
                NpyFile(settings.memory_map, (len(clips), *shape), np.float32)
            )
        self.job = BatchJob(settings, shape, seed, cache, rows, self._features)
        self._bad: dict[int, BadFile] = {}
        self._lines: list[str] = []
        self._limit = bytes_of(settings.memory_limit)
        self._n_missing = self._n_written = 0

    def take(self, batch: ClipBatch) -> None:
        """Take the features of some clips, and what was learnt about these."""
        self._bad |= {found.position: found for found in batch.bad}
        self._lines += batch.lines
        cache = self.job.cache
        if cache is not None:
            cache.failure = cache.failure or batch.failure  # later batches do not try again
            self._n_missing += batch.n_missing
            self._n_written += batch.n_written
            if self._limit is not None and self._n_written > self._limit / 10:
                cache.shrink(self._limit)
                self._n_written = 0
        if self._features is not None and batch.features is not None:
            rows = self._features[batch.start : batch.start + batch.n_clips]
            if isinstance(batch.features, SentFeatures):
                batch.features.receive(rows)
            else:
                rows[...] = batch.features

    def finish(self, known_bad: list[BadFile]) -> np.ndarray:
        """Return the features, after what was wrong with clips has been told."""
        settings, n_clips = self._settings, len(self._clips)
        settings.cache_hits_ = settings.cache_misses_ = 0
        cache = self.job.cache
        if cache is not None:
            settings.cache_hits_ = n_clips - self._n_missing
            settings.cache_misses_ = self._n_missing
            if self._limit is not None and self._n_written:
                cache.shrink(self._limit)
            cache.save_index(self._lines)
            if cache.failure:
                warn_user(
                    f"Features could not be kept in the 'memory' folder ({cache.failure}). They "
                    "are computed, and complete, but will have to be computed again."
                )
        # Of waveforms more is known than that they have no samples any more.
        self._bad |= {found.position: found for found in known_bad}
        report_bad(list(self._bad.values()), n_clips, settings.on_error)
        settings.bad_files_ = list(self._bad.values())
        features = self._features
        if self.job.rows is not None:
            features = self.job.rows.finish(f"features-{_name_of(self._clips, self._key)}.npy")
        assert features is not None
        return features.reshape(n_clips, -1) if settings.flatten else features


def _check_container(settings: LibrosaFeatures) -> None:
    container = _get_output_config("transform", settings)["dense"]
    if container != "default" and not settings.flatten:
        raise ValueError(
            f"A {container} DataFrame has two dimensions, but the features of a clip have "
            f"more. Use {type(settings).__name__}(flatten=True), or its "
            "set_output(transform='default')."
        )


def _name_of(clips: list[Segment], key: str) -> str:
    """Return a name for the features of clips: the same when they are computed again."""
    parts: list[object] = [key]
    for clip in clips:
        if clip.path is None:
            parts.append(clip.samples() if clip.file is None else clip.file)
        else:
            parts += [os.path.abspath(clip.path), signature_of(clip.path)]
        parts.append((clip.rate, clip.start, clip.duration))
    return fingerprint(parts)[:24]
