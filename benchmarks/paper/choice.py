"""Which pairs can be run: those of sets that are there and can be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.paper.pairs import PAIRS, Corpora


@dataclass(frozen=True)
class Choice:
    """What is run, and why the rest is not.

    Attributes
    ----------
    pairs : list of str
        What is run.
    skipped : dict of str to str
        The other pairs that were asked for, each with what they lack.
    unused : dict of str to str
        The sets that were found and that no pair uses, each with the reason.
    """

    pairs: list[str]
    skipped: dict[str, str]
    unused: dict[str, str]


def choose(
    corpora: Corpora, found: Collection[str] = (), named: Sequence[str] | None = None
) -> Choice:
    """Return which pairs are run; the sets that they need are read.

    Parameters
    ----------
    corpora : dict of str to callable
        What reads the sets, by name.
    found : collection of str, default=()
        The sets among them that a user has.
    named : sequence of str or None, default=None
        The pairs that are asked for. None for all that need one of the sets in `found`; without
        any, for all whose sets are among `corpora`.
    """
    asked = list(named or (name for name in PAIRS if _is_asked(name, corpora, found)))
    problems = {name: _problem(name, corpora) for name in asked}
    pairs = [name for name in asked if not problems[name]]
    skipped = {name: problem for name, problem in problems.items() if problem}
    used = {one for name in pairs for one in PAIRS[name].sets}
    unused = {}
    for one in found:
        if one not in used:
            needing = [name for name in skipped if one in PAIRS[name].sets]
            unused[one] = (
                f"{' and '.join(needing)} cannot be run" if needing else "no pair of --pairs has it"
            )
    return Choice(pairs, skipped, unused)


def _is_asked(name: str, corpora: Corpora, found: Collection[str]) -> bool:
    sets = set(PAIRS[name].sets)
    return bool(sets.intersection(found)) if found else sets <= corpora.keys()


def _problem(name: str, corpora: Corpora) -> str:
    """Return what a pair lacks; "" if it can be run."""
    pair = PAIRS[name]
    for one in pair.sets:
        if one not in corpora:
            return f"{one} was not found"
        try:
            corpora[one]()
        except (OSError, ValueError) as error:
            return f"{one} cannot be read: {error}"
    try:
        return pair.lacks(corpora)
    except KeyError as error:
        return f"its recordings have no label {error}"
