"""Audio in scikit-learn pipelines: reading, features and their scaling."""

from atl_sklearn.audio._bad_audio import BadAudioError
from atl_sklearn.audio._band_standardizer import BandStandardizer
from atl_sklearn.audio._features import get_feature, get_feature_names
from atl_sklearn.audio._librosa_features import LibrosaFeatures

__all__ = [
    "BadAudioError",
    "BandStandardizer",
    "LibrosaFeatures",
    "get_feature",
    "get_feature_names",
]
