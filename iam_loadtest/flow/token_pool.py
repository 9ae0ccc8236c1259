"""Refresh tokens that were issued beforehand: each is taken once, by whatever process, trial or run.

What was taken stands as hashes in a file beside the tokens, ``NAME.used``: a token that rotates is worth nothing once
it was used. Where the IAM does not rotate, remove that file to use the tokens again.
"""

from __future__ import annotations

import csv
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from iam_loadtest.errors import UserError

COLUMN: Final = "refresh_token"
USED_SUFFIX: Final = ".used"
_READABLE_BY_OTHERS: Final = 0o077


class TokensUsedUpError(UserError):
    """There is no token left that nobody used."""


class TokenPool:
    """The tokens of a file: one a line, or a CSV file with the column refresh_token.

    Raises UserError where the file cannot be used, or others may read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokens = tuple(dict.fromkeys(_tokens_of(path)))
        self._used: set[str] = set()
        self._next = 0
        self._read_to = 0

    def __repr__(self) -> str:
        return f"TokenPool({str(self._path)!r}, {len(self._tokens)} tokens)"

    def unused(self) -> int:
        """How many are left."""
        with self._ledger() as ledger:
            self._catch_up(ledger)
        return sum(_mark(token) not in self._used for token in self._tokens)

    def take(self) -> str:
        """A token that nobody took before; raises TokensUsedUpError."""
        with self._ledger() as ledger:
            self._catch_up(ledger)
            while self._next < len(self._tokens):
                token = self._tokens[self._next]
                self._next += 1
                mark = _mark(token)
                if mark not in self._used:
                    self._used.add(mark)
                    os.write(ledger.descriptor, f"{mark}\n".encode())
                    return token
        raise TokensUsedUpError(
            f"{self._path}: all {len(self._tokens)} tokens were used; add more, or remove {self._used_path.name} "
            "where the IAM does not rotate them."
        )

    @property
    def _used_path(self) -> Path:
        return self._path.with_name(self._path.name + USED_SUFFIX)

    def _ledger(self) -> _Ledger:
        return _Ledger(self._used_path)

    def _catch_up(self, ledger: _Ledger) -> None:
        """Read what others took meanwhile."""
        new = ledger.read_from(self._read_to)
        self._read_to += len(new)
        self._used.update(new.decode("ascii", "replace").split())


class _Ledger:
    """The file of used tokens, held for one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = -1

    def __enter__(self) -> _Ledger:
        try:
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(
                f"{self._path}: cannot be written: {error.strerror}; used tokens are noted there, so let it be."
            ) from error
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def read_from(self, offset: int) -> bytes:
        size = os.fstat(self.descriptor).st_size
        return os.pread(self.descriptor, max(size - offset, 0), offset)


def _mark(token: str) -> str:
    return sha256(token.encode()).hexdigest()[:32]


def _tokens_of(path: Path) -> Iterator[str]:
    lines = _lines_of(path)
    has_header = bool(lines) and COLUMN in lines[0].lower().split(",")
    tokens = list(_column_of(path, lines)) if has_header else lines
    if not tokens:
        raise UserError(f"{path}: holds no token; write one a line.")
    if any(set(token) & set(" \t,;\"'") for token in tokens):
        raise UserError(f"{path}: is neither one token a line nor a CSV file with the column {COLUMN}; save it as one.")
    yield from tokens


def _column_of(path: Path, lines: list[str]) -> Iterator[str]:
    try:
        for row in csv.DictReader([lines[0].lower(), *lines[1:]], strict=True):
            if row[COLUMN]:
                yield row[COLUMN]
    except csv.Error:
        raise UserError(f"{path}: is no CSV file; save it as one.") from None  # its text may hold tokens


def _lines_of(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            if os.fstat(file.fileno()).st_mode & _READABLE_BY_OTHERS:
                raise UserError(f"{path}: others than its owner may read it, and it holds tokens; chmod 600 it.")
            return [line.strip() for line in file if line.strip()]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a file of refresh tokens.") from error
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text in UTF-8; save it as one.") from None  # its text may hold tokens
