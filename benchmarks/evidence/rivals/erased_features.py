"""Linear concept erasure of a trained network's features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn.inspection import extract_activations


class ErasedFeatures:
    """Linear concept erasure of a trained network's features, and a classifier on the rest.

    Parameters
    ----------
    net : fitted AntiTransferClassifier
        The plain network.
    layer : str
        Where its features are read.
    inverse_regularisation : float
        ``C`` of the logistic regression.

    References
    ----------
    .. [1] N. Belrose et al., "LEACE: perfect linear concept erasure in closed form",
       NeurIPS 2023.
    """

    def __init__(self, net: Any, layer: str, inverse_regularisation: float) -> None:
        self.net = net
        self.layer = layer
        self.inverse_regularisation = inverse_regularisation

    def fit(self, fold: Any) -> ErasedFeatures:
        """Fit the eraser on labelled clips, and the classifier on the training clips."""
        from concept_erasure import LeaceEraser

        features = torch.as_tensor(self._features(fold.unlabeled.X))
        labels = np.unique(fold.unlabeled.nuisance, return_inverse=True)[1]
        concept = torch.nn.functional.one_hot(torch.as_tensor(labels))
        self.eraser_ = LeaceEraser.fit(features.double(), concept.double())
        model = LogisticRegression(C=self.inverse_regularisation, max_iter=5000)
        self.classifier_ = make_pipeline(StandardScaler(), model)
        self.classifier_.fit(self.features(fold.train.X), fold.train.target)
        return self

    def _features(self, X: np.ndarray) -> np.ndarray:
        return extract_activations(self.net, X, layer=self.layer)

    def features(self, X: np.ndarray) -> np.ndarray:
        """Return the features without what tells of the nuisance linearly."""
        return self.eraser_(torch.as_tensor(self._features(X)).double()).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the classes."""
        return self.classifier_.predict(self.features(X))
