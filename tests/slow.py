"""Parameters of which the default run takes a few."""

import pytest


def all_but_slow(values, *fast):
    """Return the parameters of a test, those marked slow that are not among `fast`."""
    assert set(fast) <= set(values)
    return [v if v in fast else pytest.param(v, marks=pytest.mark.slow) for v in values]
