"""Single requests to a provider, and what the profile of its scenario makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlencode

from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.form import FORM_HEADERS
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.grant import ACCESS_TOKEN_TYPE, Grant
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.http_client import HttpClient
from iam_loadtest.runner.preflight import Preflight
from iam_loadtest.scenario.client import Audience, Client
from iam_loadtest.scenario.secret import SecretRef
from iam_loadtest.scenario.target import Target
from providers.client_key import new_client_key
from tests.providers.under_test import UnderTest

WRONG_SECRET = "not-the-secret-of-any-client-that-is-registered"
WRONG_KEY = new_client_key().private


class Asked(NamedTuple):
    """What a request came to: in the profile's word, and in the provider's."""

    outcome: Outcome
    status: int
    detail: str


class Caller:
    """A caller that acts as any client of the scenario."""

    def __init__(self, under_test: UnderTest) -> None:
        self.under_test = under_test
        self.endpoints = under_test.endpoints()
        self._scenario = under_test.scenario()
        self._environ = {**under_test.environ, **under_test.running.admin}
        self._http = HttpClient(self._scenario.target, under_test.directory)
        self._classifier = classifier_for(self._scenario.profile, self._scenario.error_rules)

    def client(self, name: str) -> ClientCredentials:
        """A client of the scenario, or another one that the provider was started with."""
        noun = self._scenario.clients.get(name) or self._other(name)
        secret = noun.secret.resolve(self.under_test.directory, self._environ) if noun.secret else ""
        return ClientCredentials(noun.id, secret, noun.auth)

    def tokens(self, workload: str, subject: str = "subject") -> Tokens:
        """What the last token step of a workload gives; ``subject`` is the client that users log in with."""
        directory = self.under_test.directory
        clients = {**self._scenario.clients, "subject": self._scenario.clients.get(subject) or self._other(subject)}
        scenario = self._scenario.model_copy(update={"clients": clients})
        ready = prepare_workload(scenario, workload, self.endpoints, directory, self._environ)
        with Preflight(self.endpoints.issuer, self._scenario.target, directory) as preflight:
            checked, tokens = preflight.walk(ready)
        assert [step for step in checked if step.outcome is not Outcome.OK] == []
        assert tokens is not None
        return tokens

    def ask(self, grant: Grant, client: ClientCredentials, **fields: str) -> Asked:
        """A token request."""
        if grant is Grant.TOKEN_EXCHANGE:
            fields = {"subject_token_type": ACCESS_TOKEN_TYPE, **fields}
        body = urlencode((*client.form(), ("grant_type", grant.grant_type), *fields.items())).encode()
        headers = {**FORM_HEADERS, **client.headers()}
        return self._send(Request("asked", self.endpoints.token, headers, body, "POST", grant.value))

    def userinfo(self, access_token: str) -> Asked:
        """The user of a token."""
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        return self._send(Request("asked", str(self.endpoints.userinfo), headers, b"", "GET", "userinfo"))

    def authenticate(self, client: Client, **environ: str) -> Asked:
        """A client_credentials request of a client that authenticates as it says; the first step of ``access``."""
        return self._issue(client, self.endpoints.issuer, self._scenario.target, environ)

    def show_certificate(self, client_id: str, shown: str) -> Asked:
        """As :meth:`authenticate`, by mutual TLS with the certificate of this name, or without one."""
        place = self.under_test.running.mutual_tls
        assert place is not None
        client = Client(id=client_id, auth=AuthMethod.TLS_CLIENT_AUTH)
        return self._issue(client, place.issuer, Target.model_validate(place.target(shown)), {})

    def prefix(self) -> str:
        """What the provider's variables begin with."""
        return self.under_test.name.replace("-", "_").upper()

    def _issue(self, client: Client, issuer: str, target: Target, environ: Mapping[str, str]) -> Asked:
        scenario = self._scenario.model_copy(update={"clients": {**self._scenario.clients, "access": client}})
        directory, known = self.under_test.directory, {**self._environ, **environ}
        with Preflight(issuer, target, directory) as preflight:
            ready = prepare_workload(scenario, "access", preflight.discover(), directory, known)
            (checked,), _ = preflight.walk(ready)
        return Asked(checked.outcome, checked.status, checked.detail)

    def _other(self, name: str) -> Client:
        secret = SecretRef(env=f"{self.prefix()}_{name.upper()}_SECRET")
        return self._scenario.clients["subject"].model_copy(update={"id": name, "secret": secret})

    def _send(self, request: Request) -> Asked:
        response = self._http.send(request)
        judgement = self._classifier.judge(request, response, 0.1)
        return Asked(judgement.outcome, response.status, judgement.detail)


