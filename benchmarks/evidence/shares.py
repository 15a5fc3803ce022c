"""What the default's rule reads of training data, before training.

    python -m benchmarks.evidence.shares

Fits the unrelated network of the first fold of each protocol, and writes the share of the target's
information that its answers explain, and how many samples of a class they speak against, to
``docs/evidence/shares.json``. The report shows them beside what the rule chooses among.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from atl_sklearn.estimators import explain
from benchmarks.evidence.forms import PROTOCOLS_OF_RULE
from benchmarks.evidence.method import fit_unrelated
from benchmarks.evidence.protocols import PROTOCOLS

Shares = dict[str, dict[str, float]]  # by protocol: "share" and "against"


def read_shares(path: Path) -> Shares:
    """Return what is in a file; nothing if there is none."""
    found: Shares = json.loads(path.read_text()) if path.exists() else {}
    return found


def share_of(protocol: str, index: int = 0) -> dict[str, float]:
    """Return what the rule reads of a fold.

    Parameters
    ----------
    protocol : str
        Its name.
    index : int, default=0
        Of the fold.

    Returns
    -------
    found : dict
        ``share``, of the target's information that the unrelated network's answers explain in
        left-out samples, and ``against``, the samples of a class that they speak against.
    """
    fold = PROTOCOLS[protocol][0](index)
    answers = fit_unrelated(fold, index).predict_proba(fold.train.X)
    classes, target = np.unique(fold.train.target, return_inverse=True)
    found = explain(answers, target, n_classes=len(classes))
    return {"share": found.share, "against": found.n_contradicting}


def write_shares(path: Path, protocols: Sequence[str]) -> None:
    """Write what the rule reads of protocols to a file, which keeps what it has of others."""
    found = read_shares(path)
    for protocol in protocols:
        found[protocol] = share_of(protocol)
        print(protocol, found[protocol], flush=True)
        path.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence.shares")
    choices = list(PROTOCOLS)
    parser.add_argument("--protocols", nargs="+", choices=choices, default=PROTOCOLS_OF_RULE)
    folder = Path(__file__).parents[2] / "docs" / "evidence"
    parser.add_argument("--file", type=Path, default=folder / "shares.json")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as the runs have it
    write_shares(options.file, options.protocols)


if __name__ == "__main__":
    main()
