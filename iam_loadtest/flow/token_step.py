"""Steps that ask the token endpoint for tokens."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.chain import Held, UserLogin
from iam_loadtest.flow.client_form import ClientFormStep, client_form
from iam_loadtest.flow.form import form_encoded
from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Grant, constant_fields
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.scenario.step import Step


@dataclass(frozen=True, kw_only=True)
class TokenStep(ClientFormStep):
    """A token request; ``subject_from`` is the step of the chain whose access token is exchanged."""

    grant: Grant
    subject_from: str | None = None

    def request(self, held: Held, user: UserLogin) -> Request:
        """The form with what changes from request to request at its end."""
        return self.post(self._body(held, user), self.kind)

    def take(self, held: Held, answer: Answer) -> None:
        """Adopt the tokens."""
        if isinstance(answer, Tokens):
            held.take(self.name, answer)

    def _body(self, held: Held, user: UserLogin) -> bytes:
        if self.grant is Grant.REFRESH_TOKEN:
            return b"%b&refresh_token=%b" % (self.form.body, form_encoded(held.refresh_token))
        if self.grant is Grant.TOKEN_EXCHANGE:
            subject = held.by_step[self.subject_from] if self.subject_from else held.access_token
            return b"%b&subject_token=%b" % (self.form.body, form_encoded(subject))
        if self.grant is Grant.PASSWORD:
            typed = (self.form.body, form_encoded(user.username), form_encoded(user.password))
            return b"%b&username=%b&password=%b" % typed
        if self.grant is Grant.AUTHORIZATION_CODE and held.login is not None:
            login = held.login
            fields = {"code": login.code, "redirect_uri": login.visit.redirect_uri, "code_verifier": login.verifier}
            return b"%b&%b" % (self.form.body, urlencode(fields).encode())
        if self.grant is Grant.DEVICE_CODE and held.device is not None:
            return b"%b&device_code=%b" % (self.form.body, form_encoded(held.device.device_code))
        return self.form.body


def token_step(name: str, step: Step, grant: Grant, client: ClientCredentials, token_endpoint: str) -> TokenStep:
    """The step with its URL, headers and constant form fields encoded."""
    fields = constant_fields(
        grant,
        scope=step.scope,
        audience=step.audience,
        resource=step.resource,
        subject_token_type=step.subject_token_type,
        requested_token_type=step.requested_token_type,
        extra=step.extra,
    )
    return TokenStep(
        name=name,
        label=step.label or name,
        kind=grant.value,
        grant=grant,
        form=client_form(token_endpoint, client, fields),
        subject_from=step.subject_token_from,
    )
