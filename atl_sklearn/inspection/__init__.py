"""What a trained network still knows, for whom it fails, and pictures of it."""

from atl_sklearn.inspection._confounding_report import ConfoundingReport, confounding_report
from atl_sklearn.inspection._displays._comparison import ComparisonDisplay, PairedDifference
from atl_sklearn.inspection._displays._confusion import GroupConfusionDisplay
from atl_sklearn.inspection._displays._embedding import EmbeddingDisplay
from atl_sklearn.inspection._displays._layer_similarity import LayerSimilarityDisplay
from atl_sklearn.inspection._displays._live import LiveTraining
from atl_sklearn.inspection._displays._probes import ProbeDisplay
from atl_sklearn.inspection._displays._spectrogram import SpectrogramDisplay
from atl_sklearn.inspection._displays._trade_off import TradeOffDisplay, TradeOffPoint
from atl_sklearn.inspection._displays._training import TrainingDisplay
from atl_sklearn.inspection._displays._windows import WindowsDisplay
from atl_sklearn.inspection._extract_activations import extract_activations
from atl_sklearn.inspection._fit_arguments import fit_arguments, needs_labels
from atl_sklearn.inspection._invariance_report import invariance_report
from atl_sklearn.inspection._labels import make_groups
from atl_sklearn.inspection._layer_study import layer_study
from atl_sklearn.inspection._measure import Measure
from atl_sklearn.inspection._probe import probe_score
from atl_sklearn.inspection._report import InvarianceReport
from atl_sklearn.inspection._study_result import LayerStudy, StudyPoint

__all__ = [
    "ComparisonDisplay",
    "ConfoundingReport",
    "EmbeddingDisplay",
    "GroupConfusionDisplay",
    "InvarianceReport",
    "LayerSimilarityDisplay",
    "LayerStudy",
    "LiveTraining",
    "Measure",
    "PairedDifference",
    "ProbeDisplay",
    "SpectrogramDisplay",
    "StudyPoint",
    "TradeOffDisplay",
    "TradeOffPoint",
    "TrainingDisplay",
    "WindowsDisplay",
    "confounding_report",
    "extract_activations",
    "invariance_report",
    "layer_study",
    "probe_score",
]

# What the other packages here take besides; nothing of it is promised to users.
_FOR_PACKAGES = (
    fit_arguments,
    make_groups,
    needs_labels,
)
