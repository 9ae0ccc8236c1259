"""Whatever stands in an IAM's answers, a chain ends as an outcome and a probe with rows: no user meets an exception.

``IAM_LOADTEST_FUZZ=100`` tries a hundred times as many (`make fuzz`).
"""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.flow.prepare import ReadyWorkload, prepare_workload
from iam_loadtest.flow.ready_probe import ReadyProbes, prepare_probes
from iam_loadtest.flow.redirect import send_following
from iam_loadtest.load.mix import ChainKind, Mix
from iam_loadtest.load.probing import ProbePlan, Probing
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.request_head import encode_head
from iam_loadtest.load.virtual_user import VirtualUser
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.results.sample import unpack
from tests.flow.test_page import INDIGO, INDIGO_CONSENT, KEYCLOAK, KEYCLOAK_CONSENT, OTHER
from tests.load.answered import Reports
from tests.scenario.scenarios import scenario_of

LONGER = int(os.environ.get("IAM_LOADTEST_FUZZ", "1"))
HOST = "https://iam.example.org"
ENDPOINTS = Endpoints(
    HOST, *(f"{HOST}/{name}" for name in ("token", "jwk", "introspect", "userinfo", "revoke", "authorize", "device"))
)
WORKLOADS = ["workflow", "introspect", "userinfo", "revoke", "login", "device", "discovery", "jwks"]
PROBES = [kind for kind in ProbeKind if kind is not ProbeKind.DOUBLE_CODE]
LOGIN = UserLogin("ada", "pass")
GOOD = {
    **{"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 600},
    **{"active": True, "sub": "ada", "issuer": HOST, "keys": [{}]},
    **{"device_code": "d", "user_code": "u", "verification_uri": f"{HOST}/device"},
}
ODD = st.one_of(
    st.sampled_from(
        [1e308, -1e308, 2**63, -1, 0, True, None, [], {}, "", "a\r\nX: b", "\x1b[2J", "http://[", "//x", "a" * 5000]
    ),
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
)
DOCUMENTS = st.dictionaries(st.sampled_from([*GOOD, "error", "error_description"]), ODD, max_size=3)
PAGES = st.sampled_from(
    [INDIGO, KEYCLOAK, OTHER, INDIGO_CONSENT, KEYCLOAK_CONSENT, "<form method=post><input name=code>"]
)
PARTS = st.sampled_from(["<form action='http://[' method=post>", "&#xD800;", "<![", "<input type=password>", '"', "\0"])
LOCATIONS = st.sampled_from(
    [
        "/login",
        "",
        "http://[::1",
        "//",
        "http://a:b@c/",
        "http://169.254.169.254/",
        f"{HOST}:0/",
        "https://..../",
        "\xe9",
    ]
)
QUERIES = st.sampled_from(["code=c&state=", "error=e&state=", "code=c&code=d&state=", "code=%ff&state=", "state="])
STATUSES = st.sampled_from([200] * 12 + [204, 302, 302, 303, 307, 400, 401, 403, 429, 500, 503, 999])


class Hostile:
    """A transport whose answers are drawn: the right ones with something odd in them."""

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw

    def send(self, request: Request) -> Response:
        return self._answer(request) if request.visit is None else send_following(request, request.visit, self._hop)

    def close(self) -> None:
        """Nothing is open."""

    def _hop(self, request: Request, _is_guarded: bool) -> Response:
        return self._answer(request)

    def _answer(self, request: Request) -> Response:
        encode_head(request)
        status = self._draw(STATUSES)
        body = self._document() if request.visit is None else self._page()
        location = self._location(request.visit or Visit(CookieJar())) if 300 <= status < 400 else ""
        cookies = tuple(self._draw(st.lists(st.text(max_size=20), max_size=2)))
        return Response(status, body, location=location, set_cookies=cookies, url=request.url)

    def _document(self) -> bytes:
        return json.dumps(GOOD | self._draw(DOCUMENTS)).encode()

    def _page(self) -> bytes:
        page, part = self._draw(PAGES), self._draw(PARTS)
        cut = self._draw(st.integers(0, len(page)))
        return (page[:cut] + part + page[cut:] if self._draw(st.booleans()) else page).encode()

    def _location(self, visit: Visit) -> str:
        back = f"{visit.redirect_uri}?{self._draw(QUERIES)}{visit.state}"
        return str(self._draw(st.one_of(LOCATIONS, st.just(back), st.text(max_size=20))))


class Hasty(Probing):
    """Does not wait between the requests of a probe."""

    def await_due(self, due_us: int) -> None:
        """Now."""


@cache
def ready(workload: str) -> ReadyWorkload:
    return prepare_workload(scenario_of(workloads=WORKLOADS), workload, ENDPOINTS, Path(), {})


@cache
def ready_probes() -> ReadyProbes:
    return prepare_probes(scenario_of(probes={"kinds": [kind.value for kind in PROBES]}), PROBES, ENDPOINTS, Path(), {})


def examples(count: int) -> settings:
    return settings(max_examples=count * LONGER, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("workload", WORKLOADS)
@examples(5)
@given(st.data())
def test_a_chain_ends_as_an_outcome_whatever_the_answers_hold(workload: str, data: st.DataObject) -> None:
    """With its row, and with failures that can be sent to the master."""
    recorder, reports = Recorder(), Reports()
    mix = Mix([ChainKind(ready(workload))])
    user = VirtualUser(mix, LOGIN, Hostile(data), recorder, reports, lambda: False)
    outcome = user.run_chain()
    assert isinstance(outcome, Outcome)
    *requests, chain = unpack(recorder.take()).rows()
    assert len(requests) == len(reports) > 0
    assert (chain.outcome, requests[-1].outcome) == (outcome, outcome)
    assert msgpack.packb(recorder.failures.take())


@examples(25)
@given(st.data(), st.integers(0, 2**32))
def test_a_probe_comes_to_its_end_whatever_the_answers_hold(data: st.DataObject, seed: int) -> None:
    plan = ProbePlan(ready_probes(), {"a": "", "b": ""}, None, 0.0, 1000, lambda _: LOGIN)
    probes = Hasty(plan, lambda _: Hostile(data), Recorder(), random.Random(seed))
    assert probes.open_user(Reports()).run_one()
    assert msgpack.packb(probes.take())
