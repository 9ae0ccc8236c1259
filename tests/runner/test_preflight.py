"""Before the load: whatever an IAM answers that is not right ends the trial with a reason that can be read aloud."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from iam_loadtest.flow.prepare import ReadyWorkload, prepare_workload
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.preflight import Preflight, failed_step
from iam_loadtest.scenario.target import Target
from tests.runner.servers import (
    DISCOVERY,
    Answer,
    Server,
    cut_short,
    document,
    dripping,
    in_turn,
    self_signed,
    serving,
    silence,
    text,
)
from tests.scenario.scenarios import scenario_of

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJoYXJyeSJ9.c2lnbmF0dXJl"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that knows no path yet."""
    with serving() as running:
        yield running


def target(**keys: Any) -> Target:
    """Health is looked at once; tests of slow servers set a shorter time limit."""
    return Target.model_validate({"timeout": 10, "connect_timeout": 10, "health_timeout": 0.1, **keys})


def reason_of(url: str, how: Target, directory: Path = Path(), health: bool = True) -> str:
    """Why a trial against this issuer would end before its load."""
    with Preflight(url, how, directory) as preflight:
        try:
            if health:
                preflight.await_health()
            preflight.discover()
        except TrialFailedError as error:
            return str(error)
    pytest.fail("nothing was wrong with it")


def test_an_iam_that_is_down_is_waited_for_and_named() -> None:
    """Nobody listens on the port: the reason asks the two questions that one would ask."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        assert reason_of(url, target()) == (
            f"the IAM was not healthy within 100ms: GET {url}.well-known/openid-configuration: "
            "connection refused (is it running, and is the port right?)."
        )


def test_an_iam_that_gets_healthy_in_time_is_found(server: Server) -> None:
    """503 at first, 200 later: the wait ends with the first 2xx."""
    server.answers["/health"] = in_turn(text(503, "starting"), text(503, "starting"), text(200, "up"))
    with Preflight(server.url, target(health=f"{server.url}health", health_timeout=20), Path()) as preflight:
        preflight.await_health()


def test_health_that_never_comes_names_the_last_status(server: Server) -> None:
    """The clock is the test's own: the second look is after the limit of a minute."""
    server.answers["/health"] = text(503, "down")
    times = iter([0.0, 59.0, 60.0])
    how = target(health=f"{server.url}health", health_timeout=60)
    with Preflight(server.url, how, Path()) as preflight, pytest.raises(TrialFailedError) as caught:
        preflight.await_health(clock=lambda: next(times))
    assert str(caught.value) == f"the IAM was not healthy within 1m: GET {server.url}health: status 503."


def test_an_iam_that_answers_500_is_not_healthy(server: Server) -> None:
    """Discovery itself is what is looked at where no health URL is given."""
    server.answers[DISCOVERY] = text(500, "<h1>Whitelabel Error Page</h1>", "text/html")
    assert reason_of(server.url, target()).endswith("/.well-known/openid-configuration: status 500.")
    server.answers[DISCOVERY] = text(404, "no")
    assert reason_of(server.url, target()).endswith(
        ": status 404; the issuer may be written wrongly (Keycloak's is https://HOST/realms/NAME)."
    )


def test_an_issuer_that_redirects_is_said_to_while_it_is_waited_for(server: Server) -> None:
    """http where https is meant is the usual case; what the URL's query holds is not repeated."""
    server.answers[DISCOVERY] = text(
        301, "", Location="https://iam.example/.well-known/openid-configuration?key=hunter2"
    )
    said = reason_of(server.url, target())
    assert ": status 301, a redirect to https://iam.example/.well-known/openid-configuration" in said
    assert said.endswith("; write the issuer that is meant.")
    assert "hunter2" not in said


def test_an_iam_that_does_not_answer_in_time_says_so(server: Server) -> None:
    """It accepts the connection and is silent."""
    server.answers[DISCOVERY] = silence(server)
    assert reason_of(server.url, target(timeout=0.1), health=False) == (
        f"GET {server.url}.well-known/openid-configuration: no answer within the time limit."
    )


@pytest.mark.parametrize("in_head", [True, False])
def test_an_answer_that_drips_is_cut_off_at_the_time_limit(server: Server, in_head: bool) -> None:
    """A byte now and then keeps no trial waiting for hours."""
    server.answers[DISCOVERY] = dripping(server, in_head)
    began = time.monotonic()
    assert reason_of(server.url, target(timeout=0.3), health=False) == (
        f"GET {server.url}.well-known/openid-configuration: no answer within the time limit."
    )
    assert time.monotonic() - began < 60


