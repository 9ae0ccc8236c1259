"""The clients and users of upstream's test data, under the same names and with the same public passwords."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from iam_loadtest.embedded.entity import account_uuid, secret_hash
from iam_loadtest.embedded.settings import FIRST_USER, Settings
from iam_loadtest.embedded.store import DatabaseError, Parameters, Store, Transaction
from iam_loadtest.embedded.tokens import ensure_signing_key
from iam_loadtest.errors import UserError

SCHEMA_VERSION = "1"
"""Another one for each change of schema.sql: tables of this version are taken as they are."""
PASSWORD = "password"  # noqa: S105 - the public password of upstream's test users
SECRET = "secret"  # noqa: S105 - the public secret of upstream's test clients
HMAC_SECRET = "c8e9eed0-e6e4-4a66-b16e-6f37096356a7"  # noqa: S105 - public, from upstream's test data
PASSWORD_GRANT = "password"  # noqa: S105 - a grant type
REFRESH_GRANT = "refresh_token"
CODE_GRANT = "authorization_code"
CLIENT_GRANT = "client_credentials"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

_PROFILE = ("openid", "profile", "email", "offline_access")
_STORAGE = ("storage.read:/", "storage.write:/")
_TASKS = ("read-tasks", "write-tasks")
_LOCAL_CALLBACKS = (
    "http://localhost:4000/callback",
    "http://127.0.0.1:4000/callback",
    "http://localhost:9090/iam-test-client/openid_connect_login",  # upstream's own
)
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class SeedClient:
    """A client to be there from the start."""

    client_id: str
    auth_method: str
    grants: tuple[str, ...]
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()


CLIENTS = (
    SeedClient("client-cred", "basic", (CLIENT_GRANT, PASSWORD_GRANT), (*_PROFILE, *_TASKS, *_STORAGE, "wlcg.groups")),
    SeedClient(
        "token-exchange-subject", "post", (PASSWORD_GRANT, REFRESH_GRANT, CLIENT_GRANT), (*_PROFILE, *_TASKS, *_STORAGE)
    ),
    SeedClient(
        "token-exchange-actor",
        "post",
        (EXCHANGE_GRANT, CLIENT_GRANT, PASSWORD_GRANT, REFRESH_GRANT),
        (*_PROFILE, *_TASKS, *_STORAGE),
    ),
    SeedClient("password-grant", "basic", (PASSWORD_GRANT, REFRESH_GRANT), (*_PROFILE, *_STORAGE)),
    SeedClient("client", "basic", (CODE_GRANT, REFRESH_GRANT), (*_PROFILE, *_TASKS), _LOCAL_CALLBACKS),
    SeedClient("public-pkce-client", "none", (CODE_GRANT, REFRESH_GRANT), _PROFILE, _LOCAL_CALLBACKS),
    SeedClient("device-code-client", "basic", (DEVICE_GRANT, REFRESH_GRANT), _PROFILE),
    SeedClient("public-dc-client", "none", (DEVICE_GRANT,), _PROFILE),
    SeedClient("jwt-auth-private_key_jwt", "private_key_jwt", (CLIENT_GRANT, EXCHANGE_GRANT), (*_PROFILE, *_TASKS)),
    SeedClient("jwt-auth-client_secret_jwt", "client_secret_jwt", (CLIENT_GRANT,), (*_PROFILE, *_TASKS)),
)


async def prepare(store: Store, settings: Settings) -> None:
    """Make schema, signing key, clients and users where they are missing; safe beside others doing the same.

    Where all of it is there nothing but questions is asked: a frontend that starts beside others that serve must not
    disturb them, and each statement costs it a round trip to a database that may be far away.
    """
    if not await _has_this_version(store):
        await store.write(lambda: _create_schema(store))
        await store.write(_check_version)
    await ensure_signing_key(store, settings.algorithm)
    if not await store.write(lambda: _has_rows("client")):
        await store.write(_insert_clients)
    await _add_users(store, settings.users)


def username_of(number: int) -> str:
    """The name of the n-th user: the first is test_100, as upstream's."""
    return f"test_{FIRST_USER + number}"


