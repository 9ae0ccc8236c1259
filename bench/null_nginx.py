"""A private nginx that gives one fixed token answer, plain and over TLS, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from iam_loadtest.embedded.null_iam import token_response
from iam_loadtest.embedded.self_signed import self_signed

CONFIGURATION = """\
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  default_type application/json;
  server {{
    listen 127.0.0.1:{plain} backlog=4096;
    listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_certificate {directory}/certificate.pem;
    ssl_certificate_key {directory}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /token {{ return 200 '{answer}'; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


@dataclass(frozen=True)
class NullNginx:
    """A running nginx."""

    plain: int
    tls: int
    certificate: Path

    def url(self, scheme: str) -> str:
        """Where it answers in a scheme, with a slash at the end."""
        return f"{scheme}://127.0.0.1:{self.tls if scheme == 'https' else self.plain}/"


@contextmanager
def null_nginx(directory: Path, core: int) -> Iterator[NullNginx]:
    """The server while the block runs, pinned to a core."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        sys.exit("nginx is not installed; on Debian: apt-get install nginx-light")
    server = NullNginx(_free_port(), _free_port(), directory / "certificate.pem")
    certificate, key = self_signed("127.0.0.1")
    server.certificate.write_bytes(certificate)
    (directory / "key.pem").write_bytes(key)
    answer = orjson.dumps(token_response(server.url("http"), ec.generate_private_key(ec.SECP256R1()))).decode()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, plain=server.plain, tls=server.tls, answer=answer)
    )
    process = subprocess.Popen([program, "-p", str(directory), "-c", str(configuration)])
    os.sched_setaffinity(process.pid, {core})
    try:
        _await_port(process, server.plain)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit("nginx does not answer")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
