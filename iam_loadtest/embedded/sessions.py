"""Web sessions of the login page: in the database, or in Redis, so that any frontend can go on where another began."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from iam_loadtest.embedded.entity import token_hash
from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import Store, Transaction
from iam_loadtest.embedded.tokens import now_s

SessionData = dict[str, Any]


class SessionStoreError(Exception):
    """The session store could not be reached or refused; only the kind is told, a text might hold part of the URL."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The session store does not answer: {type(error).__name__}")


class Sessions(Protocol):
    """Session data by session id; what is stored is found under the id's hash only."""

    async def load(self, session_id: str) -> SessionData | None:
        """The data, or None where the session is unknown or expired."""
        ...

    async def save(self, session_id: str, data: SessionData) -> None:
        """Store the data and start the session's lifetime anew."""
        ...

    async def delete(self, session_id: str) -> None:
        """Forget the session."""
        ...

    async def ping(self) -> None:
        """Ask a store of our own for an answer; SessionStoreError where it gives none."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class DatabaseSessions:
    """Sessions in a table beside the tokens."""

    def __init__(self, store: Store, lifetime_s: int) -> None:
        self._store = store
        self._lifetime_s = lifetime_s

    async def load(self, session_id: str) -> SessionData | None:
        found = await self._store.read(lambda: _select(session_id))
        if found is None or found[0] < now_s():
            return None
        data: SessionData = orjson.loads(found[1])
        return data

    async def save(self, session_id: str, data: SessionData) -> None:
        await self._store.write(lambda: _replace(session_id, now_s() + self._lifetime_s, orjson.dumps(data).decode()))

    async def delete(self, session_id: str) -> None:
        await self._store.write(lambda: _delete(session_id))

    async def ping(self) -> None:
        """Nothing of our own to ask: the database is asked for itself."""

    async def close(self) -> None:
        """Nothing of our own to give back."""


async def open_sessions(settings: Settings, store: Store) -> Sessions:
    """Sessions where the settings want them: ``redis://``, ``sentinel://``, or the database."""
    if settings.sessions:
        from iam_loadtest.embedded.redis_sessions import RedisSessions  # noqa: PLC0415 - an optional dependency

        return RedisSessions(settings.sessions, settings.session_lifetime_s)
    return DatabaseSessions(store, settings.session_lifetime_s)


def _select(session_id: str) -> Transaction[tuple[int, str] | None]:
    found = yield "SELECT expiration, data FROM web_session WHERE session_hash = ?", (token_hash(session_id),)
    return (found.rows[0][0], found.rows[0][1]) if found.rows else None


def _replace(session_id: str, expiration: int, data: str) -> Transaction[None]:
    yield (
        "REPLACE INTO web_session (session_hash, expiration, data) VALUES (?, ?, ?)",
        (token_hash(session_id), expiration, data),
    )


def _delete(session_id: str) -> Transaction[None]:
    yield "DELETE FROM web_session WHERE session_hash = ?", (token_hash(session_id),)
