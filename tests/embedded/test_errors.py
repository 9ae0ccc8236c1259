"""Refusals, in INDIGO IAM's words by default and in those of the RFCs where so set."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.embedded.server import ACTOR, CRED, DEVICE, EXCHANGE, SUBJECT, Iam, running_iam

REFRESH = "0-no-such-refresh-token-0"
ACCESS = "eyJ.no-such.token"
Attempt = Callable[[Iam], requests.Response]


@pytest.fixture(scope="module")
def rfc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    with running_iam(tmp_path_factory.mktemp("rfc"), "--error-style", "rfc") as running:
        yield running


def cred(**form: str) -> Attempt:
    return lambda iam: iam.token(CRED, **form)


CASES: dict[str, tuple[Attempt, tuple[int, str], tuple[int, str]]] = {
    "unknown refresh token": (lambda iam: iam.refresh(REFRESH), (401, "invalid_token"), (400, "invalid_grant")),
    "unknown subject token": (lambda iam: iam.exchange(ACCESS), (401, "invalid_token"), (400, "invalid_request")),
    "unknown authorization code": (
        lambda iam: iam.token(("client", "secret"), grant_type="authorization_code", code="no"),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ),
    "unknown device code": (
        lambda iam: iam.token(
            ("device-code-client", "secret"), grant_type=DEVICE, device_code="no"
        ),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ),
    "unknown user": (
        lambda iam: iam.token(grant_type="password", username="nobody", password="password", **SUBJECT),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ),
    "wrong password": (
        lambda iam: iam.token(grant_type="password", username="test_100", password="wrong", **SUBJECT),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ),
    "wrong secret, basic": (
        lambda iam: iam.token(("client-cred", "wrong"), grant_type="client_credentials"),
        (401, "unauthorized"),
        (401, "invalid_client"),
    ),
    "wrong secret, post": (
        lambda iam: iam.token(grant_type="client_credentials", client_id=SUBJECT["client_id"], client_secret="wrong"),
        (401, "invalid_client"),
        (401, "invalid_client"),
    ),
    "unknown client": (
        lambda iam: iam.token(("no-such-client", "secret"), grant_type="client_credentials"),
        (401, "unauthorized"),
        (401, "invalid_client"),
    ),
    "no client": (
        lambda iam: iam.token(grant_type="client_credentials"),
        (401, "unauthorized"),
        (401, "invalid_client"),
    ),
    "grant not allowed": (
        cred(grant_type=EXCHANGE, subject_token=ACCESS, scope="openid"),
        (401, "invalid_client"),
        (400, "unauthorized_client"),
    ),
    "scope the client may not have": (
        cred(grant_type="client_credentials", scope="openid fly-to-the-moon"),
        (400, "invalid_scope"),
        (400, "invalid_scope"),
    ),
    "scope wider than before": (
        lambda iam: iam.refresh(iam.password(scope="profile offline_access")["refresh_token"], scope="openid profile"),
        (400, "invalid_scope"),
        (400, "invalid_scope"),
    ),
    "exchange to the same client with offline_access": (
        lambda iam: iam.exchange(
            iam.token(grant_type="client_credentials", scope="openid", **ACTOR).json()["access_token"],
            "openid offline_access",
        ),
        (403, "access_denied"),
        (400, "invalid_request"),
    ),
    "exchange with a scope that one of the two may not have": (
        lambda iam: iam.exchange(iam.client_credentials()["access_token"], "wlcg.groups"),
        (400, "invalid_scope"),
        (400, "invalid_scope"),
    ),
    "exchange without scope": (
        lambda iam: iam.exchange(iam.client_credentials()["access_token"], ""),
        (400, "invalid_request"),
        (400, "invalid_request"),
    ),
    "exchange with an actor token": (
        lambda iam: iam.exchange(iam.client_credentials()["access_token"], actor_token="x"),
        (400, "invalid_request"),
        (400, "invalid_request"),
    ),
    "refresh token of another client": (
        lambda iam: iam.token(
            grant_type="refresh_token", refresh_token=iam.password()["refresh_token"], **ACTOR
        ),
        (401, "invalid_client"),
        (401, "invalid_client"),
    ),
    "no grant type": (cred(), (400, "invalid_request"), (400, "invalid_request")),
    "unsupported grant type": (
        cred(grant_type="implicit"),
        (400, "unsupported_grant_type"),
        (400, "unsupported_grant_type"),
    ),
    "introspection with credentials in the form": (
        lambda iam: iam.post("introspect", {"token": "x", **SUBJECT}),
        (401, "unauthorized"),
        (401, "invalid_client"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_indigo_style(iam: Iam, case: str) -> None:
    """The status and error code that INDIGO IAM gives in each situation."""
    attempt, expected, _ = CASES[case]
    response = attempt(iam)
    assert (response.status_code, response.json()["error"]) == expected


@pytest.mark.parametrize("case", CASES)
def test_rfc_style(rfc: Iam, case: str) -> None:
    """The status and error code that RFC 6749 and RFC 8693 ask for in each situation."""
    attempt, _, expected = CASES[case]
    response = attempt(rfc)
    assert (response.status_code, response.json()["error"]) == expected


def test_the_description_repeats_the_whole_token_as_upstream_does(iam: Iam) -> None:
    assert iam.refresh(REFRESH).json()["error_description"] == f"Refresh token for value {REFRESH} was not found"
    assert iam.exchange(ACCESS).json()["error_description"] == f"Access token for value {ACCESS} was not found"


def test_a_token_with_braces_is_repeated_as_it_is(iam: Iam) -> None:
    assert iam.refresh("{0}{x}").json()["error_description"] == "Refresh token for value {0}{x} was not found"


def test_the_rfc_style_never_repeats_a_token(rfc: Iam) -> None:
    assert REFRESH not in rfc.refresh(REFRESH).text
    assert ACCESS not in rfc.exchange(ACCESS).text


def test_the_grant_that_is_not_allowed_is_named(iam: Iam) -> None:
    response = iam.token(CRED, grant_type=EXCHANGE)
    assert response.json()["error_description"].startswith("Unauthorized grant type")


def test_a_failed_basic_authentication_is_challenged(iam: Iam) -> None:
    response = iam.token(("client-cred", "wrong"), grant_type="client_credentials")
    assert response.headers["www-authenticate"] == 'Basic realm="iam"'


@pytest.mark.parametrize(
    "body", [b"\xff\xfe=1", b"&".join(b"a%d=1" % n for n in range(200)), b"scope=" + b"x" * 70_000]
)
def test_a_body_that_is_no_reasonable_form_is_refused(iam: Iam, body: bytes) -> None:
    response = iam.http.post(iam.issuer + "token", data=body, timeout=60)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_other_methods_and_paths_are_refused(iam: Iam) -> None:
    assert iam.get("token").status_code == 405
    assert iam.get("no/such/path").status_code == 404
