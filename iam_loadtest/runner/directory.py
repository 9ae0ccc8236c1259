"""Users and clients at an IAM, through its admin API. All that is made carries a marker; nothing else is removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.sent_secrets import without_sent
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES
from iam_loadtest.runner.deadline import TRANSPORT_ERRORS
from iam_loadtest.runner.http_client import HttpClient, transport_failure
from iam_loadtest.scenario.target import Target

PAGE: Final = 50
GIVEN_NAME: Final = "Load"
MARKED: Final = "iam-loadtest"
"""What every marker's text begins with: the family name of users, the description of clients."""
_TAKEN: Final = b"Client id not available"
"""INDIGO IAM's answer to a client's id that is there, with 400 where 409 is meant."""
_SECRETS: Final = ("password", "secret", "client_secret")


class ExistsError(UserError):
    """A name that is taken already."""


class NotAllowedError(UserError):
    """The admin token is not good, or not any more."""


@dataclass(frozen=True)
class NewUser:
    """A user to be made."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class NewClient:
    """A client to be made; ``grants`` by their names in a scenario."""

    client_id: str
    auth: str
    grants: tuple[str, ...] = ()
    scope: str = ""
    redirect_uris: tuple[str, ...] = ()
    secret: str = field(repr=False, default="")


@dataclass(frozen=True)
class Found:
    """A user or client as the IAM lists it: what it is addressed by, its name, and the text that may be a marker."""

    key: str
    name: str
    text: str


class AdminApi:
    """JSON over HTTP with an admin token, below one URL. Each thread has a connection of its own.

    ``rights`` is what the token's account must have, in words.
    """

    def __init__(self, base: str, token: str, target: Target, directory: Path, rights: str) -> None:
        self._base = base.rstrip("/")
        self._token = token
        self._target = target
        self._directory = directory
        self._rights = rights
        self._own = local()

    def call(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """The JSON of a good answer, None where it has none. Raises ExistsError for 409, UserError for the others.

        What is to be removed and is not there any more is removed.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "*/*"}
        content: dict[str, Any] = {"headers": headers}
        if body is not None:
            headers["Content-Type"] = content_type
            content["data"] = orjson.dumps(body)
        try:
            answer, text = self._client().fetch(method, self._base + path, **content)
        except TRANSPORT_ERRORS as error:
            raise UserError(f"{self._where(method, path)}: {transport_failure(error).detail}.") from error
        if method == "DELETE" and answer.status_code == 404:
            return None
        return self._read(self._where(method, path), answer.status_code, text, (self._token, *_secrets_in(body)))

    def _read(self, where: str, status: int, text: bytes, secrets: Sequence[str]) -> Any:
        said = redact(without_sent(text[:2000].decode("utf-8", "replace"), secrets))
        if status == 409 or (status == 400 and _TAKEN in text):
            raise ExistsError(f"{where}: is there already ({said}).")
        if status == 401:
            raise NotAllowedError(
                f"{where}: status 401: the admin token is not good, or has expired; get a new one and call again: "
                "it goes on."
            )
        if status == 403:
            raise NotAllowedError(f"{where}: status 403: the admin token may not do that; it needs {self._rights}.")
        if not 200 <= status < 300:
            raise UserError(f"{where}: status {status} {said}.")
        if len(text) > MAX_BODY_BYTES:
            raise UserError(f"{where}: the answer is larger than {MAX_BODY_BYTES} bytes.")
        try:
            return orjson.loads(text) if text.strip() else None
        except ValueError as error:
            raise UserError(f"{where}: the answer is not JSON.") from error

    def _client(self) -> HttpClient:
        client: HttpClient | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = HttpClient(self._target, self._directory)
        return client

    def _where(self, method: str, path: str) -> str:
        return f"{method} {self._base}{path.partition('?')[0]}"


class Directory(ABC):
    """What is done at an IAM; ``marker`` is the whole text that is put on everything."""

    RIGHTS: ClassVar[str]
    """What an admin token needs for all of it, in words."""

    def __init__(self, api: AdminApi, marker: str) -> None:
        self._api = api
        self._marker = f"{MARKED} {marker}"

    def marked_users(self) -> list[Found]:
        """All users that carry the marker, and no others."""
        return [one for one in self._users() if one.text == self._marker]

    def marked_clients(self) -> list[Found]:
        """All clients that carry the marker, and no others."""
        return [one for one in self._clients() if one.text == self._marker]

    @abstractmethod
    def make_user(self, user: NewUser) -> None:
        """Make a user who can log in at once; raises ExistsError."""

    @abstractmethod
    def make_client(self, client: NewClient) -> str:
        """Make a client that can be used at once, and return its secret; raises ExistsError."""

    @abstractmethod
    def remove_user(self, user: Found) -> None:
        """Remove it, with its sessions and tokens."""

    @abstractmethod
    def remove_client(self, client: Found) -> None:
        """Remove it, with its tokens."""

    @abstractmethod
    def _users(self) -> Iterator[Found]: ...

    @abstractmethod
    def _clients(self) -> Iterator[Found]: ...


