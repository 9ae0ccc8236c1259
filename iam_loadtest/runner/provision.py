"""Make and remove what a load test needs at an IAM: in bulk, and again where it was interrupted."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from iam_loadtest.errors import UserError
from iam_loadtest.runner.directory import Directory, ExistsError, Found, NewClient, NewUser

AT_ONCE: Final = 4
USER_COLUMNS: Final = ("username", "password")
CLIENT_COLUMNS: Final = ("client_id", "secret", "auth", "grants", "scope", "redirect_uris")
_BATCH: Final = 100
Thing = TypeVar("Thing")
Say = Callable[[str], None]


def make_users(directory: Directory, users: Sequence[NewUser], say: Say) -> int:
    """Make those that are not there yet; how many were made. Raises UserError where a name is somebody else's."""
    return _make("users", users, directory.marked_users(), lambda one: one.username, directory.make_user, say)


def make_clients(directory: Directory, clients: Sequence[NewClient], say: Say) -> int:
    """As :func:`make_users`."""
    return _make("clients", clients, directory.marked_clients(), lambda one: one.client_id, directory.make_client, say)


def clean(directory: Directory, say: Say) -> tuple[int, int]:
    """Remove every user and client that carries the marker; how many there were."""
    users, clients = directory.marked_users(), directory.marked_clients()
    for_all(users, directory.remove_user, lambda done: say(f"{done} of {len(users)} users removed"))
    for_all(clients, directory.remove_client, lambda done: say(f"{done} of {len(clients)} clients removed"))
    return len(users), len(clients)


def for_all(things: Iterable[Thing], do: Callable[[Thing], None], say: Callable[[int], None]) -> None:
    """Do it for each, a few at once; the first error ends it after what is under way."""
    left, done = iter(things), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(left, _BATCH)):
            for _ in pool.map(do, batch):
                done += 1
            say(done)


def wanted_users(path: Path, pattern: str, first: int, last: int) -> list[NewUser]:
    """The users of a file of an earlier call, else a numbered range with new passwords, which is written there first.

    That file is for its owner alone, and what a scenario's ``users.file`` takes.
    """
    if not path.exists():
        numbered = [
            {"username": pattern.replace("{n}", str(n)), "password": secrets.token_urlsafe(18)}
            for n in range(first, last + 1)
        ]
        write_private_csv(path, USER_COLUMNS, numbered)
    return [NewUser(row["username"], row["password"]) for row in read_csv(path, USER_COLUMNS)]


def users_of(wanted: Path, path: Path) -> list[NewUser]:
    """The users that a file names by ``username``, with new passwords where it has none, as in :func:`wanted_users`."""
    if not path.exists():
        rows = [
            {"username": row["username"], "password": row.get("password") or secrets.token_urlsafe(18)}
            for row in read_csv(wanted, ("username",))
        ]
        write_private_csv(path, USER_COLUMNS, rows)
    return [NewUser(row["username"], row["password"]) for row in read_csv(path, USER_COLUMNS)]


def clients_of(wanted: Path, path: Path) -> list[NewClient]:
    """The clients that a file names, with new secrets, which are written to ``path`` first."""
    if not path.exists():
        rows = [
            {**row, "secret": "" if row["auth"] == "none" else row.get("secret") or secrets.token_urlsafe(30)}
            for row in read_csv(wanted, ("client_id", "auth", "grants"))
        ]
        write_private_csv(path, CLIENT_COLUMNS, rows)
    return [
        NewClient(
            row["client_id"],
            row["auth"],
            tuple(row["grants"].split()),
            row["scope"],
            tuple(row["redirect_uris"].split()),
            row["secret"],
        )
        for row in read_csv(path, CLIENT_COLUMNS)
    ]


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a file that has at least these columns; raises UserError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: has no column {', '.join(missing)}; its first line must name the columns.")
            return [{name: value or "" for name, value in row.items() if name} for row in reader]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a CSV file.") from error
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: is not a CSV file in UTF-8; save it as one.") from None  # its text may hold passwords


def write_private_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """A new file that nobody but its owner may read; it is never written over."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; name another file.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _make(
    what: str,
    wanted: Sequence[Thing],
    there: Sequence[Found],
    name_of: Callable[[Thing], str],
    make: Callable[[Thing], None],
    say: Say,
) -> int:
    have = {one.name.casefold() for one in there}
    missing = [one for one in wanted if name_of(one).casefold() not in have]

    def make_one(one: Thing) -> None:
        try:
            make(one)
        except ExistsError as error:
            raise UserError(f"{name_of(one)!r} is there already without the marker; choose other names.") from error

    for_all(missing, make_one, lambda done: say(f"{done} of {len(missing)} {what} made"))
    return len(missing)
