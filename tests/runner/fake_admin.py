"""Admin APIs of INDIGO IAM and Keycloak, as far as users and clients go, in a process of the test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import count
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.runner.servers import DISCOVERY, Answer, Server, document, serving, text

TOKEN = "admin-token-hunter2"
OLD_USER = {"id": "old", "username": "loadtest_7", "userName": "loadtest_7", "lastName": "Person"}
Body = dict[str, Any]


class FakeAdmin(dict[str, Answer]):
    """Routes of one product. ``users`` and ``clients`` are what it holds; after ``refuses_after`` calls it refuses."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.users: dict[str, Body] = {}
        self.clients: dict[str, Body] = {}
        self.calls = 0
        self.refuses_after: int | None = None
        self.refusal = 401
        self.last_body: Body = {}
        self._ids = count(1)
        self._lock = Lock()

    def get(self, path: str, default: Any = None) -> Any:
        """The answer to any path below the admin API; discovery and unknown ones as they are set."""
        return super().get(path) or self._route

    def _route(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.calls += 1
            if request.headers["Authorization"] != f"Bearer {TOKEN}":
                return document({"error": "HTTP 401 Unauthorized"}, 401)(request)
            if self.refuses_after is not None and self.calls > self.refuses_after:
                return document({"error": "expired"}, self.refusal)(request)
            return self._answer(request)(request)

    def _answer(self, request: BaseHTTPRequestHandler) -> Answer:
        raw = vars(request)["content"]
        body: Body = json.loads(raw) if raw else {}
        self.last_body = body or self.last_body
        split = urlsplit(request.path)
        for pattern, things, name in self.places():
            if found := re.fullmatch(pattern + "(/.+)?", split.path):
                key = unquote((found[1] or "")[1:])
                if request.command == "DELETE":
                    return text(204, "") if things.pop(key, None) else text(404, "no")
                if request.command == "POST":
                    return self._add(things, body, name)
                return document(self.page(list(things.values()), parse_qs(split.query)))
        return text(404, "no such path")

    def _add(self, things: dict[str, Body], body: Body, name: str) -> Answer:
        if any(one.get(name) == body[name] for one in things.values()):
            return self.taken(name)
        key = self.key_of(body, name)
        things[key] = {**body, "id": key}
        return document(things[key], 201)

    def taken(self, name: str) -> Answer:
        return document({"errorMessage": f"{name} exists"}, 409)

    def key_of(self, body: Body, name: str) -> str:
        return f"id-{next(self._ids)}"

    def places(self) -> list[tuple[str, dict[str, Body], str]]:
        raise NotImplementedError

    def page(self, things: list[Body], query: dict[str, list[str]]) -> object:
        raise NotImplementedError


class FakeKeycloak(FakeAdmin):
    """The realm ``one``."""

    def places(self) -> list[tuple[str, dict[str, Body], str]]:
        base = "/admin/realms/one"
        return [(f"{base}/users", self.users, "username"), (f"{base}/clients", self.clients, "clientId")]

    def page(self, things: list[Body], query: dict[str, list[str]]) -> object:
        first, size = int(query["first"][0]), int(query["max"][0])
        wanted = query.get("lastName")
        kept = [one for one in things if wanted is None or one.get("lastName") == wanted[0]]
        return kept[first : first + size]


class FakeIndigo(FakeAdmin):
    """SCIM and the client management API of a version that chooses the secrets of clients itself."""

    def _add(self, things: dict[str, Body], body: Body, name: str) -> Answer:
        chosen = {"client_secret": f"chosen-{len(things)}"} if "client_secret" in body else {}
        return super()._add(things, {**body, **chosen}, name)

    def taken(self, name: str) -> Answer:
        if name != "client_id":
            return super().taken(name)
        return document({"error": "saveNewClient.client.clientId: Client id not available"}, 400)

    def places(self) -> list[tuple[str, dict[str, Body], str]]:
        return [("/scim/Users", self.users, "userName"), ("/iam/api/clients", self.clients, "client_id")]

    def page(self, things: list[Body], query: dict[str, list[str]]) -> object:
        start, size = int(query["startIndex"][0]), int(query["count"][0])
        return {"totalResults": len(things), "Resources": things[start - 1 : start - 1 + size]}

    def key_of(self, body: Body, name: str) -> str:
        return str(body[name]) if name == "client_id" else super().key_of(body, name)


@contextmanager
def fake_keycloak() -> Iterator[tuple[FakeAdmin, str]]:
    """A running one and the issuer of its realm, which holds a user that nobody made for a load test."""
    with serving() as server:
        issuer = f"{server.url}realms/one"
        fake = FakeKeycloak(server)
        there = {"issuer": issuer, "token_endpoint": f"{issuer}/protocol/openid-connect/token"}
        fake["/realms/one" + DISCOVERY] = document(there)
        fake.users["old"] = dict(OLD_USER)
        server.answers = fake
        yield fake, issuer


@contextmanager
def fake_indigo() -> Iterator[tuple[FakeAdmin, str]]:
    """As :func:`fake_keycloak`."""
    with serving() as server:
        fake = FakeIndigo(server)
        more = {"device_authorization_endpoint": f"{server.url}devicecode"}
        fake[DISCOVERY] = document(server.discovery(**more))
        fake["/jwk"] = document({"keys": []})
        fake.users["old"] = {**OLD_USER, "name": {"familyName": "Person"}}
        server.answers = fake
        yield fake, server.url
