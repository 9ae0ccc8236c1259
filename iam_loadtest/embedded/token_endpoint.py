"""POST /token: which grant, and who is asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

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


def _grant(grant_type: str | None) -> tuple[str, Handler]:
    if not grant_type:
        raise OAuthError(INVALID_REQUEST, "Missing grant type")
    found = _GRANTS.get(grant_type)
    if found is None:
        raise OAuthError(GRANT_UNSUPPORTED, f"Unsupported grant type: {grant_type[:80]}")
    return found