OVERSIZED = document({"issuer": "http://iam/", "padding": "x" * (1 << 20)})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text(200, "<html>Log in</html>", "text/html"), "the answer is not JSON (text/html); is this the issuer?"),
        (text(200, "{garbage", "application/json"), "the answer is not JSON (application/json); is this the issuer?"),
        (text(200, ""), "the answer is not JSON (text/plain); is this the issuer?"),
        (
            text(200, "[" * 200_000, "application/json"),
            "the answer is not JSON (application/json); is this the issuer?",
        ),
        (document([1, 2]), "the discovery document is not a JSON object."),
        (document({}), "the discovery document is of issuer None; if that one is meant, write it as the issuer."),
        (text(404, "no"), "status 404; the issuer may be written wrongly (Keycloak's is https://HOST/realms/NAME)."),
        (
            text(302, "", Location="https://login.example.org/start"),
            "status 302, a redirect to https://login.example.org/start; write the issuer that is meant.",
        ),
        (OVERSIZED, "the answer is larger than 1048576 bytes; is this the issuer?"),
        (cut_short, "the connection ended before the answer was complete."),
    ],
    ids=["html", "garbage", "empty", "too deep", "list", "no issuer", "404", "redirect", "oversized", "cut short"],
)
def test_a_wrong_discovery_document_ends_the_trial_with_its_reason(server: Server, answer: Answer, reason: str) -> None:
    """HTML, garbage, redirects and the like are no discovery document."""
    server.answers[DISCOVERY] = answer
    said = reason_of(server.url, target(), health=False)
    assert said == f"GET {server.url}.well-known/openid-configuration: {reason}"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"issuer": "https://other.example.org/"},
            "the discovery document is of issuer 'https://other.example.org/'; if that one is meant, write it as the "
            "issuer.",
        ),
        (
            {"token_endpoint": "http://evil.example.org/token"},
            "token_endpoint is on host 'evil.example.org', the issuer on '127.0.0.1'; where that is meant, name",
        ),
        ({"token_endpoint": "ftp://127.0.0.1/token"}, "token_endpoint is 'ftp://127.0.0.1/token', which is no http"),
        ({"token_endpoint": None}, "the discovery document has no token_endpoint."),
        ({"jwks_uri": "http://evil.example.org/jwk"}, "jwks_uri is on host 'evil.example.org'"),
    ],
)
def test_a_document_that_leads_elsewhere_is_not_followed(
    server: Server, changed: dict[str, object], reason: str
) -> None:
    """A secret is sent nowhere but to the host that the scenario names."""
    server.answers[DISCOVERY] = document(server.discovery(**changed))
    assert reason in reason_of(server.url, target())


def test_an_issuer_without_its_slash_is_the_same_issuer(server: Server) -> None:
    """INDIGO IAM's issuer ends in a slash even where it is configured without."""
    server.answers[DISCOVERY] = document(server.discovery())
    with Preflight(server.url.rstrip("/"), target(), Path()) as preflight:
        assert preflight.discover().token == f"{server.url}token"


def test_a_token_endpoint_that_is_given_needs_no_discovery() -> None:
    """Nothing is asked of the network."""
    how = target(token_endpoint="https://iam.example.org/token")
    with Preflight("https://iam.example.org/", how, Path()) as preflight:
        assert preflight.discover() == Endpoints("https://iam.example.org/", "https://iam.example.org/token")


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    """TLS is checked unless the scenario says otherwise, and the reason says that it is about TLS."""
    context, pem = self_signed(tmp_path)
    with serving(tls=context) as server:
        server.answers[DISCOVERY] = document(server.discovery())
        said = reason_of(server.url, target(), health=False)
        assert said.endswith(": the server's certificate is not trusted here; name its authority's file as ca_bundle.")
        named = server.url.replace("127.0.0.1", "localhost")
        elsewhere = reason_of(named, target(ca_bundle=pem.name), tmp_path, health=False)
        assert elsewhere.endswith(": the server's certificate is for another host name.")
        for how in (target(ca_bundle=pem.name), target(verify_tls=False)):
            with Preflight(server.url, how, tmp_path) as preflight:
                preflight.await_health()
                assert preflight.discover().issuer == server.url


def test_a_server_that_speaks_no_tls_is_said_to_speak_none(server: Server) -> None:
    """The port of http, or an issuer that was written with https by habit."""
    said = reason_of(server.url.replace("http:", "https:"), target(), health=False)
    assert said.endswith(": what answers there speaks no TLS (is it http, or another port?).")


