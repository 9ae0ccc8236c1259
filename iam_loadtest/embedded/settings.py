"""What can be set on the built-in IAM; the defaults are INDIGO IAM's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from iam_loadtest.errors import UserError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8490
FIRST_USER = 100
DEFAULT_USERS = 248

Algorithm = Literal["RS256", "ES256"]
ErrorStyle = Literal["indigo", "rfc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a frontend needs to know before its first request.

    ``database`` and ``sessions`` may hold a password, therefore they stay out of the repr. ``issuer`` and ``database``
    are filled in before workers start: a Settings that a worker sees has both.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    issuer: str = ""
    database: str = ""
    sessions: str = ""
    workers: int = 1
    first_frontend: int = 1
    users: int = DEFAULT_USERS
    algorithm: Algorithm = "RS256"
    store_access_tokens: bool = True
    clear_access_tokens_on_refresh: bool = True
    reuse_refresh_tokens: bool = True
    access_token_lifetime_s: int = 3600
    refresh_token_lifetime_s: int = 30 * 24 * 3600
    code_lifetime_s: int = 600
    session_lifetime_s: int = 1800
    keep_alive_s: int = 75
    pool_size: int = 50
    pool_timeout_s: float = 30.0
    extra_statements: int = 0
    retry_deadlocks: int = 0
    error_style: ErrorStyle = "indigo"
    request_log: str = ""
    ready_file: str = ""

    def __repr__(self) -> str:
        return f"Settings(host={self.host!r}, port={self.port}, workers={self.workers}, algorithm={self.algorithm!r})"


def check_issuer(issuer: str) -> None:
    """UserError where tokens of this issuer could not be verified: OpenID Connect wants a URL of scheme, host and path.

    The value is not repeated: what makes it wrong may be a password.
    """
    if not _is_issuer(issuer):
        raise UserError(
            "--issuer: must be an http:// or https:// URL without user, query and fragment,"
            " such as https://iam.example.org/"
        )


def _is_issuer(text: str) -> bool:
    if not text.startswith(("http://", "https://")) or any(c in "?#@\\" or c.isspace() for c in text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def issuer_of(host: str, port: int) -> str:
    """The issuer a browser on this machine can reach; it ends in a slash, as INDIGO IAM's does."""
    name = "localhost" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
