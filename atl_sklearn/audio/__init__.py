"""Audio in scikit-learn pipelines: reading, features and their scaling."""

from atl_sklearn.audio._background import AddBackground, RandomSpeed
from atl_sklearn.audio._bad_audio import BadAudioError, BadAudioWarning
from atl_sklearn.audio._clips import Segment
from atl_sklearn.audio._features import get_feature, get_feature_names
from atl_sklearn.audio._info import AudioInfo, audio_info
from atl_sklearn.audio._librosa_features import LibrosaFeatures
from atl_sklearn.audio._masking import TimeFrequencyMask
from atl_sklearn.audio._rooms import AddReverberation, RandomPitch
from atl_sklearn.audio._segment_aggregator import SegmentAggregator
from atl_sklearn.audio._segmenter import AudioSegmenter
from atl_sklearn.audio._sound_augmentation import AddNoise, RandomGain, RandomShift
from atl_sklearn.audio._standardizer import Standardizer
from atl_sklearn.audio._two_views import TwoViews
from atl_sklearn.audio._views import AudioViews
from atl_sklearn.audio._windows import RecordingWindows

__all__ = [
    "AddBackground",
    "AddNoise",
    "AddReverberation",
    "AudioInfo",
    "AudioSegmenter",
    "AudioViews",
    "BadAudioError",
    "BadAudioWarning",
    "LibrosaFeatures",
    "RandomGain",
    "RandomPitch",
    "RandomShift",
    "RandomSpeed",
    "RecordingWindows",
    "Segment",
    "SegmentAggregator",
    "Standardizer",
    "TimeFrequencyMask",
    "TwoViews",
    "audio_info",
    "get_feature",
    "get_feature_names",
]
