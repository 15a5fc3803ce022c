"""The layers of one network, trained and not, and what probes read from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from atl_sklearn._pipelines import as_innermost_sees
from atl_sklearn.inspection._group_scores import Drawn
from atl_sklearn.inspection._labels import Groups
from atl_sklearn.inspection._probing import ProbeSettings, probe_features
from atl_sklearn.inspection._resampling import Resamples
from atl_sklearn.inspection._streaming import choose_all, read_activations, read_inputs, rows_of
from atl_sklearn.inspection._untrained import untrained_copy
from atl_sklearn.unrelated import as_tensors, freeze_network, get_network


class ProbedNetwork:
    """The network of one estimator, and the samples that are run through it."""

    def __init__(
        self,
        estimator: object,
        X: object,
        chosen: np.ndarray,
        layers: str | int | Sequence[str | int] | None,
        batch_size: int,
    ) -> None:
        self._given = estimator, X, chosen
        self._layers = layers
        self._batch_size = batch_size
        self._few = as_innermost_sees(estimator, rows_of(X, chosen[:2]))

    def read(self, network: torch.nn.Module | None = None) -> dict[str, np.ndarray]:
        """Return the activations by layer; of another network in its place, if one is given."""
        frozen = freeze_network(self._given[0], network)
        few = as_tensors(frozen.network, self._few)[:2]
        names = choose_all(frozen, few, self._layers)
        estimator, X, chosen = self._given
        found = read_activations((estimator,), frozen, X, chosen, batch_size=self._batch_size)
        return dict(zip(names, found, strict=True))

    def held_against(
        self, kept: Groups, probed: Resamples, settings: ProbeSettings, left_out: list[str]
    ) -> Drawn:
        """Return what probes read from the input, and from the network before training."""
        estimator, X, chosen = self._given
        inputs = read_inputs(estimator, X, chosen, batch_size=self._batch_size)
        scores = probe_features(inputs, kept, probed, settings)
        found: Drawn = {("raw input", "", how): values for how, values in scores.items()}
        untrained = untrained_copy(get_network(estimator), settings.seed)
        if untrained is None:
            left_out.append(
                "probes of the untrained network: a module of it has no reset_parameters"
            )
            return found
        for layer, features in self.read(untrained).items():
            scores = probe_features(features, kept, probed, settings)
            found |= {("untrained network", layer, how): v for how, v in scores.items()}
        return found
