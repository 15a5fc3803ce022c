"""Frozen activations, kept by the index of the sample: they do not change while training."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from atl_sklearn._user_warnings import warn_user
from atl_sklearn.unrelated._activation_files import ROWS_AT_ONCE, load, make_maps, save

CACHES = ("auto", "live", "mapped", "memory")

# Above this size, reading a sample's activations takes about as long as computing them. Only layers
# near the input have so many, and these are quick to compute.
_LARGEST_TO_MAP = 2**20
_FREE_SHARE = 0.5  # of the space on a disk that may be taken


def readable(n_bytes: float) -> str:
    """Return a number of bytes as people read it.

    Examples
    --------
    >>> from atl_sklearn.unrelated._activation_cache import readable
    >>> readable(512), readable(3 * 2**20)
    ('512 B', '3.0 MiB')
    """
    if n_bytes < 1024:
        return f"{n_bytes:.0f} B"
    power = min(int(math.log2(n_bytes) // 10), 4)
    return f"{n_bytes / 1024**power:.1f} {' KMGT'[power]}iB"


class ActivationCache:
    """Activations of the samples of one data set, computed when first asked for.

    Parameters
    ----------
    n_samples : int
        Number of samples of the data set.
    limit : int
        Bytes that ``"auto"`` keeps in memory; 0 for computing everything anew.
    cache : {"auto", "memory", "mapped", "live"}, default="auto"
        Where activations are kept: in memory, in files that are mapped into it, or nowhere.
        ``"auto"`` takes memory up to `limit`; above, files, unless a sample has more than 1 MiB
        or the disk has too little space.
    live_because : str, default=""
        Why nothing may be kept, if so.
    report : callable, default=None
        Told in a sentence where they are kept, as soon as it is known.

    Examples
    --------
    >>> import torch
    >>> from atl_sklearn.unrelated._activation_cache import ActivationCache
    >>> X = torch.arange(6.0).reshape(3, 2)
    >>> store = ActivationCache(n_samples=3, limit=1000)
    >>> for _ in range(2):
    ...     found = store.get([2, 0], lambda: [print("computed") or X[[2, 0]] ** 2])
    computed
    >>> found
    [tensor([[16., 25.],
            [ 0.,  1.]])]
    """

    def __init__(
        self,
        n_samples: int,
        limit: int,
        *,
        cache: str = "auto",
        live_because: str = "",
        report: Callable[[str], object] | None = None,
    ) -> None:
        self._n_samples = n_samples
        self._limit = limit
        self._cache = cache
        self.report = report or (lambda sentence: None)
        self._kept: list[torch.Tensor] | None = None
        self._there = torch.zeros(n_samples, dtype=torch.bool)
        self._complete = False
        self._folder: Path | None = None
        self.where = ""  # not known before the first sample
        if live_because:
            self._settle("live", live_because)
        elif cache == "live" or (cache == "auto" and limit <= 0):
            self._settle("live", "as asked for")

    @property
    def n_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(x.numel() * x.element_size() for x in self._kept or [])

    def _settle(self, where: str, why: str) -> None:
        self.where = where
        how = {
            "live": "computed in every step",
            "memory": "kept in memory",
            "mapped": "kept in memory-mapped files",
        }
        self.report(f"{how[where]} ({why}).")

    def _decide(self, per_sample: int, folder: Path | None) -> None:
        """Decide where activations of `per_sample` bytes are kept."""
        needed = per_sample * self._n_samples
        size = f"{readable(needed)} for {self._n_samples} samples"
        if self._cache in ("memory", "mapped"):
            self._settle(self._cache, f"{size}, as asked for")
        elif needed <= self._limit:
            self._settle("memory", size)
        elif per_sample > _LARGEST_TO_MAP:
            self._settle(
                "live",
                f"{readable(per_sample)} for each sample are not read faster than computed",
            )
        elif needed > _FREE_SHARE * shutil.disk_usage(folder or tempfile.gettempdir()).free:
            self._settle("live", f"{size} are more than cache_size and half of what is free")
        else:
            self._settle("mapped", f"{size} are more than cache_size")

    def _make(self, found: list[torch.Tensor]) -> list[torch.Tensor]:
        shapes = [(self._n_samples, *x.shape[1:]) for x in found]
        if self.where == "memory":
            return [x.new_empty(shape) for x, shape in zip(found, shapes, strict=True)]
        self._folder = Path(tempfile.mkdtemp(prefix="activations-"))
        maps = make_maps(self._folder, shapes, [x.dtype for x in found])
        # A map needs no file name. Where the system lets us remove the name, a killed process
        # leaves nothing behind; elsewhere `close` removes it.
        shutil.rmtree(self._folder, ignore_errors=True)
        return maps

    def get(
        self, index: Sequence[int] | torch.Tensor | None, compute: Callable[[], list[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """Return the activations of some samples.

        Parameters
        ----------
        index : sequence of int, Tensor of int or None
            Which samples; None for samples that are not of the data set.
        compute : callable
            Returns their activations, a list of tensors.

        Returns
        -------
        activations : list of Tensor of shape (n_samples, ...)
            Without gradients.
        """
        if index is None or self.where == "live":
            return compute()
        index = torch.as_tensor(index)
        if self._kept is not None and (self._complete or bool(self._there[index].all())):
            return [x.index_select(0, index.to(x.device)) for x in self._kept]
        found = compute()
        if self._kept is None:
            try:
                if not self.where:
                    self._decide(_bytes_of_one(found), None)
                if self.where == "live":
                    return found
                self._kept = self._make(found)
            except OSError as error:
                self.close()
                self._settle("live", "there is no place for them")
                warn_user(
                    f"Unrelated activations cannot be kept in files ({error}), and are computed "
                    "in every step, which takes longer. Make space in the temporary folder, or "
                    "name another one by the environment variable TMPDIR."
                )
                return found
        for kept, x in zip(self._kept, found, strict=True):
            kept[index.to(kept.device)] = x.to(kept.device)
        self._there[index] = True
        self._complete = bool(self._there.all())
        return found

    def fill(
        self,
        folder: Path,
        few: list[torch.Tensor],
        compute: Callable[[list[int]], list[torch.Tensor]],
    ) -> None:
        """Take all activations from a folder, or compute them and keep them there.

        Parameters
        ----------
        folder : Path
            Of these activations alone: of one network, its layers and one data set.
        few : list of Tensor of shape (n_few, ...)
            Activations of the first samples, by which it is seen that the folder's are right.
        compute : callable
            Returns the activations of the samples in a list.

        Warns
        -----
        UserWarning
            If what is in the folder is damaged, or nothing can be kept there; the fit goes on.
        """
        if self.where == "live":
            return
        try:
            self._fill(folder, few, compute)
        except OSError as error:
            warn_user(
                f"Unrelated activations cannot be kept in the 'memory' folder ({error}). This fit "
                "is complete without it; other fits will compute them again. Make space, or name a "
                "folder that can be written."
            )

    def _fill(
        self,
        folder: Path,
        few: list[torch.Tensor],
        compute: Callable[[list[int]], list[torch.Tensor]],
    ) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._decide(_bytes_of_one(few), folder.parent)
        if self.where == "live":
            return
        mapped = self.where == "mapped"
        how = "found"
        try:
            kept = load(folder, few, self._n_samples, mapped=mapped)
        except OSError as error:
            kept = None
            warn_user(
                f"Unrelated activations kept in {str(folder)!r} are damaged ({error}), and are "
                "computed anew."
            )
        if kept is None:
            how = "computed and kept"
            save(folder, few, self._n_samples, compute)
            kept = load(folder, few, self._n_samples, mapped=mapped)
        if kept is None:  # as another process may have removed them
            return
        self._kept = kept
        self._there[:] = True
        self._complete = True
        self.report(f"{how} in {folder}.")

    def complete(self, compute: Callable[[list[int]], list[torch.Tensor]]) -> None:
        """Compute all activations that are kept now, in the order of the samples.

        Parameters
        ----------
        compute : callable
            Returns the activations of the samples in a list.
        """
        for start in range(0, self._n_samples, ROWS_AT_ONCE):
            if self.where == "live":
                return
            index = list(range(start, min(start + ROWS_AT_ONCE, self._n_samples)))
            self.get(index, partial(compute, index))

    def close(self) -> None:
        """Forget everything, and remove the files that are of no use to anybody else."""
        self._kept = None
        self._there[:] = False
        self._complete = False
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _bytes_of_one(found: list[torch.Tensor]) -> int:
    return sum(x[0].numel() * x.element_size() for x in found)
