"""Data with two labels, a target and a nuisance, and audio files of your own."""

from atl_sklearn.datasets._adult import fetch_adult
from atl_sklearn.datasets._arabic_speech_commands import fetch_arabic_speech_commands
from atl_sklearn.datasets._color_digits import color_digits
from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._fsdd import fetch_fsdd
from atl_sklearn.datasets._load_audio_files import load_audio_files
from atl_sklearn.datasets._load_audio_table import load_audio_table
from atl_sklearn.datasets._make_notes import make_notes
from atl_sklearn.datasets._mnist import fetch_mnist

__all__ = [
    "color_digits",
    "fetch_adult",
    "fetch_arabic_speech_commands",
    "fetch_fsdd",
    "fetch_mnist",
    "get_data_home",
    "load_audio_files",
    "load_audio_table",
    "make_notes",
]
