"""What stands for a fitted unrelated network in an estimator that was loaded without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LeftBehind:
    """A fitted network that did not travel with an estimator; prediction does not need it.

    Attributes
    ----------
    what : str
        The class of the network.
    """

    what: str

    def __repr__(self) -> str:
        return f"<{self.what}, which did not travel with the file>"

    def error(self, parameter: str) -> ValueError:
        """Return the error of a fit that needs the network."""
        return ValueError(
            f"The {parameter!r} parameter was a fitted {self.what}, which did not travel with the "
            "file that this estimator was loaded from. Set it again, "
            "set_params(unrelated=...), or None for a plain network; or save with "
            "include_unrelated=True."
        )
