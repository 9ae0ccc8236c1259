"""One client of bench_transport.py in a process of its own: runs users on a workload, prints what it cost as JSON.

    python bench/transport_client.py CLIENT WORKLOAD URL CERTIFICATE SECONDS USERS CORE

Every client runs the same workload in the way that is usual for it, and fires Locust's request event.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
from abc import abstractmethod
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from locust import FastHttpUser, HttpUser, User, constant, task  # isort: skip  locust patches what is imported after it

import gevent
from locust.env import Environment

from iam_loadtest.flow.message import Request
from iam_loadtest.load.generating import spare_the_collector
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import Place, holder_of, open_session
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices
from iam_loadtest.load.statistics import batch_statistics
from iam_loadtest.load.transport import settings_of
from iam_loadtest.load.users import TokenUser
from iam_loadtest.scenario.builtin import PUBLIC_CLIENT_SECRETS

WARM_UP_S = 1.5
REPORT_S = 3.0
"""A worker takes its rows this often."""
SUBJECT = {"client_id": "token-exchange-subject", "client_secret": PUBLIC_CLIENT_SECRETS["token-exchange-subject"]}
ACTOR = {"client_id": "token-exchange-actor", "client_secret": PUBLIC_CLIENT_SECRETS["token-exchange-actor"]}
ISSUE = {"grant_type": "password", "scope": "openid profile offline_access", "username": "test_100", **SUBJECT}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"


class StockUser(User):
    """The workloads as a Locust user is usually written; ``post`` gives the answer's JSON."""

    abstract = True
    wait_time = constant(0)
    workload = ""

    @abstractmethod
    def post(self, name: str, form: dict[str, str], **options: Any) -> dict[str, str]:
        """One request; the answer's JSON."""

    @task
    def chain(self) -> None:
        if self.workload == "access":
            self.post("issue", {"grant_type": "client_credentials"}, auth=("client-cred", "secret"))
            return
        tokens = self.post("issue", {**ISSUE, "password": "password"})
        form = {"grant_type": "refresh_token", **SUBJECT, "refresh_token": tokens["refresh_token"]}
        tokens = self.post("refresh", form)
        form = {"grant_type": EXCHANGE, **ACTOR, "scope": "openid profile", "subject_token_type": TOKEN_TYPE}
        self.post("exchange", {**form, "subject_token": tokens["access_token"]})


class StockHttpUser(StockUser, HttpUser):
    """requests, as Locust's documentation begins."""

    certificate = ""

    def on_start(self) -> None:
        self.client.verify = self.certificate

    def post(self, name: str, form: dict[str, str], **options: Any) -> dict[str, str]:
        with self.client.post("token", data=form, name=name, catch_response=True, **options) as answer:
            tokens: dict[str, str] = answer.json()
            if "access_token" not in tokens:
                answer.failure("no access_token")
            return tokens


class StockFastUser(StockUser, FastHttpUser):
    """geventhttpclient; TLS verified, with one context for all users."""

    insecure = False

    def post(self, name: str, form: dict[str, str], **options: Any) -> dict[str, str]:
        with self.client.post("token", data=form, name=name, catch_response=True, **options) as answer:
            tokens: dict[str, str] = answer.json()
            if "access_token" not in tokens:
                answer.failure("no access_token")
            return tokens


class TransportUser(User):
    """Our transport and the event alone: the same request again and again, its answer not looked into."""

    wait_time = constant(0)
    setup: LoadSetup
    request: Request

    def on_start(self) -> None:
        self.transport = HttpTransport(Network(settings_of(self.setup.target, self.setup.directory)))

    @task
    def send(self) -> None:
        started = time.perf_counter()
        response = self.transport.send(self.request)
        latency_ms = (time.perf_counter() - started) * 1000
        self.environment.events.request.fire(
            request_type="POST",
            name="issue",
            response_time=latency_ms,
            response_length=len(response.body),
            response=None,
            context={},
            exception=None,
            start_time=time.time() - latency_ms / 1000,
            url=self.request.url,
        )


class OwnUser(TokenUser):
    """What a trial runs."""


def own_setup(url: str, workload: str, certificate: str, client: str = "built-in") -> LoadSetup:
    setup = setup_of_choices(Choices(issuer=url, workload=workload, ca_bundle=certificate))
    changes = {"token_endpoint": url + "token", "transport": client}
    return replace(setup, target=setup.target.model_copy(update=changes))


def user_class_of(client: str, workload: str, url: str, certificate: str) -> type[User]:
    setup = own_setup(url, workload, certificate)
    if client == "HttpUser":
        StockHttpUser.certificate = certificate
        kind: type[User] = StockHttpUser
    elif client == "FastHttpUser":
        context = ssl.create_default_context(cafile=certificate)
        StockFastUser.ssl_context_factory = lambda *_: context
        kind = StockFastUser
    elif client == "ours, transport only":
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        TransportUser.setup = setup
        TransportUser.request = Request("issue", url + "token", headers, b"grant_type=client_credentials")
        return TransportUser
    else:
        OwnUser.workload = workload
        return OwnUser
    kind.host, kind.workload = url, workload
    return kind


def begin(environment: Environment, workload: str, setup: LoadSetup) -> None:
    """What a worker does before its users start."""
    batch_statistics(environment)
    holder, recorder = holder_of(environment), Recorder()
    recorder.synchronise(0)
    holder.session = open_session(setup, [workload], Place(), recorder)
    spare_the_collector()
    holder.is_ready.set()

    def report() -> None:
        while True:
            gevent.sleep(REPORT_S)
            recorder.take()

    gevent.spawn(report)


def served(url: str) -> int:
    """Requests that nginx has answered."""
    address = urlsplit(url)
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=sys.argv[4])
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(str(address.netloc), context=context)
    else:
        connection = http.client.HTTPConnection(str(address.netloc))
    connection.request("GET", "/status")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(text.splitlines()[2].split()[2])


def main() -> None:
    client, workload, url, certificate = sys.argv[1:5]
    seconds, users, core = float(sys.argv[5]), int(sys.argv[6]), int(sys.argv[7])
    os.sched_setaffinity(0, {core})
    user_class = user_class_of(client, workload, url, certificate)
    environment = Environment(user_classes=[user_class], host=url)
    runner = environment.create_local_runner()
    if user_class is OwnUser:
        kept = "fasthttp" if client.endswith("fasthttp") else "built-in"
        begin(environment, workload, own_setup(url, workload, certificate, kept))
    runner.start(users, spawn_rate=1000)
    gevent.sleep(WARM_UP_S)
    before, cpu_s, wall_s = served(url), time.process_time(), time.perf_counter()
    gevent.sleep(seconds)
    requests = served(url) - before
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    failures = environment.stats.total.num_failures
    sys.stdout.write(json.dumps({"requests": requests, "cpu_s": cpu_s, "wall_s": wall_s, "failures": failures}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
