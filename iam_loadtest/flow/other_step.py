"""Steps that ask something about a token, and controls that touch no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iam_loadtest.flow.answer import INTROSPECT_REVOKED, Answer
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin
from iam_loadtest.flow.client_form import ClientFormStep, client_form
from iam_loadtest.flow.form import form_encoded
from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.scenario.step import Step, TokenChoice

_GET_HEADERS: Mapping[str, str] = {"Accept": "application/json"}


@dataclass(frozen=True, kw_only=True)
class TokenFormStep(ClientFormStep):
    """A form about a token: introspection (RFC 7662) or revocation (RFC 7009)."""

    of: TokenChoice = "access_token"

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  the token says who it is about
        """The form with the token at its end."""
        token = self._token(held)
        body = b"%b&token=%b" % (self.form.body, form_encoded(token))
        is_gone = self.kind == RequestKind.INTROSPECT and held.revoked.get(self.of) == token
        return self.post(body, INTROSPECT_REVOKED if is_gone else self.kind)

    def take(self, held: Held, answer: Answer) -> None:  # noqa: ARG002  that it is good says it all
        """Note what was revoked: it must not be active any more."""
        if self.kind == RequestKind.REVOKE:
            held.revoked[self.of] = self._token(held)

    def _token(self, held: Held) -> str:
        return held.refresh_token if self.of == "refresh_token" else held.access_token


@dataclass(frozen=True)
class UserinfoStep(ChainStep):
    """The user of the newest access token."""

    url: str

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  the token says who it is about
        """GET with the token as bearer."""
        headers = {**_GET_HEADERS, "Authorization": f"Bearer {held.access_token}"}
        return Request(self.label, self.url, headers, b"", "GET", self.kind)


@dataclass(frozen=True)
class DocumentStep(ChainStep):
    """A public document: discovery or the key set."""

    url: str

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  the same for everybody
        """GET."""
        return Request(self.label, self.url, _GET_HEADERS, b"", "GET", self.kind)


def token_form_step(name: str, step: Step, kind: RequestKind, client: ClientCredentials, url: str) -> TokenFormStep:
    """The step with URL, headers and constant form fields encoded; ``token_type_hint`` is sent."""
    return TokenFormStep(
        name=name,
        label=step.label or name,
        kind=kind.value,
        form=client_form(url, client, (("token_type_hint", step.token), *step.extra.items())),
        of=step.token,
    )
