"""How requests are read and answers, refusals and database errors are written."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive

from iam_loadtest.embedded.context import Iam, parse_form
from iam_loadtest.embedded.problem import CLIENT_DATABASE, INVALID_REQUEST, SERVER_ERROR, OAuthError
from iam_loadtest.embedded.store import DatabaseError, PoolTimeoutError

MAX_BODY_BYTES: Final = 64 * 1024
_JSON_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
    (b"content-type", b"application/json"),
)


async def read_form(receive: Receive) -> tuple[dict[str, str], tuple[str, ...]]:
    """The form of a request, of bounded size; OAuthError where it is none."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
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


class _JsonResponse(Response):
    """A Response whose headers are there already: building them from names and values costs more than its JSON."""

    def __init__(self, body: bytes, status: int) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [*_JSON_HEADERS, (b"content-length", b"%d" % len(body))]


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer that no cache keeps."""
    return _JsonResponse(orjson.dumps(body), status)