def ready(server: Server, workload: str = "access") -> ReadyWorkload:
    """The built-in IAM's workload, to be sent to this server."""
    return prepare_workload(scenario_of(), workload, Endpoints(server.url, f"{server.url}token"), Path(), {})


def walk(server: Server, workload: str = "access", how: Target | None = None) -> tuple[str | None, list[Outcome]]:
    """The reason in words where a step fails, and the outcomes of the steps that were tried."""
    with Preflight(server.url, how or target(), Path()) as preflight:
        checked, _ = preflight.walk(ready(server, workload))
    return failed_step(checked), [step.outcome for step in checked]


TOKENS = {"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}


def test_every_step_of_a_workload_is_walked_once(server: Server) -> None:
    """Issue, refresh, exchange, each with what the last one gave."""
    server.answers["/token"] = document(TOKENS)
    assert walk(server, "workflow") == (None, [Outcome.OK] * 3)


def test_a_walk_ends_at_the_first_step_that_fails(server: Server) -> None:
    """The refresh is refused, so nothing is exchanged."""
    refusal = document({"error": "invalid_grant", "error_description": "no"}, 400)
    server.answers["/token"] = in_turn(document(TOKENS), refusal)
    reason, outcomes = walk(server, "workflow")
    assert outcomes == [Outcome.OK, Outcome.REFUSED]
    assert reason == "step refresh came to refused: 400 invalid_grant no"


def test_a_step_that_asks_nobody_does_not_take_the_next_one_s_place(server: Server, tmp_path: Path) -> None:
    """The refresh is the second step of its chain, and the first request: what is said of it is said of the refresh."""
    (tmp_path / "tokens.txt").write_text("mine")
    (tmp_path / "tokens.txt").chmod(0o600)
    server.answers["/token"] = document({"error": "invalid_grant", "error_description": "no"}, 400)
    scenario = scenario_of(
        target={"refresh_tokens": "tokens.txt"},
        steps={"take": {"request": "pre_issued"}, "refresh": {"grant": "refresh_token", "client": "subject"}},
        workloads={"later": {"prime": ["take"], "steps": ["refresh"]}},
    )
    endpoints = Endpoints(server.url, f"{server.url}token")
    with Preflight(server.url, target(), tmp_path) as preflight:
        checked, _ = preflight.walk(prepare_workload(scenario, "later", endpoints, tmp_path, {}))
    assert [(one.step, one.position) for one in checked] == [("refresh", 1)]
    assert failed_step([]) is None, "steps that ask nobody cannot fail"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            document({"error": "invalid_client", "error_description": "Bad client credentials"}, 401),
            "step issue came to refused: 401 invalid_client Bad client credentials",
        ),
        (text(500, "<h1>oops</h1>", "text/html"), "step issue came to server_error: 500 without an OAuth error"),
        (text(200, "<html>", "text/html"), "step issue came to protocol_error: "),
        (document({"token_type": "Bearer"}), "step issue came to protocol_error: "),
        (text(302, "", Location="/login"), "step issue came to protocol_error: 302 redirect, which"),
        (document({**TOKENS, "x": "x" * (1 << 20)}), "step issue came to protocol_error: "),
        (text(503, "", Retry_After="5"), "step issue came to throttled: 503 without an OAuth error"),
        (cut_short, "step issue came to connection_lost: the connection ended before the answer was complete"),
    ],
    ids=["wrong secret", "500", "html", "no token", "redirect", "oversized", "busy", "cut short"],
)
def test_a_step_that_fails_says_what_it_came_to(server: Server, answer: Answer, reason: str) -> None:
    """The outcome's name and what the IAM said about it."""
    server.answers["/token"] = answer
    said, _ = walk(server)
    assert said is not None
    assert said.startswith(reason)


def test_a_step_without_an_answer_is_a_timeout(server: Server) -> None:
    """The target's own limit holds."""
    server.answers["/token"] = silence(server)
    said, outcomes = walk(server, how=target(timeout=0.1))
    assert (said, outcomes) == ("step issue came to timeout: no answer within the time limit", [Outcome.TIMEOUT])


def test_tokens_in_an_error_are_not_repeated(server: Server) -> None:
    """INDIGO IAM puts the whole token into error_description."""
    server.answers["/token"] = document(
        {"error": "invalid_token", "error_description": f"Token {JWT} was not found"}, 401
    )
    said, _ = walk(server)
    assert said == "step issue came to refused: 401 invalid_token Token <token> was not found"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A signing key that the key set knows."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(key: rsa.RSAPrivateKey) -> dict[str, object]:
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}


