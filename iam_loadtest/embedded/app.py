"""The frontend's routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from iam_loadtest.embedded.browser import authorize, consent, login, login_page
from iam_loadtest.embedded.client_auth import credentials_of
from iam_loadtest.embedded.context import ClientRequest, Iam
from iam_loadtest.embedded.device import device_approve, device_authorization, device_page, device_verify
from iam_loadtest.embedded.discovery import discovery_document
from iam_loadtest.embedded.introspection import introspect, revoke, userinfo
from iam_loadtest.embedded.metrics import Board, Part
from iam_loadtest.embedded.problem import BEARER_UNKNOWN, SERVER_ERROR, OAuthError
from iam_loadtest.embedded.sessions import SessionStoreError
from iam_loadtest.embedded.store import DatabaseError
from iam_loadtest.embedded.token_endpoint import TokenEndpoint
from iam_loadtest.embedded.wire import database_refusal, error_response, json_response, read_form

Endpoint = Callable[[Request], Awaitable[Response]]
STAND_IN = "iam_loadtest built-in IAM: a stand-in for tests, not for real identities"


def build_app(iam: Iam, board: Board, part: Part) -> ASGIApp:
    """All endpoints of one frontend: POST /token by itself, Starlette for the rest."""
    token = TokenEndpoint(iam, part)
    others = _routes(iam, board, part, token)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = token if scope["path"] == "/token" and scope["method"] == "POST" else others
        await chosen(scope, receive, send)

    return app


def _routes(iam: Iam, board: Board, part: Part, token: TokenEndpoint) -> Starlette:
    return Starlette(
        routes=[
            Route("/token", token, methods=["POST"]),
            Route("/introspect", _guarded(iam, part, _introspect(iam)), methods=["POST"]),
            Route("/revoke", _guarded(iam, part, _revoke(iam)), methods=["POST"]),
            Route("/userinfo", _guarded(iam, part, _userinfo(iam)), methods=["GET", "POST"]),
            Route("/jwk", _constant(iam.signer.jwks)),
            Route("/.well-known/openid-configuration", _constant(orjson.dumps(discovery_document(iam)))),
            Route("/devicecode", _guarded(iam, part, _device_authorization(iam)), methods=["POST"]),
            *_pages(iam, part),
            Route("/health", _health(iam)),
            Route("/metrics", _metrics(board)),
            Route("/", _front_page),
        ]
    )


def _pages(iam: Iam, part: Part) -> list[Route]:
    """What a browser sees."""

    def route(path: str, method: str, handler: Callable[[Iam, Request], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await handler(iam, request)

        return Route(path, _guarded(iam, part, endpoint), methods=[method])

    return [
        route("/login", "GET", login_page),
        route("/login", "POST", login),
        route("/authorize", "GET", authorize),
        route("/authorize", "POST", consent),
        route("/device", "GET", device_page),
        route("/device/verify", "POST", device_verify),
        route("/device/approve", "POST", device_approve),
    ]


async def is_healthy(iam: Iam) -> bool:
    """Whether the database and the session store answer."""
    try:
        await iam.store.ping()
        await iam.sessions.ping()
    except (DatabaseError, SessionStoreError):
        return False
    return True


def _guarded(iam: Iam, part: Part, endpoint: Endpoint) -> Endpoint:
    """The endpoint, its refusals and the errors of its stores turned into answers."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OAuthError as error:
            return error_response(iam, error)
        except DatabaseError as error:
            part.count_database_error(error.number)
            return error_response(iam, database_refusal(error, client_loaded=True))
        except SessionStoreError as error:
            return error_response(iam, OAuthError(SERVER_ERROR, str(error)))

    return guarded


async def _client_request(request: Request) -> ClientRequest:
    fields, audience = await read_form(request.receive)
    return ClientRequest(fields, audience, credentials_of(request.headers.get("authorization", ""), fields))


def _introspect(iam: Iam) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return json_response(await introspect(iam, await _client_request(request)))

    return endpoint


def _device_authorization(iam: Iam) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return json_response(await device_authorization(iam, await _client_request(request)))

    return endpoint


def _revoke(iam: Iam) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        await revoke(iam, await _client_request(request))
        return Response(status_code=200)

    return endpoint


def _userinfo(iam: Iam) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise OAuthError(BEARER_UNKNOWN, "Full authentication is required to access this resource")
        return json_response(await userinfo(iam, value))

    return endpoint


def _constant(body: bytes) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return endpoint


def _health(iam: Iam) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        healthy = await is_healthy(iam)
        body: dict[str, Any] = {"status": "UP" if healthy else "DOWN"}
        return json_response(body, 200 if healthy else 503)

    return endpoint


def _metrics(board: Board) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return PlainTextResponse(board.render(), media_type="text/plain; version=0.0.4")

    return endpoint


async def _front_page(_: Request) -> Response:
    return PlainTextResponse(f"{STAND_IN}\n")
