"""Every refusal the token endpoints know, in INDIGO IAM's words and in those of the RFCs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from iam_loadtest.embedded.settings import ErrorStyle

Headers = tuple[tuple[str, str], ...]
BASIC_CHALLENGE: Final[Headers] = (("WWW-Authenticate", 'Basic realm="iam"'),)


@dataclass(frozen=True, slots=True)
class Wire:
    """Status and error code as they go over the wire."""

    status: int
    error: str
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One situation: what INDIGO IAM answers, and what the RFCs would have it answer.

    ``echoes`` marks the answers in whose description INDIGO IAM repeats the whole token; the RFC style never does.
    """

    indigo: Wire
    rfc: Wire
    echoes: bool = False


_INVALID_CLIENT = Wire(401, "invalid_client", BASIC_CHALLENGE)
_REQUEST = Wire(400, "invalid_request")
_GRANT = Wire(400, "invalid_grant")
_SCOPE = Wire(400, "invalid_scope")
_SERVER = Wire(500, "server_error")

REFRESH_UNKNOWN: Final = Refusal(Wire(401, "invalid_token"), _GRANT, echoes=True)
SUBJECT_UNKNOWN: Final = Refusal(Wire(401, "invalid_token"), _REQUEST, echoes=True)
BEARER_UNKNOWN: Final = Refusal(Wire(401, "invalid_token"), Wire(401, "invalid_token"), echoes=True)
CLIENT_BASIC: Final = Refusal(Wire(401, "unauthorized", BASIC_CHALLENGE), _INVALID_CLIENT)
CLIENT_OTHER: Final = Refusal(Wire(401, "invalid_client"), _INVALID_CLIENT)
GRANT_NOT_ALLOWED: Final = Refusal(Wire(401, "invalid_client"), Wire(400, "unauthorized_client"))
GRANT_UNSUPPORTED: Final = Refusal(Wire(400, "unsupported_grant_type"), Wire(400, "unsupported_grant_type"))
INVALID_GRANT: Final = Refusal(_GRANT, _GRANT)
INVALID_SCOPE: Final = Refusal(_SCOPE, _SCOPE)
INVALID_REQUEST: Final = Refusal(_REQUEST, _REQUEST)
EXCHANGE_DENIED: Final = Refusal(Wire(403, "access_denied"), _REQUEST)
FORBIDDEN: Final = Refusal(Wire(403, "access_denied"), Wire(403, "access_denied"))
INSUFFICIENT_SCOPE: Final = Refusal(Wire(403, "insufficient_scope"), Wire(403, "insufficient_scope"))
PENDING: Final = Refusal(Wire(400, "authorization_pending"), Wire(400, "authorization_pending"))
DENIED: Final = Refusal(Wire(400, "access_denied"), Wire(400, "access_denied"))
EXPIRED: Final = Refusal(Wire(400, "expired_token"), Wire(400, "expired_token"))
SERVER_ERROR: Final = Refusal(_SERVER, _SERVER)
CLIENT_DATABASE: Final = Refusal(Wire(401, "unauthorized", BASIC_CHALLENGE), _SERVER)


class OAuthError(Exception):
    """A refusal on its way to the client; ``token`` is what INDIGO IAM's description repeats, never logged."""

    def __init__(self, refusal: Refusal, description: str, *, token: str = "", db_errno: int | None = None) -> None:
        super().__init__(description)
        self.refusal = refusal
        self.description = description
        self.token = token
        self.db_errno = db_errno

    def wire(self, style: ErrorStyle) -> Wire:
        """Status, code and headers in the wanted style."""
        return self.refusal.indigo if style == "indigo" else self.refusal.rfc

    def body(self, style: ErrorStyle) -> dict[str, str | int]:
        """The JSON object; ``db_errno`` is there only where the database refused."""
        description = self.description
        if self.refusal.echoes and style == "indigo":
            description = description.format(self.token)
        elif self.refusal.echoes:
            description = description.format("").replace("  ", " ")
        answer: dict[str, str | int] = {"error": self.wire(style).error, "error_description": description}
        return answer if self.db_errno is None else answer | {"db_errno": self.db_errno}


def unknown_refresh_token(token: str) -> OAuthError:
    """Unknown, revoked, expired, or not replicated yet: the caller cannot tell them apart, nor can upstream's."""
    return OAuthError(REFRESH_UNKNOWN, "Refresh token for value {} was not found", token=token)


def unknown_subject_token(token: str) -> OAuthError:
    """As for refresh tokens: one answer for unknown, revoked, expired and not replicated yet."""
    return OAuthError(SUBJECT_UNKNOWN, "Access token for value {} was not found", token=token)


def unknown_bearer_token(token: str) -> OAuthError:
    """A bearer token that /userinfo does not accept."""
    return OAuthError(BEARER_UNKNOWN, "Access token for value {} was not found", token=token)
