"""The order of the examples on the page of the gallery: what a newcomer needs first."""

ORDER = (
    "plot_quickstart.py",
    "plot_recordings.py",
    "plot_confounded.py",
    "plot_explaining_away.py",
    "plot_pretrained_speaker.py",
    "plot_pretrained_pitch.py",
    "plot_grid_search.py",
    "plot_optuna.py",
    "plot_two_tasks.py",
    "plot_fairness.py",
    "plot_regression.py",
    "plot_layers.py",
    "plot_pytorch.py",
    "plot_saving.py",
    "plot_long_recordings.py",
    "plot_listening.py",
    "plot_dask.py",
)


def reading_order(filename):
    """Return what sphinx-gallery sorts by; whatever is not listed comes last, by name."""
    name = str(filename)
    return (ORDER.index(name), "") if name in ORDER else (len(ORDER), name)
