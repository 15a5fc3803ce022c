"""Digests of values that may contain each other, and themselves.

A value is taken apart into a label and smaller values. A value outside of cycles is digested at
once, after its parts. What is left is a graph with cycles (a class, its method, whose code names
the class). Its nodes are told apart by what can be reached from them in one step, in two, and so
on, until another step tells no more of them apart. So neither the order in which a graph is walked
nor where its nodes lie in memory counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

_SIZE = 20  # bytes of a digest


class Unidentifiable(TypeError):
    """Something cannot be told faithfully from others; the message says what and why."""


class Unordered(list):
    """Values whose order does not count."""


@dataclass
class Parts:
    """What a value is made of.

    Attributes
    ----------
    label : str
        What kind it is, and all of it that is text.
    values : dict or iterable
        Everything else. The names in a dict may be shown in errors, and their order does not count.
    """

    label: str
    values: Mapping[str, object] | Iterable[object] = ()


@dataclass(eq=False)
class _Node:
    label: bytes = b""
    children: list[bytes | _Node] = field(default_factory=list)
    ordered: bool = True


def digest_of(label: bytes, tokens: list[bytes], *, ordered: bool = True) -> bytes:
    """Return a digest of a label and tokens, which do not run into each other.

    Examples
    --------
    >>> from atl_sklearn._fingerprint._graph import digest_of
    >>> digest_of(b"", [b"ab", b"c"]) == digest_of(b"", [b"a", b"bc"])
    False
    """
    if not ordered:
        tokens = sorted(tokens)
    pieces = [label, *tokens]
    lengths = ",".join(str(len(piece)) for piece in pieces)
    return blake2b(b";".join([lengths.encode(), *pieces]), digest_size=_SIZE).digest()


def digest_value(value: object, take_apart: Callable[[object], bytes | Parts]) -> bytes:
    """Return the digest of a value.

    Parameters
    ----------
    value : object
        The value.
    take_apart : callable
        Returns the token of a value that has no parts, or its :class:`Parts`. Equal tokens mean
        equal values. Raises :class:`Unidentifiable`.

    Returns
    -------
    digest : bytes
        Of fixed length.

    Raises
    ------
    Unidentifiable
        If something in it cannot be identified.
    """
    walk = _Walk(take_apart)
    try:
        found = walk.visit(value)
    except RecursionError:
        raise Unidentifiable(f"{walk.where()}is nested too deeply.") from None
    if isinstance(found, bytes):
        return digest_of(b"value", [found])
    return _settle(found, walk.open)


class _Walk:
    def __init__(self, take_apart: Callable[[object], bytes | Parts]) -> None:
        self.open: list[_Node] = []  # nodes from which a cycle is reached
        self._take_apart = take_apart
        self._seen: dict[int, bytes | _Node] = {}
        self._alive: list[object] = []  # so that no other value gets the same id
        self._path: list[str] = []

    def where(self) -> str:
        return f"{' > '.join(self._path)}: " if self._path else ""

    def visit(self, value: object) -> bytes | _Node:
        known = self._seen.get(id(value))
        if known is not None:
            return known
        try:
            parts = self._take_apart(value)
        except Unidentifiable as error:
            if not self._path:
                raise
            message, self._path = f"{self.where()}{error}", []
            raise Unidentifiable(message) from error
        if isinstance(parts, bytes):
            return parts
        self._alive.append(value)
        node = self._seen[id(value)] = _Node(parts.label.encode("utf-8", "surrogatepass"))
        if isinstance(parts.values, Mapping):
            node.ordered = False
            node.children = [self._visit_named(name, x) for name, x in parts.values.items()]
        else:
            node.ordered = not isinstance(parts.values, Unordered)
            node.children = [self.visit(x) for x in parts.values]
        done = [child for child in node.children if isinstance(child, bytes)]
        if len(done) < len(node.children):
            self.open.append(node)
            return node
        found = self._seen[id(value)] = digest_of(node.label, done, ordered=node.ordered)
        return found

    def _visit_named(self, name: str, value: object) -> bytes | _Node:
        self._path.append(name)
        child = self.visit(value)
        self._path.pop()
        token = name.encode("utf-8", "surrogatepass")
        if isinstance(child, bytes):
            return digest_of(b"named", [token, child])
        node = _Node(b"named", [token, child])
        self.open.append(node)
        return node


def _settle(root: _Node, nodes: list[_Node]) -> bytes:
    """Return the digest of a node, by all nodes that reach a cycle."""
    known = {id(node): b"" for node in nodes}
    n_told_apart = 0
    while True:
        further = {
            id(node): digest_of(
                node.label,
                [x if isinstance(x, bytes) else known[id(x)] for x in node.children],
                ordered=node.ordered,
            )
            for node in nodes
        }
        n_before, n_told_apart = n_told_apart, len(set(further.values()))
        if n_before == n_told_apart:
            break
        known = further
    # Which kinds of nodes there are, and what each leads to, is all that there is to be known.
    steps = {known[id(node)] + further[id(node)] for node in nodes}
    return digest_of(b"graph", [known[id(root)], *sorted(steps)])
