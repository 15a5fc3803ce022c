"""What a trained network still knows."""

from atl_sklearn.inspection._extract_activations import extract_activations
from atl_sklearn.inspection._probe import probe_score

__all__ = ["extract_activations", "probe_score"]
