"""Client authentication: who is asking, and whether by the method registered for that client."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import NamedTuple
from urllib.parse import unquote_plus

import jwt

from iam_loadtest.embedded.entity import Client, hides, secret_hash
from iam_loadtest.embedded.problem import CLIENT_BASIC, CLIENT_OTHER, OAuthError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASYMMETRIC = ("RS256", "ES256", "PS256", "EdDSA")


@hides("secret")
class Credentials(NamedTuple):
    """What a request offered. ``method`` is basic, post, none, or assertion for either kind of JWT."""

    method: str
    client_id: str
    secret: str = ""


def credentials_of(authorization: str, form: dict[str, str]) -> Credentials:
    """Read the client's credentials from the header or the form; OAuthError where there are none."""
    if authorization[:6].lower() == "basic ":
        return _from_basic(authorization[6:])
    if form.get("client_assertion_type") == ASSERTION_TYPE:
        return _from_assertion(form.get("client_assertion", ""), form.get("client_id", ""))
    client_id = form.get("client_id", "")
    if not client_id:
        raise OAuthError(CLIENT_BASIC, "Full authentication is required to access this resource")
    if "client_secret" in form:
        return Credentials("post", client_id, form["client_secret"])
    return Credentials("none", client_id)


def authenticate(client: Client | None, credentials: Credentials, issuer: str) -> Client:
    """The client, if the credentials are its own and of its registered method; OAuthError otherwise."""
    if client is None or not client.active or not _accepts(client, credentials, issuer):
        raise _refused(credentials)
    return client


def _accepts(client: Client, credentials: Credentials, issuer: str) -> bool:
    if credentials.method == "assertion":
        return _assertion_matches(client, credentials.secret, (issuer, f"{issuer}token", issuer.rstrip("/")))
    if credentials.method != client.auth_method:
        return False
    return credentials.method == "none" or _secret_matches(client, credentials.secret)


def _from_basic(encoded: str) -> Credentials:
    """Both parts are form-encoded before they are joined: RFC 6749 section 2.3.1."""
    try:
        name, separator, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthError(CLIENT_BASIC, "Failed to decode basic authentication token") from error
    if not separator:
        raise OAuthError(CLIENT_BASIC, "Invalid basic authentication token")
    return Credentials("basic", unquote_plus(name), unquote_plus(secret))


def _from_assertion(assertion: str, client_id: str) -> Credentials:
    try:
        subject = jwt.decode(assertion, options={"verify_signature": False})["sub"]
    except (jwt.PyJWTError, KeyError) as error:
        raise OAuthError(CLIENT_OTHER, "Client assertion is not a JWT with a subject") from error
    if not isinstance(subject, str) or client_id not in {"", subject}:
        raise OAuthError(CLIENT_OTHER, "Client assertion is not about the client that sent it")
    return Credentials("assertion", subject, assertion)


def _refused(credentials: Credentials) -> OAuthError:
    if credentials.method == "basic":
        return OAuthError(CLIENT_BASIC, "Bad credentials")
    return OAuthError(CLIENT_OTHER, "Bad client credentials")


def _secret_matches(client: Client, secret: str) -> bool:
    stored = client.secret_hash or ""
    return hmac.compare_digest(stored, secret_hash(client.client_id, secret)) and bool(stored)


def _assertion_matches(client: Client, assertion: str, audiences: tuple[str, ...]) -> bool:
    """Signature, expiry, audience and issuer of a client assertion: RFC 7523 section 3."""
    if client.auth_method == "private_key_jwt":
        keys = _public_keys(client)
        return any(_verifies(assertion, key, _ASYMMETRIC, client.client_id, audiences) for key in keys)
    if client.auth_method == "client_secret_jwt" and client.hmac_secret:
        return _verifies(assertion, client.hmac_secret, ("HS256",), client.client_id, audiences)
    return False


def _public_keys(client: Client) -> list[jwt.PyJWK]:
    return [jwt.PyJWK(jwk) for jwk in json.loads(client.jwks or '{"keys": []}')["keys"]]


def _verifies(
    assertion: str, key: jwt.PyJWK | str, algorithms: tuple[str, ...], client_id: str, audiences: tuple[str, ...]
) -> bool:
    try:
        jwt.decode(
            assertion,
            key,
            algorithms=list(algorithms),
            audience=audiences,
            issuer=client_id,
            subject=client_id,
            leeway=10,
            options={"require": ["exp", "aud", "iss", "sub", "jti"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError):
        return False
    return True
