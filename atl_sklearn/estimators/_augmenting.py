"""The augmentation of one fit: training batches whose samples change in every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from atl_sklearn._validation import refuse
from atl_sklearn.estimators._augmentation import Functions, Transformers, split_steps, stream_of
from atl_sklearn.estimators._batch import Batch
from atl_sklearn.estimators._batching import makes_batches
from atl_sklearn.estimators._data import BatchedData
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._making import naming_parameter
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._placement import Placement
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.estimators._same_answer import SameAnswer

_CANNOT = "cannot be applied to the first samples of X"


class Transformed:
    """What transformers make of batches; it travels to the workers of a DataLoader.

    Parameters
    ----------
    transformers : Transformers
        Perhaps none.
    seed : int
        Of the fit.
    keeps_clean : bool
        Whether batches also hold the samples as they were.
    """

    def __init__(self, transformers: Transformers, seed: int, *, keeps_clean: bool) -> None:
        self._transformers = transformers
        self._seed = seed
        self._keeps_clean = keeps_clean
        # A tensor, which workers that outlive an epoch can share.
        self.epoch = torch.zeros((), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._transformers)

    def streams(
        self, positions: torch.Tensor | None, *, on_device: bool, unlabeled: bool
    ) -> list[np.random.Generator]:
        """Return the random numbers of each sample of a batch in the running epoch."""
        if positions is None:
            raise RuntimeError("A batch does not say which samples it has.")
        which, epoch = 2 * unlabeled + on_device, int(self.epoch)
        return [stream_of(self._seed, which, epoch, place) for place in positions.tolist()]

    def __call__(self, batch: Batch, *, unlabeled: bool = False) -> Batch:
        """Return a batch with its samples changed."""
        if not len(self):
            return batch
        assert isinstance(batch.X, torch.Tensor)
        rngs = self.streams(batch.positions, on_device=False, unlabeled=unlabeled)
        X = torch.from_numpy(self._transformers(batch.X.cpu().numpy(), rngs))
        return batch.augmented(X, batch.X if self._keeps_clean else None, batch.index)


class AugmentedData(torch.utils.data.Dataset):
    """Training data whose samples change in every epoch.

    Parameters
    ----------
    dataset : ArrayData, LabelledData or Subset
        The data.
    transformed : Transformed
        Changes batches.
    """

    def __init__(self, dataset: BatchedData, transformed: Transformed) -> None:
        self._dataset = dataset
        self._transformed = transformed

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> object:
        return self._dataset[index]

    def __getitems__(self, index: Sequence[int]) -> Batch:
        return self._transformed(self._dataset.__getitems__(index))


class Augmenting:
    """The augmentation of one fit.

    Parameters
    ----------
    transformed : Transformed
        What is done where batches are made.
    functions : Functions
        What is done where the network is.
    placement : Placement
        Where that is.
    live : bool
        Whether the unrelated side is given the samples as they were changed.
    """

    def __init__(
        self, transformed: Transformed, functions: Functions, placement: Placement, *, live: bool
    ) -> None:
        self._transformed = transformed
        self._functions = functions
        self._placement = placement
        self._live = live
        self._kept: list[float] = []
        self._n_seen = 0
        # Tells which copies may be used; None for all of them.
        self.same_answer: SameAnswer | None = None

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 0: all streams change."""
        self._transformed.epoch.fill_(max(epoch, 0))
        self._kept, self._n_seen = [], 0

    def over_epoch(self) -> float | None:
        """Return the share of copies that were used; None where all were."""
        return sum(self._kept) / self._n_seen if self._n_seen else None

    def data(self, dataset: BatchedData, *, n_workers: int) -> BatchedData:
        """Return training data of which the batches are changed where they are made.

        Parameters
        ----------
        dataset : ArrayData, LabelledData or Subset
            The data.
        n_workers : int
            How many processes make batches.
        """
        if not len(self._transformed):
            return dataset
        if n_workers:
            self._transformed.epoch.share_memory_()
        return AugmentedData(dataset, self._transformed)

    @torch.no_grad()
    def finished(self, batch: Batch, *, unlabeled: bool = False) -> Batch:
        """Return a batch after all changes that are made where the network is.

        Parameters
        ----------
        batch : Batch
            What transformers have changed already.
        unlabeled : bool, default=False
            Whether its samples are of the unlabeled data.
        """
        clean = batch.X if batch.clean is None else batch.clean
        X = self._placement.batch(batch.X)
        assert isinstance(X, torch.Tensor)
        if len(self._functions):
            rngs = self._transformed.streams(batch.positions, on_device=True, unlabeled=unlabeled)
            X = self._functions(X, rngs)
        if self.same_answer is not None:
            before = self._placement.batch(clean)
            assert isinstance(before, torch.Tensor)
            same = self.same_answer(X, before, batch.index, unlabeled=unlabeled)
            X = torch.where(same.reshape(-1, *[1] * (X.ndim - 1)), X, before)
            self._kept.append(float(same.sum()))
            self._n_seen += len(same)
        if self._live:
            return batch.augmented(X, None, None)
        return batch.augmented(X, clean, batch.index)

    def of_unlabeled(self, batch: Batch) -> Batch:
        """Return a batch of unlabeled samples, changed as those of the training data are."""
        return self.finished(self._transformed(batch, unlabeled=True), unlabeled=True)


def make_augmenting(net: Net, run: FitRun, rehearsal: Rehearsal) -> Augmenting | None:
    """Return the augmentation of a fit, tried on a few samples; None without one.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    run : FitRun
        Its fit.
    rehearsal : Rehearsal
        The training data, and their first samples.

    Raises
    ------
    ValueError
        If it cannot be applied to the data.
    """
    transformers, functions = split_steps(net.augment)
    if not transformers and not functions:
        return None
    tried = rehearsal.tried
    if isinstance(tried, Mapping):
        must = "None where X is a mapping"
        why = "It is applied to one array. Let a torch Dataset change the samples instead."
        raise refuse(net, "augment", must, why)
    if not makes_batches(rehearsal.data, net):
        must = "None where batches do not say which samples they have"
        why = (
            "Leave out 'dataset', 'iterator_train', its sampler and its collate_fn, or change the "
            "samples there."
        )
        raise refuse(net, "augment", must, why)
    device = run.placement.device or next(net.module_.parameters()).device
    keeps_clean = net.augment_keep == "same_answer" or not net.augment_unrelated
    with naming_parameter(net, "augment", _CANNOT):
        few = tried.cpu().numpy()
        found = Augmenting(
            Transformed(
                Transformers(transformers, few), net._stream().seed, keeps_clean=keeps_clean
            ),
            Functions(functions, device),
            run.placement,
            live=bool(net.augment_unrelated),
        )
        places = torch.arange(len(tried))
        found.finished(found._transformed(Batch(tried, None, index=places)))
    return found
