"""Make and remove what a load test needs at an IAM: in bulk, and again where it was interrupted."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.runner.directory import Directory, ExistsError, Found, NewClient, NewUser, NotAllowedError

AT_ONCE: Final = 4
USER_COLUMNS: Final = ("username", "password")
CLIENT_COLUMNS: Final = ("client_id", "secret", "auth", "grants", "scope", "redirect_uris")
CLIENT_METHODS: Final = ("basic", "post", "none")
DEFAULT_PATTERN: Final = "loadtest_{n}"
FIRST_LINE: Final = 2
"""Of a file's rows, below the names of its columns."""
_BATCH: Final = 100
Thing = TypeVar("Thing")
Say = Callable[[str], None]


def make_users(directory: Directory, users: Sequence[NewUser], say: Say) -> int:
    """Make those that are not there yet; how many were made. Raises UserError where a name is somebody else's."""
    return _make("users", users, directory.marked_users(), lambda one: one.username, directory.make_user, say)


def make_clients(directory: Directory, clients: Sequence[NewClient], path: Path, say: Say) -> int:
    """As :func:`make_users`. A secret that the IAM chose itself replaces the one in the file at ``path``."""
    lock = Lock()

    def make(client: NewClient) -> None:
        secret = directory.make_client(client)
        if secret != client.secret:
            with lock:
                _replace_secret(path, client.client_id, secret)

    return _make("clients", clients, directory.marked_clients(), lambda one: one.client_id, make, say)


def remove(directory: Directory, users: Sequence[Found], clients: Sequence[Found], say: Say) -> None:
    """Remove these, and what was marked since they were looked for not."""
    for_all(users, directory.remove_user, lambda done: say(f"{done} of {len(users)} users removed"))
    for_all(clients, directory.remove_client, lambda done: say(f"{done} of {len(clients)} clients removed"))


def for_all(things: Iterable[Thing], do: Callable[[Thing], None], say: Callable[[int], None]) -> None:
    """Do it for each, a few at once; the first error ends it after what is under way."""
    left, done = iter(things), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(left, _BATCH)):
            for _ in pool.map(do, batch):
                done += 1
            say(done)


def wanted_users(path: Path, count: int, pattern: str | None = None) -> list[NewUser]:
    """Numbered users, with passwords of the file of an earlier call, else with new ones that are written there first.

    That file is for its owner alone, and what a scenario's ``users.file`` takes. Raises UserError where it holds other
    users than these.
    """
    named = [(pattern or DEFAULT_PATTERN).replace("{n}", str(n)) for n in range(1, count + 1)]
    if not path.exists():
        write_private_csv(path, USER_COLUMNS, ({"username": name, "password": _new_password()} for name in named))
    users = _users_in(path)
    if len(users) != count:
        raise UserError(
            f"{path}: is of an earlier call with --count {len(users)}, not {count}; name another --users-file, "
            "or go on with that count."
        )
    if pattern is not None:
        _require_same(path, "--pattern", [one.username for one in users], named)
    return users


def users_of(wanted: Path, path: Path) -> list[NewUser]:
    """The users that a file names by ``username``, with new passwords where it has none, as in :func:`wanted_users`."""
    rows = read_csv(wanted, ("username",))
    names = _names_in(wanted, rows, "username")
    if not path.exists():
        filled = [{"username": row["username"], "password": row.get("password") or _new_password()} for row in rows]
        write_private_csv(path, USER_COLUMNS, filled)
    users = _users_in(path)
    _require_same(path, str(wanted), [one.username for one in users], names)
    return users


def clients_of(wanted: Path, path: Path) -> list[NewClient]:
    """The clients that a file names, with new secrets, which are written to ``path`` first."""
    rows = read_csv(wanted, ("client_id", "auth", "grants"))
    names = _names_in(wanted, rows, "client_id")
    for line, row in enumerate(rows, FIRST_LINE):
        _require_usable(f"{wanted}: line {line}", row)
    if not path.exists():
        write_private_csv(path, CLIENT_COLUMNS, [{**row, "secret": _secret_of(row)} for row in rows])
    made = read_csv(path, CLIENT_COLUMNS)
    _require_same(path, str(wanted), _names_in(path, made, "client_id"), names)
    return [
        NewClient(
            row["client_id"],
            row["auth"],
            tuple(row["grants"].split()),
            row["scope"],
            tuple(row["redirect_uris"].split()),
            row["secret"],
        )
        for row in made
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


def _replace_secret(path: Path, client_id: str, secret: str) -> None:
    """Write the file anew beside itself and move it there, so that it is whole at any time."""
    rows = [
        {**row, "secret": secret} if row["client_id"] == client_id else row for row in read_csv(path, CLIENT_COLUMNS)
    ]
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    write_private_csv(unfinished, CLIENT_COLUMNS, rows)
    unfinished.replace(path)


def _users_in(path: Path) -> list[NewUser]:
    rows = read_csv(path, USER_COLUMNS)
    _names_in(path, rows, "username")
    return [NewUser(row["username"], row["password"]) for row in rows]


def _names_in(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> list[str]:
    """The names in a column; raises UserError where one is missing or comes twice."""
    lines: dict[str, int] = {}
    for line, row in enumerate(rows, FIRST_LINE):
        name = row[column]
        if not name:
            raise UserError(f"{path}: line {line} has no {column}; give one.")
        if name in lines:
            raise UserError(f"{path}: line {line} names {name!r}, as line {lines[name]} does; remove one of them.")
        lines[name] = line
    return list(lines)


def _require_same(path: Path, asked_by: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    if set(found) != set(wanted):
        raise UserError(f"{path}: is of an earlier call and holds other names than {asked_by} says; name another file.")


def _require_usable(where: str, row: Mapping[str, str]) -> None:
    """Raise UserError where a client could be made and would be of no use."""
    if row["auth"] not in CLIENT_METHODS:
        raise UserError(f"{where}: auth is {row['auth']!r}; it must be one of {', '.join(CLIENT_METHODS)}.")
    unknown = [name for name in row["grants"].split() if name not in set(Grant)]
    if unknown or not row["grants"].split():
        found = f"holds {unknown[0]!r}" if unknown else "is empty"
        raise UserError(f"{where}: grants {found}; they must be of {', '.join(Grant)}, separated by blanks.")
    if Grant.AUTHORIZATION_CODE in row["grants"].split() and not row.get("redirect_uris"):
        raise UserError(f"{where}: grants holds authorization_code, and redirect_uris is empty; give one.")


def _secret_of(row: Mapping[str, str]) -> str:
    return "" if row["auth"] == "none" else row.get("secret") or secrets.token_urlsafe(30)


def _new_password() -> str:
    """Random, with a letter of each case, a digit and a sign, since an IAM may ask for them."""
    return f"{secrets.token_urlsafe(18)}-aA1"


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
        except NotAllowedError:
            raise
        except UserError as error:
            raise UserError(f"{name_of(one)!r}: {error}") from error

    for_all(missing, make_one, lambda done: say(f"{done} of {len(missing)} {what} made"))
    return len(missing)
