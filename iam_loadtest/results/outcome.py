"""Outcome: what a request came to."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The classes of results; the text of each is what stands in samples, summaries and reports."""

    OK = "ok"
    STALE_READ = "stale_read"
    WRITE_CONFLICT = "write_conflict"
    POOL_EXHAUSTED = "pool_exhausted"
    REFUSED = "refused"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECT_ERROR = "connect_error"
    TLS_ERROR = "tls_error"
    CONNECTION_LOST = "connection_lost"
    PROTOCOL_ERROR = "protocol_error"
    BAD_TOKEN = "bad_token"  # noqa: S105  the name of an outcome, not a credential

    @property
    def meaning(self) -> str:
        """One sentence for reports: when this outcome is given."""
        return _MEANING[self]


TRANSPORT_OUTCOMES = frozenset({Outcome.TIMEOUT, Outcome.CONNECT_ERROR, Outcome.TLS_ERROR, Outcome.CONNECTION_LOST})

_MEANING = {
    Outcome.OK: "2xx, and the body is a well-formed answer",
    Outcome.STALE_READ: "a credential acknowledged moments ago was refused as unknown",
    Outcome.WRITE_CONFLICT: "a quick 5xx from a write that was rolled back",
    Outcome.POOL_EXHAUSTED: "a 5xx after the wait for a database connection",
    Outcome.REFUSED: "an OAuth error that is a correct answer: wrong client, scope or policy",
    Outcome.THROTTLED: "429, or 503 with Retry-After",
    Outcome.SERVER_ERROR: "any other 5xx, or another status with words of a failed database",
    Outcome.TIMEOUT: "no complete answer within the time limit",
    Outcome.CONNECT_ERROR: "no connection could be opened",
    Outcome.TLS_ERROR: "the TLS handshake or the certificate check failed",
    Outcome.CONNECTION_LOST: "the connection ended before the answer was complete",
    Outcome.PROTOCOL_ERROR: "not JSON, no access_token, wrong token_type, a redirect, another page, or too large",
    Outcome.BAD_TOKEN: "a token with a wrong signature, issuer, audience, expiry or algorithm, or another one's jti",
}
