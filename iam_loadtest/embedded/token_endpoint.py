"""POST /token: which grant, and who is asking.

An ASGI application of its own: routing, a Request and a handler of exceptions in each layer are work for every token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from iam_loadtest.embedded import grants
from iam_loadtest.embedded.client_auth import credentials_of
from iam_loadtest.embedded.code_grant import authorization_code
from iam_loadtest.embedded.context import ClientRequest, Iam, TokenAnswer
from iam_loadtest.embedded.device import device_code
from iam_loadtest.embedded.metrics import Part
from iam_loadtest.embedded.problem import GRANT_UNSUPPORTED, INVALID_REQUEST, OAuthError
from iam_loadtest.embedded.seed import (
    CLIENT_GRANT,
    CODE_GRANT,
    DEVICE_GRANT,
    EXCHANGE_GRANT,
    PASSWORD_GRANT,
    REFRESH_GRANT,
)
from iam_loadtest.embedded.store import DatabaseError
from iam_loadtest.embedded.wire import database_refusal, error_response, json_response, read_form

Handler = Callable[[Iam, ClientRequest], Awaitable[TokenAnswer]]
_GRANTS: Final[dict[str, tuple[str, Handler]]] = {
    CLIENT_GRANT: ("client_credentials", grants.client_credentials),
    PASSWORD_GRANT: ("password", grants.password),
    REFRESH_GRANT: ("refresh_token", grants.refresh_token),
    CODE_GRANT: ("authorization_code", authorization_code),
    DEVICE_GRANT: ("device_code", device_code),
    EXCHANGE_GRANT: ("token_exchange", grants.token_exchange),
}


class TokenEndpoint:
    """The endpoint of one frontend."""

    def __init__(self, iam: Iam, part: Part) -> None:
        self._iam = iam
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except Exception:  # a mistake of ours: the client gets its 500, uvicorn logs what is raised again
            await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        client_request: ClientRequest | None = None
        try:
            fields, audience = await read_form(receive)
            scope["iam.grant"], handler = _grant(fields.get("grant_type"))
            credentials = credentials_of(_authorization(scope["headers"]), fields)
            client_request = ClientRequest(fields, audience, credentials)
            return json_response(await handler(self._iam, client_request))
        except OAuthError as error:
            return error_response(self._iam, error)
        except DatabaseError as error:
            self._part.count_database_error(error.number)
            loaded = client_request is None or client_request.client_loaded
            return error_response(self._iam, database_refusal(error, loaded))


def _authorization(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"authorization":
            return value.decode("latin-1")
    return ""


def _grant(grant_type: str | None) -> tuple[str, Handler]:
    if not grant_type:
        raise OAuthError(INVALID_REQUEST, "Missing grant type")
    found = _GRANTS.get(grant_type)
    if found is None:
        raise OAuthError(GRANT_UNSUPPORTED, f"Unsupported grant type: {grant_type[:80]}")
    return found
