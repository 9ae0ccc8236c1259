"""Web sessions in Redis, found directly or through Sentinel, as INDIGO IAM keeps them where it is replicated."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from iam_loadtest.embedded.entity import token_hash
from iam_loadtest.embedded.sessions import SessionData, SessionStoreError
from iam_loadtest.errors import UserError

try:
    from redis.asyncio import Redis
    from redis.asyncio.sentinel import Sentinel
    from redis.exceptions import RedisError
except ImportError as missing:
    raise UserError(
        "--sessions: Redis needs its client; install it with: pip install 'iam-loadtest[redis]'"
    ) from missing

_TIMEOUT_S = 3.0
_SENTINEL_PORT = 26379
_SHOWN = "redis://host:port/0 or sentinel://host:port,host:port/service"


class RedisSessions:
    """Sessions as keys that expire by themselves."""

    def __init__(self, url: str, lifetime_s: int) -> None:
        self._redis = _client(url)
        self._lifetime_s = lifetime_s

    async def load(self, session_id: str) -> SessionData | None:
        try:
            stored = await self._redis.get(_key(session_id))
        except RedisError as error:
            raise SessionStoreError(error) from error
        if stored is None:
            return None
        data: SessionData = orjson.loads(stored)
        return data

    async def save(self, session_id: str, data: SessionData) -> None:
        try:
            await self._redis.set(_key(session_id), orjson.dumps(data), ex=self._lifetime_s)
        except RedisError as error:
            raise SessionStoreError(error) from error

    async def delete(self, session_id: str) -> None:
        try:
            await self._redis.delete(_key(session_id))
        except RedisError as error:
            raise SessionStoreError(error) from error

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._redis.ping()
        except (RedisError, TimeoutError) as error:
            raise SessionStoreError(error) from error

    async def close(self) -> None:
        await self._redis.aclose()


def _key(session_id: str) -> str:
    return f"iam-loadtest:session:{token_hash(session_id)}"


def _client(url: str) -> Any:
    if url.startswith("redis://"):
        try:
            return Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        except ValueError:
            raise UserError(f"--sessions: the URL cannot be read; write {_SHOWN}") from None  # it quotes the URL
    if url.startswith("sentinel://"):
        return _master(url)
    raise UserError(f"--sessions: must be {_SHOWN}")


def _master(url: str) -> Any:
    """The client asks the sentinels anew for the master whenever a connection is lost."""
    parts = urlsplit(url)
    service = parts.path.strip("/")
    userinfo, _, hosts = parts.netloc.rpartition("@")
    password = unquote(userinfo.partition(":")[2]) or None
    sentinels = [_host_and_port(host) for host in hosts.split(",") if host]
    if not service or not sentinels:
        raise UserError(f"--sessions: the URL names no {'sentinel' if service else 'service'}; write {_SHOWN}")
    watch = Sentinel(sentinels, socket_timeout=_TIMEOUT_S)  # type: ignore[no-untyped-call]  # as shipped
    return watch.master_for(service, password=password, socket_timeout=_TIMEOUT_S)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if port and not port.isdigit():
        raise UserError(f"--sessions: {text} is no address; write {_SHOWN}")
    return host, int(port) if port else _SENTINEL_PORT
