"""What anti-transfer is compared with, on public interfaces of skorch and scikit-learn."""

from benchmarks.evidence.rivals.erased_features import ErasedFeatures
from benchmarks.evidence.rivals.gradient_reversal import GradientReversal
from benchmarks.evidence.rivals.initialised_from import initialised_from

__all__ = ["ErasedFeatures", "GradientReversal", "initialised_from"]