Situation = Callable[[Caller], Asked]


def unknown_refresh_token(caller: Caller) -> Asked:
    """One that this provider never gave."""
    return caller.ask(Grant.REFRESH_TOKEN, caller.client("subject"), refresh_token="c3RyYW5nZQ")


def unknown_device_code(client: str) -> Situation:
    """One that this provider never gave."""
    return lambda caller: caller.ask(Grant.DEVICE_CODE, caller.client(client), device_code="c3RyYW5nZQ")


def refresh_token_of_another_client(caller: Caller) -> Asked:
    """One that was given to the subject client, brought by a stranger."""
    held = caller.tokens("refresh").refresh_token
    assert held
    return caller.ask(Grant.REFRESH_TOKEN, caller.client("stranger"), refresh_token=held)


def unknown_subject_token(caller: Caller) -> Asked:
    """One that this provider never gave."""
    return caller.ask(Grant.TOKEN_EXCHANGE, caller.client("actor"), subject_token="c3RyYW5nZQ", scope="openid")


def wrong_secret(method: AuthMethod) -> Situation:
    """A client's own method with another secret than its own."""

    def ask(caller: Caller) -> Asked:
        client = replace(caller.client("access"), secret=WRONG_SECRET, method=method)
        return caller.ask(Grant.CLIENT_CREDENTIALS, client)

    return ask


def by_assertion(method: AuthMethod, wrong: str = "", audience: Audience = "token_endpoint") -> Situation:
    """A client that signs an assertion, with a secret or key other than its own where ``wrong`` is given."""

    def ask(caller: Caller) -> Asked:
        shares = method is AuthMethod.CLIENT_SECRET_JWT
        name, kind = ("secret_jwt", "SECRET") if shares else ("key_jwt", "KEY")
        reference = SecretRef(env="WRONG" if wrong else f"{caller.prefix()}_{name.upper()}_{kind}")
        client = Client(id=name, auth=method, assertion_audience=audience, **{kind.lower(): reference})
        return caller.authenticate(client, WRONG=wrong)

    return ask


def by_certificate(client_id: str, shown: str = "client") -> Situation:
    """A client that shows a certificate: its own, another one of the same name, or none."""
    return lambda caller: caller.show_certificate(client_id, shown)


def unknown_client(caller: Caller) -> Asked:
    """A client that was removed, or never was."""
    client = ClientCredentials("nobody", WRONG_SECRET)
    return caller.ask(Grant.CLIENT_CREDENTIALS, client)


def scope_beyond(scope: str) -> Situation:
    """A scope that the client may not have."""

    def ask(caller: Caller) -> Asked:
        return caller.ask(Grant.CLIENT_CREDENTIALS, caller.client("access"), scope=scope)

    return ask


def used_refresh_token(client: str) -> Situation:
    """A refresh token that was used before, where each is good for one use."""

    def ask(caller: Caller) -> Asked:
        held = caller.tokens("refresh", client).refresh_token
        assert held
        first = caller.ask(Grant.REFRESH_TOKEN, caller.client(client), refresh_token=held)
        assert first.outcome is Outcome.OK, first
        return caller.ask(Grant.REFRESH_TOKEN, caller.client(client), refresh_token=held)

    return ask


def foreign_subject_token(caller: Caller) -> Asked:
    """One that was given to a client whose tokens the actor may not take."""
    given = caller.tokens("refresh", "stranger").access_token
    return caller.ask(Grant.TOKEN_EXCHANGE, caller.client("actor"), subject_token=given, scope="openid")


def unknown_access_token(caller: Caller) -> Asked:
    """Userinfo with a bearer token that this provider never gave."""
    return caller.userinfo("c3RyYW5nZQ")