def schema(store: Store) -> list[str]:
    """The statements that make the tables, in the store's dialect."""
    text = files("iam_loadtest.embedded").joinpath("schema.sql").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for word, meaning in store.schema_words.items():
        text = text.replace(word, meaning)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def demo_client_key() -> dict[str, str]:
    """The private key, as a JWK, of the seeded private_key_jwt client: public knowledge, good for this IAM only."""
    text = files("iam_loadtest.embedded").joinpath("demo_client_key.json").read_text(encoding="utf-8")
    key: dict[str, str] = json.loads(text)
    return key


async def _has_this_version(store: Store) -> bool:
    """Whether the tables are there as this program knows them: their version was written when all of them were."""
    try:
        return await store.write(_version) == SCHEMA_VERSION
    except DatabaseError as error:
        if error.number in DatabaseError.unreachable:
            raise
        return False  # an empty database has no table to ask; what else is wrong the statements that follow meet, too


def _create_schema(store: Store) -> Transaction[None]:
    for statement in schema(store):
        yield statement, ()


def _version() -> Transaction[str | None]:
    found = yield "SELECT value FROM meta WHERE name = 'schema_version'", ()
    return str(found.rows[0][0]) if found.rows else None


def _check_version() -> Transaction[None]:
    found = yield from _version()
    if found is None:
        yield "INSERT INTO meta (name, value) VALUES ('schema_version', ?)", (SCHEMA_VERSION,)
    elif found != SCHEMA_VERSION:
        raise UserError(
            f"--database: its tables have version {found}, this program needs {SCHEMA_VERSION}; use an empty database"
        )


def _has_rows(table: str) -> Transaction[bool]:
    found = yield f"SELECT 1 FROM {table} LIMIT 1", ()  # noqa: S608 - one of our tables
    return bool(found.rows)


def _insert_clients() -> Transaction[None]:
    found = yield "SELECT COUNT(*) FROM client", ()
    if found.rows[0][0]:
        return
    for number, client in enumerate(CLIENTS, start=1):
        yield (
            "INSERT INTO client (id, client_id, client_name, secret_hash, hmac_secret, jwks, auth_method,"
            " allow_introspection, require_pkce, active) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            _client_row(number, client),
        )
        yield "INSERT INTO client_last_used (client_id, last_used) VALUES (?, '1970-01-01')", (number,)
        for table, column, values in _collections(client):
            for value in values:
                yield f"INSERT INTO {table} (owner_id, {column}) VALUES (?, ?)", (number, value)  # noqa: S608 - our tables


def _client_row(number: int, client: SeedClient) -> Parameters:
    has_secret = client.auth_method in {"basic", "post"}
    public = client.auth_method == "none"
    return (
        number,
        client.client_id,
        client.client_id,
        secret_hash(client.client_id, SECRET) if has_secret else None,
        HMAC_SECRET if client.auth_method == "client_secret_jwt" else None,
        _public_jwks() if client.auth_method == "private_key_jwt" else None,
        client.auth_method,
        0 if public else 1,
        1 if public and CODE_GRANT in client.grants else 0,
    )


def _collections(client: SeedClient) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield "client_scope", "scope", client.scopes
    yield "client_grant_type", "grant_type", client.grants
    yield "client_redirect_uri", "redirect_uri", client.redirect_uris


def _public_jwks() -> str:
    private = demo_client_key()
    return json.dumps({"keys": [{name: private[name] for name in ("kty", "kid", "alg", "n", "e")}]})


async def _add_users(store: Store, count: int) -> None:
    """Users have fixed row numbers, so that of two frontends adding them at once the second finds them there."""
    have = await store.write(_count_users)
    for start in range(have, count, _BATCH):
        rows = [_user_row(number) for number in range(start, min(count, start + _BATCH))]
        await store.insert_many(
            "INSERT INTO account (id, uuid, username, password_hash, given_name, family_name, email, active)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


def _count_users() -> Transaction[int]:
    found = yield "SELECT COUNT(*) FROM account", ()
    count: int = found.rows[0][0]
    return count


def _user_row(number: int) -> Parameters:
    name, shown = username_of(number), FIRST_USER + number
    password = secret_hash(name, PASSWORD)
    return number + 1, account_uuid(name), name, password, f"Test-{shown}", "User", f"test-{shown}@test.example", 1
