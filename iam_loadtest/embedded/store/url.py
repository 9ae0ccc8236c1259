"""Database URLs: what they say, with secrets taken from the environment so that they need not stand in argv."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from iam_loadtest.errors import UserError

_SHOWN: Final = "mysql://user:${PASSWORD}@host:port/name?pool=50&timeout=30&read=host:port&unix_socket=/path"
_KNOWN: Final = frozenset({"pool", "timeout", "read", "unix_socket"})
_PORT: Final = 3306
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a MariaDB listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class MariaDbUrl:
    """A parsed URL. ``read`` is the replica that statements outside transactions go to, None where there is none."""

    user: str
    password: str = field(repr=False)
    primary: Address
    database: str
    read: Address | None = None
    unix_socket: str | None = None
    pool_size: int | None = None
    timeout_s: float | None = None


def is_mariadb(database: str) -> bool:
    """Whether this names a MariaDB rather than a SQLite file."""
    return database.startswith(("mysql://", "mariadb://"))


def check_kind(database: str) -> None:
    """UserError where this is a URL of another kind: taken for a file, its name would be the URL, password included."""
    looks_like_a_url = "://" in database or ("@" in database and ":" in database)
    if looks_like_a_url and not is_mariadb(database):
        raise UserError(
            f"--database: a URL of this kind is not known; write {_SHOWN}, mariadb:// for the same,"
            " or the plain path of a SQLite file"
        )


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with each ``${NAME}`` replaced from the environment; UserError where it is not set."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            raise UserError(
                f"${{{name}}} is used in a URL but not set in the environment; export {name} before the start"
            )
        return environ[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)


def parse_mariadb_url(text: str) -> MariaDbUrl:
    """What the URL says; the UserError for a wrong one does not repeat it, because it may hold a password."""
    try:
        parts = urlsplit(text)
        primary = Address(parts.hostname or "127.0.0.1", parts.port or _PORT)
    except ValueError:
        raise UserError(f"--database: the URL cannot be read; it must look like {_SHOWN}") from None
    options = _options(parts)
    name = parts.path.strip("/")
    if not parts.username or not name:
        raise UserError(f"--database: the URL names no {'database' if parts.username else 'user'}; write {_SHOWN}")
    return MariaDbUrl(
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        primary=primary,
        database=name,
        read=_address(options["read"]) if "read" in options else None,
        unix_socket=options.get("unix_socket"),
        pool_size=_positive(options, "pool", int),
        timeout_s=_positive(options, "timeout", float),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query))
    unknown = sorted(set(options) - _KNOWN)
    if unknown:
        raise UserError(
            f"--database: the URL has the unknown option {unknown[0]!r}; known are {', '.join(sorted(_KNOWN))}"
        )
    return options


def _address(text: str) -> Address:
    host, _, port = text.partition(":")
    if not host or not (port or "0").isdigit():
        raise UserError(f"--database: read={text} is no address; write read=host:port")
    return Address(host, int(port) if port else _PORT)


def _positive(options: Mapping[str, str], name: str, kind: Callable[[str], N]) -> N | None:
    if name not in options:
        return None
    try:
        value = kind(options[name])
    except ValueError:
        value = kind("0")
    if value <= 0:
        raise UserError(f"--database: {name}={options[name]} must be a number above 0")
    return value
