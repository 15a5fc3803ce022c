"""From clips to features, a batch at a time, in this or other threads and processes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from atl_sklearn._progress import Progress
from atl_sklearn.audio._bad_audio import BadFile, UnusableClipError
from atl_sklearn.audio._cache import ClipCache
from atl_sklearn.audio._clips import Segment
from atl_sklearn.audio._exchange import (
    Exchange,
    SentClips,
    SentFeatures,
    Slot,
    workers_share_memory,
)
from atl_sklearn.audio._features import compute_features
from atl_sklearn.audio._npy_file import NpyFile
from atl_sklearn.audio._reading import SharedReading, n_times_of, read_clip

if TYPE_CHECKING:
    from atl_sklearn.audio._librosa_features import LibrosaFeatures

# librosa takes many clips at once much faster than one by one, until the cache is full.
_BATCH_CLIPS = 50
_BATCH_SAMPLES = 2**21


@dataclass
class ClipBatch:
    """The features of some clips.

    Parameters
    ----------
    start : int
        Position of the first in all clips.
    n_clips : int
        How many there are.
    features : ndarray of shape (n_clips, ...), SentFeatures or None
        The features; None if they are where they belong, or if clips are bad.
    bad : list of BadFile
        Clips that cannot be used.
    lines : list of str
        What was learnt about files, for the index of the cache.
    failure : str or None
        Why the cache could not be written.
    n_missing : int
        How many clips were not in the cache.
    n_written : int
        How many bytes were put into it.
    """

    start: int
    n_clips: int
    features: NDArray[np.float32] | SentFeatures | None
    bad: list[BadFile]
    lines: list[str]
    failure: str | None
    n_missing: int
    n_written: int


@dataclass
class BatchJob:
    """What is made of clips: one kind of features.

    Parameters
    ----------
    settings : LibrosaFeatures
        The parameters.
    shape : tuple of int
        Shape of the features of a clip.
    seed : int or None
        For random crops.
    cache : ClipCache or None
        Where features are looked up and kept.
    rows : NpyFile or None
        The file that features are written to.
    out : ndarray of shape (n_samples, *shape) or None
        The memory that they belong in, where there is no such file.
    slot : Slot or None, default=None
        What other processes hand them back by.
    """

    settings: LibrosaFeatures
    shape: tuple[int, ...]
    seed: int | None
    cache: ClipCache | None
    rows: NpyFile | None
    out: NDArray[np.float32] | None
    slot: Slot | None = None

    def for_part(self, clips: list[Segment], in_memory: bool, slot: Slot | None) -> BatchJob:
        """Return the job with what is known of these clips alone, to be sent to a worker."""
        return replace(
            self,
            cache=None if self.cache is None else self.cache.part_for(clips),
            out=self.out if in_memory else None,
            slot=slot,
        )


def compute_batches(
    clips: list[Segment], jobs: Sequence[BatchJob]
) -> Generator[tuple[ClipBatch, ...]]:
    """Compute one or more kinds of features of clips, each of which is read once.

    Parameters
    ----------
    clips : list of Segment
        The clips.
    jobs : sequence of BatchJob
        What is made of them. Processes and progress are as the first of them says.

    Yields
    ------
    batches : tuple of ClipBatch
        Of each job one, in the order of the clips.
    """
    import librosa

    librosa.feature  # noqa: B018 - loaded here once instead of in all threads at once
    first = jobs[0].settings
    n_values = max((j.settings.n_channels or 1) * n_times_of(j.settings) for j in jobs)
    share = -(-len(clips) // effective_n_jobs(first.n_jobs))
    size = max(1, min(_BATCH_CLIPS, _BATCH_SAMPLES // n_values, share))
    in_memory = workers_share_memory(first.n_jobs)
    exchange = None if in_memory else Exchange.between_workers()
    slots: list[Slot | None] = []

    def tasks() -> Iterator[Any]:
        for start in range(0, len(clips), size):
            part = clips[start : start + size]
            slot = None if exchange is None else exchange.take_slot()
            slots.append(slot)
            yield delayed(_compute_all)(
                part if slot is None else slot.send_clips(part),
                start,
                [job.for_part(part, in_memory, slot) for job in jobs],
            )

    parallel = Parallel(n_jobs=first.n_jobs, prefer="threads", return_as="generator")
    with ExitStack() as stack:
        if exchange is not None:
            stack.enter_context(exchange)
        progress = None
        if first.verbose:
            of = type(first).__name__
            progress = stack.enter_context(Progress(len(clips), of, unit="clip"))
        for i, batches in enumerate(parallel(tasks())):
            if progress is not None:
                progress.update(batches[0].n_clips)
            yield batches
            slot = slots[i]
            if exchange is not None and slot is not None:
                exchange.free_slot(slot)


def _compute_all(
    clips: list[Segment] | SentClips, start: int, jobs: Sequence[BatchJob]
) -> tuple[ClipBatch, ...]:
    if isinstance(clips, SentClips):
        clips = clips.receive()
    shared = None
    if len(jobs) > 1:
        shared = SharedReading([(job.settings, job.seed) for job in jobs])
    return tuple(
        _compute_batch(clips, start, job, shared, f"features{i}") for i, job in enumerate(jobs)
    )


def _compute_batch(
    clips: list[Segment], start: int, job: BatchJob, shared: SharedReading | None, name: str
) -> ClipBatch:
    settings, shape, cache, rows = job.settings, job.shape, job.cache, job.rows
    keys = [None if cache is None else cache.key_of(clip) for clip in clips]
    if cache is not None:
        cache.tell_lengths()
    features = None if job.out is None else job.out[start : start + len(clips)]
    if cache is None:
        missing = list(range(len(clips)))
    else:
        if features is None:
            features = np.empty((len(clips), *shape), np.float32)
        missing = [
            i for i, key in enumerate(keys) if key is None or not cache.load(key, features[i])
        ]
    waves = np.zeros((len(missing), settings.n_channels or 1, n_times_of(settings)), np.float32)
    bad: list[BadFile] = []
    for wave, i in zip(waves, missing, strict=True):
        try:
            wave[...] = read_clip(clips[i], settings, job.seed, shared)
        except UnusableClipError as error:
            bad.append(BadFile(start + i, clips[i].path, str(error)))
    done: NDArray[np.float32] | SentFeatures | None = None
    if missing and (not bad or settings.on_error == "warn"):
        computed, broken = _compute_finite(waves, settings)
        known = {found.position for found in bad}
        for i in (missing[j] for j in broken):
            if start + i not in known:
                bad.append(BadFile(start + i, clips[i].path, "its features are not finite"))
        if features is None:
            features = computed
        else:
            features[missing] = computed
    if features is not None and (not bad or settings.on_error == "warn"):
        unusable = {found.position - start for found in bad}
        for i in missing:
            key = keys[i]
            if cache is not None and key is not None and i not in unusable:
                cache.save(key, clips[i], features[i])
        if rows is not None:
            rows.write(start, features)
        elif job.slot is not None:
            done = job.slot.send_features(features, name)
        elif job.out is None:
            done = features
    return ClipBatch(
        start,
        len(clips),
        done,
        sorted(bad, key=lambda found: found.position),
        [] if cache is None else cache.take_new_lines(),
        None if cache is None else cache.failure,
        len(missing),
        0 if cache is None else cache.n_written,
    )


def _compute_finite(
    waves: NDArray[np.float32], settings: LibrosaFeatures
) -> tuple[NDArray[np.float32], list[int]]:
    """Return features, those of silence where they are not finite, and where that is."""
    features = compute_features(waves, settings)
    finite = np.isfinite(features.reshape(len(waves), -1)).all(axis=1)
    broken = np.flatnonzero(~finite)
    if len(broken):
        silence = compute_features(np.zeros_like(waves[:1]), settings)
        features = features.copy()
        features[broken] = np.nan_to_num(silence, posinf=0.0, neginf=0.0)
    return features, broken.tolist()
