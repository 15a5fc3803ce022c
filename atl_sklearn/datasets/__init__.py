"""Data with two labels, a target and a nuisance, and audio files of your own."""

from atl_sklearn.datasets._data_home import get_data_home
from atl_sklearn.datasets._fsdd import fetch_fsdd
from atl_sklearn.datasets._load_audio_files import load_audio_files
from atl_sklearn.datasets._make_notes import make_notes

__all__ = ["fetch_fsdd", "get_data_home", "load_audio_files", "make_notes"]