def verified(server: Server, claims: dict[str, object], key: rsa.RSAPrivateKey, kid: str = "one") -> str:
    """What the preflight says about a token with these claims."""
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})
    endpoints = Endpoints(server.url, f"{server.url}token", f"{server.url}jwk")
    with Preflight(server.url, target(), Path()) as preflight:
        return preflight.verify(Tokens(token), endpoints)


def test_a_right_token_is_verified(server: Server, key: rsa.RSAPrivateKey) -> None:
    """Signature, issuer and expiry are looked at, and how long it lives is said."""
    server.answers["/jwk"] = document(key_set(key))
    claims = {"iss": server.url, "exp": time.time() + 3600}
    assert verified(server, claims, key).startswith("signature, issuer and expiry are right; lives ")


@pytest.mark.parametrize("expires_at", ["4102444800", 1e300])
def test_an_expiry_that_is_a_text_or_never_comes_is_no_crash(
    server: Server, key: rsa.RSAPrivateKey, expires_at: object
) -> None:
    """PyJWT takes both."""
    server.answers["/jwk"] = document(key_set(key))
    assert "; lives " in verified(server, {"iss": server.url, "exp": expires_at}, key)


@pytest.mark.parametrize("fault", ["other issuer", "expired", "other key", "unknown kid"])
def test_a_token_that_cannot_be_trusted_ends_the_trial(server: Server, key: rsa.RSAPrivateKey, fault: str) -> None:
    """An IAM that signs wrongly is not load-tested, it is mended."""
    server.answers["/jwk"] = document(key_set(key))
    claims: dict[str, object] = {
        "iss": "https://other.example.org/" if fault == "other issuer" else server.url,
        "exp": time.time() + (-60 if fault == "expired" else 3600),
    }
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048) if fault == "other key" else key
    with pytest.raises(TrialFailedError, match="the access token cannot be trusted: "):
        verified(server, claims, signer, "two" if fault == "unknown kid" else "one")


@pytest.mark.parametrize(
    ("token", "jwks", "said"),
    [("opaque", "/jwk", "opaque token, not verified"), (JWT, None, "no JWKS known, not verified")],
)
def test_what_cannot_be_verified_is_said_to_be_so(server: Server, token: str, jwks: str | None, said: str) -> None:
    """An opaque token, or an IAM without a key set, is no failure."""
    endpoints = Endpoints(server.url, f"{server.url}token", jwks)
    with Preflight(server.url, target(), Path()) as preflight:
        assert preflight.verify(Tokens(token), endpoints) == said


def test_a_trial_s_steps_are_given_time_to_be_seen_those_of_check_are_not(server: Server) -> None:
    """The refresh is tried again where the node does not know the token yet, or rolled its write back."""
    rolled_back = document({"error": "server_error", "error_description": "Deadlock found", "db_errno": 1213}, 500)
    unknown = document({"error": "invalid_token", "error_description": "x was not found"}, 401)
    server.answers["/token"] = in_turn(
        document(TOKENS), unknown, rolled_back, document(TOKENS), document(TOKENS), unknown
    )
    with Preflight(server.url, target(), Path()) as preflight:
        patient, _ = preflight.walk(ready(server, "refresh"), is_patient=True)
        hasty, _ = preflight.walk(ready(server, "refresh"))
    assert [step.outcome for step in patient] == [Outcome.OK, Outcome.OK]
    assert [step.outcome for step in hasty] == [Outcome.OK, Outcome.STALE_READ]


def test_a_node_that_does_not_serve_is_named_before_the_load(server: Server) -> None:
    """Anything but a server error at the path of the discovery document will do."""
    server.answers[DISCOVERY] = in_turn(text(404, "no"), text(502, "bad gateway"))
    url = server.url.rstrip("/")
    with Preflight("https://iam.example.org/", target(), Path()) as preflight:
        preflight.reach({"near": url})
        with pytest.raises(TrialFailedError) as caught:
            preflight.reach({"far": url})
        assert str(caught.value) == f"target.nodes.far does not serve: GET {url}{DISCOVERY}: status 502."
        with pytest.raises(TrialFailedError, match=r"target\.nodes\.gone does not serve: GET http://127\.0\.0\.1:9/"):
            preflight.reach({"gone": "http://127.0.0.1:9"})
