"""CPU of the built-in IAM per request, beside the signature it cannot do without.

    python bench/bench_iam.py [--seconds 1.0] [--rounds 3] [--algorithm RS256]

Measured is the CPU time of the server's worker process, so other load on the machine changes it little. Workloads are
alternated in every round and the median of the rounds is shown. The token pool grows the database, as real use does.
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

CONNECTIONS = 32
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT = {"client_id": "token-exchange-subject", "client_secret": "secret"}
ACTOR = {"client_id": "token-exchange-actor", "client_secret": "secret"}
GOALS = {"client_credentials": 1300, "refresh": 1100, "exchange": 1100}
Body = Callable[[int], bytes]


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


def signing_floor_us(algorithm: str) -> float:
    """CPU of one signature by the library the IAM signs with."""

    if algorithm == "RS256":
        rsa_key = rsa.generate_private_key(65537, 2048)
        sign: Callable[[], bytes] = lambda: rsa_key.sign(b"x" * 400, padding.PKCS1v15(), hashes.SHA256())  # noqa: E731
    else:
        ec_key = ec.generate_private_key(ec.SECP256R1())
        sign = lambda: ec_key.sign(b"x" * 400, ec.ECDSA(hashes.SHA256()))  # noqa: E731
    sign()
    started, count = time.process_time(), 0
    while time.process_time() - started < 0.3:
        sign()
        count += 1
    return (time.process_time() - started) / count * 1e6


async def measure(port: int, worker: psutil.Process, seconds: float, rounds: int) -> dict[str, list[float]]:
    """CPU microseconds per request of the worker, per workload and round."""
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.open()
    loads = await workloads(connections[0])
    costs: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(rounds):
        for name, (body, headers) in loads.items():
            before = worker.cpu_times()
            count = await run_for(connections, seconds, body, headers)
            after = worker.cpu_times()
            used_s = after.user + after.system - before.user - before.system
            costs[name].append(used_s / count * 1e6)
    for connection in connections:
        connection.close()
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--algorithm", choices=["RS256", "ES256"], default="RS256")
    options = parser.parse_args()
    floors = [signing_floor_us(options.algorithm) for _ in range(options.rounds)]
    with running_iam(options.algorithm) as (port, worker):
        costs = asyncio.run(measure(port, worker, options.seconds, options.rounds))
    floor = statistics.median(floors)
    print(f"Built-in IAM, SQLite, {options.algorithm}, one worker, {CONNECTIONS} connections")
    print(f"{'':22}{'CPU us/request':>15}{'per CPU second':>16}{'goal':>7}")
    print(f"{'one signature':22}{floor:>15.0f}{1e6 / floor:>16.0f}{'':>7}")
    for name, values in costs.items():
        cost = statistics.median(values)
        goal = GOALS.get(name, "") if options.algorithm == "RS256" else ""
        print(f"{name:22}{cost:>15.0f}{1e6 / cost:>16.0f}{goal:>7}")


if __name__ == "__main__":
    main()
