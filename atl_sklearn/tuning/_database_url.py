"""Addresses of databases, whose passwords are not to be seen."""

from __future__ import annotations

import re
from typing import TypeGuard, TypeVar
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_SECRET = re.compile("pass(wd|word|phrase)?$|secret$|token$", re.IGNORECASE)
_HIDDEN = "***"
_T = TypeVar("_T")


class DatabaseUrl(str):
    """The URL of a database, which is shown without its password.

    Examples
    --------
    >>> from atl_sklearn.tuning._database_url import DatabaseUrl
    >>> DatabaseUrl("postgresql://me:secret@host/name")
    'postgresql://me:***@host/name'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(shown_url(self))


def is_url(storage: object) -> TypeGuard[str]:
    """Tell whether a `storage` is the URL of a database."""
    return isinstance(storage, str) and "://" in storage


def as_url(storage: _T) -> _T | DatabaseUrl:
    """Return a `storage`, the URL of a database as one whose password is not shown."""
    if is_url(storage) and not isinstance(storage, DatabaseUrl):
        return DatabaseUrl(storage)
    return storage


def _parsed(url: str) -> URL | None:
    try:
        return make_url(str(url))
    except (ArgumentError, ValueError):
        return None


def _secrets(url: URL) -> dict[str, str | tuple[str, ...]]:
    """Return the passwords among the arguments behind the question mark."""
    return {name: value for name, value in url.query.items() if _SECRET.search(name)}


def shown_url(url: str) -> str:
    """Return a URL for people to read: with stars for passwords."""
    parsed = _parsed(url)
    if parsed is None:  # something is wrong with it, and it is to be told what
        head, _, query = str(url).partition("?")
        head = re.sub(r"://([^:/@]*):.*@", rf"://\1:{_HIDDEN}@", head)
        return f"{head}?{_HIDDEN}" if query else head
    hidden = parsed.update_query_dict(dict.fromkeys(_secrets(parsed), _HIDDEN))
    return hidden.render_as_string(hide_password=True)


def without_password(url: str) -> str:
    """Return a URL without its passwords, for what is kept.

    Examples
    --------
    >>> from atl_sklearn.tuning._database_url import without_password
    >>> without_password("postgresql://me:secret@host/name?password=other")
    'postgresql://me@host/name'
    """
    parsed = _parsed(url)
    if parsed is None:
        return shown_url(url)
    if parsed.password is None and not _secrets(parsed):
        return str(url)  # as it was written
    bare = URL.create(
        parsed.drivername,
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query=parsed.difference_update_query(list(_secrets(parsed))).query,
    )
    return bare.render_as_string(hide_password=False)


def without_secrets(text: str, url: str) -> str:
    """Return what a driver says of a URL, with stars for the passwords in it."""
    parsed = _parsed(url)
    if parsed is None:
        return text.replace(str(url), shown_url(url))
    for secret in (parsed.password, *_secrets(parsed).values()):
        for form in {str(secret), quote(str(secret), safe=""), quote_plus(str(secret))}:
            if secret:
                text = text.replace(form, _HIDDEN)
    return text
