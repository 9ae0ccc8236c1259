"""POST /token: which grant, who is asking, and how refusals and database errors look on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from iam_loadtest.embedded import grants
from iam_loadtest.embedded.client_auth import credentials_of
from iam_loadtest.embedded.context import ClientRequest, Iam, TokenAnswer, parse_form
from iam_loadtest.embedded.metrics import Part
from iam_loadtest.embedded.problem import (
    CLIENT_DATABASE,
    GRANT_UNSUPPORTED,
    INVALID_REQUEST,
    SERVER_ERROR,
    OAuthError,
)
from iam_loadtest.embedded.seed import (
    CLIENT_GRANT,
    EXCHANGE_GRANT,
    PASSWORD_GRANT,
    REFRESH_GRANT,
)
from iam_loadtest.embedded.store import DatabaseError, PoolTimeoutError

Handler = Callable[[Iam, ClientRequest], Awaitable[TokenAnswer]]
MAX_BODY_BYTES: Final = 64 * 1024
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_GRANTS: Final[dict[str, tuple[str, Handler]]] = {
    CLIENT_GRANT: ("client_credentials", grants.client_credentials),
    PASSWORD_GRANT: ("password", grants.password),
    REFRESH_GRANT: ("refresh_token", grants.refresh_token),
    EXCHANGE_GRANT: ("token_exchange", grants.token_exchange),
}


def token_endpoint(iam: Iam, part: Part) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint for one frontend."""

    async def token(request: Request) -> Response:
        client_request: ClientRequest | None = None
        try:
            fields, audience = await read_form(request)
            name, handler = _grant(fields.get("grant_type"))
            request.scope["iam.grant"] = name
            credentials = credentials_of(request.headers.get("authorization", ""), fields)
            client_request = ClientRequest(fields, audience, credentials)
            return json_response(await handler(iam, client_request))
        except OAuthError as error:
            return error_response(iam, error)
        except DatabaseError as error:
            part.count_database_error(error.number)
            loaded = client_request is None or client_request.client_loaded
            return error_response(iam, database_refusal(error, loaded))

    return token


async def read_form(request: Request) -> tuple[dict[str, str], tuple[str, ...]]:
    """The form of a request, of bounded size; OAuthError where it is none."""
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        raise OAuthError(INVALID_REQUEST, f"The body is larger than {MAX_BODY_BYTES} bytes")
    return parse_form(body)


def database_refusal(error: DatabaseError, client_loaded: bool) -> OAuthError:
    """A database error before the client is known is a 401 in the original, later a 500; a full pool always a 500."""
    if client_loaded or isinstance(error, PoolTimeoutError):
        return OAuthError(SERVER_ERROR, f"Could not commit: {error}", db_errno=error.number)
    return OAuthError(CLIENT_DATABASE, str(error), db_errno=error.number)


def error_response(iam: Iam, error: OAuthError) -> Response:
    """The refusal in the style of the settings."""
    style = iam.settings.error_style
    wire = error.wire(style)
    response = json_response(error.body(style), wire.status)
    for name, value in wire.headers:
        response.headers[name] = value
    return response


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer that no cache keeps."""
    return Response(orjson.dumps(body), status, _NO_STORE, "application/json")


def _grant(grant_type: str | None) -> tuple[str, Handler]:
    if not grant_type:
        raise OAuthError(INVALID_REQUEST, "Missing grant type")
    found = _GRANTS.get(grant_type)
    if found is None:
        raise OAuthError(GRANT_UNSUPPORTED, f"Unsupported grant type: {grant_type[:80]}")
    return found