class Keycloak(Directory):
    """A realm, through Keycloak's admin REST API; the API's base is that of the realm."""

    RIGHTS = "the roles manage-users and manage-clients of realm-management"

    def make_user(self, user: NewUser) -> None:
        """With a password that is not temporary, and nothing left to do at the first login."""
        self._api.call(
            "POST",
            "/users",
            {
                "username": user.username,
                "enabled": True,
                "emailVerified": True,
                "email": _email(user.username),
                "firstName": GIVEN_NAME,
                "lastName": self._marker,
                "credentials": [{"type": "password", "value": user.password, "temporary": False}],
            },
        )

    def make_client(self, client: NewClient) -> str:
        """Grants are switches of the client; refresh needs none, and scopes are the realm's default ones."""
        is_public = client.auth == "none"
        attributes = {
            "standard.token.exchange.enabled": _flag("token_exchange" in client.grants),
            "oauth2.device.authorization.grant.enabled": _flag("device_code" in client.grants),
        }
        self._api.call(
            "POST",
            "/clients",
            {
                "clientId": client.client_id,
                "description": self._marker,
                "protocol": "openid-connect",
                "enabled": True,
                "publicClient": is_public,
                "serviceAccountsEnabled": "client_credentials" in client.grants,
                "directAccessGrantsEnabled": "password" in client.grants,
                "standardFlowEnabled": "authorization_code" in client.grants,
                "redirectUris": list(client.redirect_uris),
                "attributes": attributes,
                **({} if is_public else {"clientAuthenticatorType": "client-secret", "secret": client.secret}),
            },
        )
        return client.secret

    def remove_user(self, user: Found) -> None:
        """Its sessions go with it."""
        self._api.call("DELETE", f"/users/{_segment(user)}")

    def remove_client(self, client: Found) -> None:
        """By its internal id."""
        self._api.call("DELETE", f"/clients/{_segment(client)}")

    def _users(self) -> Iterator[Found]:
        for one in self._pages(f"/users?briefRepresentation=true&exact=true&lastName={quote(self._marker)}"):
            yield Found(str(one.get("id")), str(one.get("username")), str(one.get("lastName")))

    def _clients(self) -> Iterator[Found]:
        for one in self._pages("/clients?search=false"):
            yield Found(str(one.get("id")), str(one.get("clientId")), str(one.get("description")))

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        first = 0
        while True:
            page = self._api.call("GET", f"{path}&first={first}&max={PAGE}")
            yield from page
            if len(page) < PAGE:
                return
            first += PAGE


class IndigoIam(Directory):
    """INDIGO IAM, through SCIM and its client management API; the API's base is the issuer."""

    RIGHTS = "the scopes scim:read scim:write iam:admin.read iam:admin.write"

    def make_user(self, user: NewUser) -> None:
        """An active account; where terms of use must be signed, its first login asks for that."""
        self._api.call(
            "POST",
            "/scim/Users",
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": user.username,
                "password": user.password,
                "active": True,
                "name": {"givenName": GIVEN_NAME, "familyName": self._marker},
                "emails": [{"type": "work", "value": _email(user.username), "primary": True}],
            },
            "application/scim+json",
        )

    def make_client(self, client: NewClient) -> str:
        """Grants and scopes are the client's own. There are versions that choose the secret and answer with it.

        A switch of refresh tokens that is left out is off here, where the database's default is on.
        """
        made = self._api.call(
            "POST",
            "/iam/api/clients",
            {
                "client_id": client.client_id,
                "client_name": client.client_id,
                "client_description": self._marker,
                "token_endpoint_auth_method": {"basic": "client_secret_basic", "post": "client_secret_post"}.get(
                    client.auth, "none"
                ),
                "grant_types": [_GRANT_TYPES.get(grant, grant) for grant in client.grants],
                "scope": client.scope,
                "redirect_uris": list(client.redirect_uris),
                "reuse_refresh_token": True,
                "clear_access_tokens_on_refresh": True,
                "allow_introspection": True,
                **({"client_secret": client.secret} if client.secret else {}),
            },
        )
        chosen = made.get("client_secret") if isinstance(made, Mapping) else None
        return chosen if client.secret and isinstance(chosen, str) and chosen else client.secret

    def remove_user(self, user: Found) -> None:
        """Its tokens go with it."""
        self._api.call("DELETE", f"/scim/Users/{_segment(user)}")

    def remove_client(self, client: Found) -> None:
        """Its tokens go with it."""
        self._api.call("DELETE", f"/iam/api/clients/{_segment(client)}")

    def _users(self) -> Iterator[Found]:
        for one in self._pages("/scim/Users"):
            name = one.get("name")
            family = name.get("familyName") if isinstance(name, Mapping) else None
            yield Found(str(one.get("id")), str(one.get("userName")), str(family))

    def _clients(self) -> Iterator[Found]:
        for one in self._pages("/iam/api/clients"):
            name = str(one.get("client_id"))
            yield Found(name, name, str(one.get("client_description")))

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        start = 1
        while True:
            page = self._api.call("GET", f"{path}?startIndex={start}&count={PAGE}")
            resources = page.get("Resources") or ()
            yield from resources
            start += len(resources)
            if not resources or start > int(page.get("totalResults", 0)):
                return


_GRANT_TYPES: Final = {
    "token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
    "device_code": "urn:ietf:params:oauth:grant-type:device_code",
}


def _secrets_in(body: object) -> Iterator[str]:
    """Passwords and secrets of a user or client that is to be made, which a server may repeat where it refuses them."""
    if isinstance(body, Mapping):
        yield from (value for name in _SECRETS if isinstance(value := body.get(name), str))
        yield from (str(one["value"]) for one in body.get("credentials", ()))


def _segment(found: Found) -> str:
    """The part of a path that addresses it: a name such as ``a/../b`` must not address another one."""
    if found.key in {"", ".", "..", "None"}:
        raise UserError(f"{found.name!a} has no id that it could be addressed by; remove it by hand.")
    return quote(found.key, safe="")


def _email(username: str) -> str:
    """An address that is nobody's: RFC 2606 section 2."""
    return f"{username.partition('@')[0]}@load.invalid"


def _flag(is_on: bool) -> str:
    return "true" if is_on else "false"
