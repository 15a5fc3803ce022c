"""Which augmented samples are as good as the originals: those with the unrelated side's answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.base import is_classifier, is_regressor

from atl_sklearn._pipelines import innermost
from atl_sklearn._validation import refuse
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._net import Net
from atl_sklearn.estimators._placement import autocast
from atl_sklearn.estimators._rehearsal import Rehearsal
from atl_sklearn.unrelated import Side, SideMaker


class SameAnswer:
    """Tells for which samples the unrelated side answers as it did before they were changed.

    Parameters
    ----------
    sides : sequence of Side
        Those that can be asked, their posteriors chosen; all of them have to answer the same.
    precision : str
        In which networks run.
    network : torch.nn.Module
        The network in training.
    device : torch.device or None
        Where they run.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        precision: str,
        network: torch.nn.Module,
        device: torch.device | None,
    ) -> None:
        self._sides = sides
        self._precision = precision
        self._network = network
        self._device = device
        # What was answered for samples that are the same in every epoch, by their positions.
        self._known: dict[tuple[bool, int], torch.Tensor] = {}

    def _answers(self, X: torch.Tensor, *, unlabeled: bool) -> torch.Tensor:
        with autocast(self._precision, self._device, self._network):
            found = [side(X, None, unlabeled=unlabeled)[0].flatten(1) for side in self._sides]
        chosen = [x.argmax(dim=1) if x.shape[1] > 1 else (x[:, 0] > 0.5).long() for x in found]
        return torch.stack([answer.to(X.device) for answer in chosen], dim=1)

    def _before(
        self, X: torch.Tensor, index: torch.Tensor | None, *, unlabeled: bool
    ) -> torch.Tensor:
        if index is None:
            return self._answers(X, unlabeled=unlabeled)
        keys = [(unlabeled, place) for place in index.tolist()]
        if not all(key in self._known for key in keys):
            self._known.update(zip(keys, self._answers(X, unlabeled=unlabeled), strict=True))
        return torch.stack([self._known[key] for key in keys])

    def __call__(
        self,
        X: torch.Tensor,
        clean: torch.Tensor,
        index: torch.Tensor | None,
        *,
        unlabeled: bool,
    ) -> torch.Tensor:
        """Return for each sample whether the answer stayed the same.

        Parameters
        ----------
        X, clean : Tensor of shape (n_samples, ...)
            Changed, and as they were.
        index : Tensor of shape (n_samples,) or None
            Positions of the samples, if they are the same in every epoch.
        unlabeled : bool
            Whether they are of the unlabeled data.
        """
        before = self._before(clean, index, unlabeled=unlabeled)
        return (self._answers(X, unlabeled=unlabeled) == before).all(dim=1)


def make_same_answer(
    net: Net, run: FitRun, maker: SideMaker, rehearsal: Rehearsal
) -> SameAnswer | None:
    """Return what tells which copies may be used; None where all may.

    Parameters
    ----------
    net : AntiTransferClassifier or AntiTransferRegressor
        Initialised.
    run : FitRun
        Its fit; the sources are fitted.
    maker : SideMaker
        Makes sides for it alone, of which other layers are chosen than of those compared.
    rehearsal : Rehearsal
        The training data, and their first samples.

    Raises
    ------
    ValueError
        If none of the sources can be asked about a changed sample.
    """
    if net.augment_keep == "all" or run.augmenting is None:
        return None
    parameters = list(net.module_.parameters())
    device = run.placement.device or parameters[0].device
    sides = maker.make(
        run.sources, device=device, dtype=run.placement.dtype, in_training=parameters
    )
    asked = []
    reasons = []
    for source, side in zip(run.sources, sides, strict=True):
        if side.needs_positions(unlabeled=False):
            reasons.append("what is known by the positions of samples says nothing of a copy")
            continue
        if is_regressor(innermost(source)) and not is_classifier(innermost(source)):
            reasons.append("a regressor's number never stays exactly the same")
            continue
        try:
            side.choose("posterior", rehearsal.tried, parameter="unrelated_layer")
        except ValueError as error:
            reasons.append(str(error).rstrip("."))
            continue
        asked.append(side)
    if not asked:
        must = "'all' where no unrelated classifier is given X itself"
        raise refuse(net, "augment_keep", must, f"Here {'; '.join(reasons)}.")
    return SameAnswer(asked, net.precision, net.module_, device)
