"""CPU of the built-in IAM per request, beside the signature it cannot do without.

    python bench/bench_iam.py [--seconds 1.0] [--rounds 5] [--algorithm RS256]

Measured is the CPU time of the server's worker process. A busy machine still changes it, because processors share
caches and clock, so each round measures the signature and then every workload, and the medians of the rounds are shown.
What is left of a request without its signatures is the built-in IAM's own work. The signature is the processor's: the
last column, marked as computed, says what this work would give where one RS256 signature takes 300 us. The token pool
grows the database, as real use does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from stored import store

CONNECTIONS = 32
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT = {"client_id": "token-exchange-subject", "client_secret": "secret"}
ACTOR = {"client_id": "token-exchange-actor", "client_secret": "secret"}
SIGNATURES = {"client_credentials": 1, "refresh": 1, "exchange": 1, "refresh + ID token": 2}
GOALS = {"client_credentials": 1300, "refresh": 1100, "exchange": 1100}
GOAL_SIGNATURE_US = 300.0
Body = Callable[[int], bytes]
Costs = dict[str, list[float]]


class Connection:
    """A keep-alive HTTP connection that knows just enough to post a form and read a JSON answer."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        self._writer.close()

    async def post(self, form: bytes, headers: bytes = b"") -> dict[str, str]:
        self._writer.write(
            b"POST /token HTTP/1.1\r\nHost: iam\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            + headers
            + b"Content-Length: %d\r\n\r\n" % len(form)
            + form
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head.splitlines()[0].decode()}: {body[:200].decode()}")
        answer: dict[str, str] = json.loads(body)
        return answer


@contextmanager
def running_iam(algorithm: str) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the worker process of a fresh IAM."""
    with tempfile.TemporaryDirectory() as directory:
        ready = Path(directory) / "ready.json"
        command = [sys.executable, "-m", "iam_loadtest.cli.iam", "--port", "0", "--algorithm", algorithm]
        process = subprocess.Popen([*command, "--ready-file", str(ready)], stderr=subprocess.DEVNULL)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"the IAM ended with exit code {process.returncode}")
                time.sleep(0.02)
            (worker,) = psutil.Process(process.pid).children()
            yield json.loads(ready.read_text())["port"], worker
        finally:
            process.terminate()
            process.wait(5)


async def run_for(connections: list[Connection], seconds: float, body: Body, headers: bytes) -> int:
    """Keep every connection busy; gives the number of answers."""
    until = time.monotonic() + seconds
    counts = [0] * len(connections)

    async def user(index: int, connection: Connection) -> None:
        form = body(index)
        while time.monotonic() < until:
            await connection.post(form, headers)
            counts[index] += 1

    await asyncio.gather(*(user(index, connection) for index, connection in enumerate(connections)))
    return sum(counts)


async def token_families(connection: Connection, scope: str) -> tuple[list[str], list[str]]:
    """Refresh tokens to refresh with, and access tokens of other families to exchange."""
    answers = [
        await connection.post(
            urlencode(
                {
                    "grant_type": "password",
                    "username": f"test_{100 + n}",
                    "password": "password",
                    "scope": scope,
                    **SUBJECT,
                }
            ).encode()
        )
        for n in range(2 * CONNECTIONS)
    ]
    return [a["refresh_token"] for a in answers[:CONNECTIONS]], [a["access_token"] for a in answers[CONNECTIONS:]]


async def workloads(connection: Connection) -> dict[str, tuple[Body, bytes]]:
    """Each workload's form by connection, and its headers."""
    refresh, access = await token_families(connection, "profile offline_access")
    with_id, _ = await token_families(connection, "openid profile offline_access")
    basic = b"Authorization: Basic " + base64.b64encode(b"client-cred:secret") + b"\r\n"

    def refresh_form(tokens: list[str]) -> Body:
        forms = [urlencode({"grant_type": "refresh_token", "refresh_token": t, **SUBJECT}).encode() for t in tokens]
        return lambda index: forms[index]

    cc = urlencode({"grant_type": "client_credentials", "scope": "openid profile"}).encode()
    exchanges = [
        urlencode({"grant_type": EXCHANGE, "subject_token": t, "scope": "profile", **ACTOR}).encode() for t in access
    ]
    return {
        "client_credentials": (lambda _: cc, basic),
        "refresh": (refresh_form(refresh), b""),
        "exchange": (lambda index: exchanges[index], b""),
        "refresh + ID token": (refresh_form(with_id), b""),
    }


