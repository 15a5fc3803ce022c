"""Ranges of gains over protocols of one kind, for the text to quote."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.rows import Row, by_name

_SPEECH = ("fsdd-80", "fsdd-90", "fsdd-96", "fsdd-96-same-clips", "fsdd-100")
_IMAGES = ("digits-background", "digits-rotation")
_COLOURED = tuple(f"coloured-mnist-{share}" for share in ("0.5", "1", "2", "5"))
_FEW = ("fsdd-60", "fsdd-120", "fsdd-300")
_NOISE = ("fsdd-120-snr20", "fsdd-120-snr10", "fsdd-120-snr0")
_NEW = ("fsdd-new-speaker", "arabic-new-speaker")
_WORDS = ("arabic-90", "arabic-96")
FAMILIES = {
    "speech": _SPEECH,
    "notes": ("notes-96",),
    "images": _IMAGES,
    "speech, notes and images": (*_SPEECH, "notes-96", *_IMAGES),
    "coloured MNIST": _COLOURED,
    "Biased MNIST": tuple(f"biased-mnist-{rho}" for rho in (999, 997, 995, 990)),
    # A nuisance gives the target away, and a plain network learns something else too.
    "confounded": (*_SPEECH, "notes-96", *_IMAGES, *_COLOURED),
    "few clips": _FEW,
    "noise": _NOISE,
    "new speakers": _NEW,
    "Arabic words": _WORDS,
    "little to avoid": (*_FEW, *_NOISE, *_NEW, *_WORDS, "table", "adult"),
}
_METHODS = ("default", "default-train", "reversal-labels")


def _range(gains: Sequence[float]) -> str:
    low, high = (round(bound(gains)) for bound in (min, max))
    return f"{low}" if low == high else f"{low} to {high}"


def ranges(rows: Sequence[Row]) -> str:
    """Return the smallest and largest gain over the protocols of each family, by name.

    Parameters
    ----------
    rows : sequence of Row
        Those to name. A family counts where a method has all of its protocols.

    Returns
    -------
    definitions : str
        Of substitutions of reStructuredText, such as ``|range: default, speech|``: whole points
        over the plain network, untuned, as ``6 to 34``.
    """
    found = by_name(rows)
    lines = []
    for method in _METHODS:
        for family, protocols in FAMILIES.items():
            of_family = [found.get((protocol, method, "untuned")) for protocol in protocols]
            gains = [row.gain for row in of_family if row is not None]
            if len(gains) == len(protocols):
                lines.append(f".. |range: {method}, {family}| replace:: {_range(gains)}")
    return "\n".join(lines) + "\n"