def signature_of(algorithm: str) -> Callable[[], bytes]:
    """A function that signs something of a token's size with a new key."""
    if algorithm == "RS256":
        rsa_key = rsa.generate_private_key(65537, 2048)
        return lambda: rsa_key.sign(b"x" * 400, padding.PKCS1v15(), hashes.SHA256())
    ec_key = ec.generate_private_key(ec.SECP256R1())
    return lambda: ec_key.sign(b"x" * 400, ec.ECDSA(hashes.SHA256()))


def signing_floor_us(algorithm: str) -> float:
    """CPU of one signature by the library the IAM signs with."""
    sign = signature_of(algorithm)
    sign()
    started, count = time.process_time(), 0
    while time.process_time() - started < 0.3:
        sign()
        count += 1
    return (time.process_time() - started) / count * 1e6


async def measure(port: int, worker: psutil.Process, options: argparse.Namespace) -> tuple[list[float], Costs]:
    """CPU microseconds of one signature in each round, and of the worker per request by workload and round."""
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.open()
    loads = await workloads(connections[0])
    floors: list[float] = []
    costs: Costs = {name: [] for name in loads}
    for _ in range(options.rounds):
        floors.append(signing_floor_us(options.algorithm))
        for name, (body, headers) in loads.items():
            before = worker.cpu_times()
            count = await run_for(connections, options.seconds, body, headers)
            after = worker.cpu_times()
            used_s = after.user + after.system - before.user - before.system
            costs[name].append(used_s / count * 1e6)
    for connection in connections:
        connection.close()
    return floors, costs


def table(algorithm: str, floors: list[float], costs: Costs) -> Iterator[str]:
    """The figures as lines of text. Own work is total less signatures within a round, then the median of the rounds."""
    goals = GOALS if algorithm == "RS256" else {}
    floor_us = statistics.median(floors)
    heads = f"{'CPU us/request':>15}{'signatures':>12}{'own work us':>13}{'per CPU second':>16}{'goal':>7}"
    yield f"{'':20}{heads}" + (f"   computed at {GOAL_SIGNATURE_US:.0f} us" if goals else "")
    yield f"{'one signature':20}{floor_us:>15.0f}{1:>12}{'':>13}{1e6 / floor_us:>16.0f}"
    for name, values in costs.items():
        signatures = SIGNATURES[name]
        total_us = statistics.median(values)
        own_us = statistics.median(value - signatures * floor for value, floor in zip(values, floors, strict=True))
        at_goal = f"{1e6 / (own_us + signatures * GOAL_SIGNATURE_US):>21.0f}" if goals else ""
        yield (
            f"{name:20}{total_us:>15.0f}{signatures:>12}{own_us:>13.0f}{1e6 / total_us:>16.0f}"
            f"{goals.get(name, ''):>7}{at_goal}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--algorithm", choices=["RS256", "ES256"], default="RS256")
    options = parser.parse_args()
    with running_iam(options.algorithm) as (port, worker):
        floors, costs = asyncio.run(measure(port, worker, options))
    title = f"Built-in IAM, SQLite, {options.algorithm}, one worker, {CONNECTIONS} connections, {options.rounds} rounds"
    shown = "\n".join([title, *(line.rstrip() for line in table(options.algorithm, floors, costs))])
    print(shown)
    print(f"\n{store('iam', vars(options), {'signature': floors, 'requests': costs}, shown)}")


if __name__ == "__main__":
    main()
