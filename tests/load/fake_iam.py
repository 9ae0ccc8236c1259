"""A token server for tests: small, exact about what it counted, and faulty in the way that the issuer's path names.

Run as a process: ``python fake_iam.py READY_FILE [CERTIFICATE KEY]``. The issuer ``http://127.0.0.1:PORT/MODE/``
answers in that mode; ``/counts`` gives how many token requests each mode has had, by grant.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import ssl
import struct
import sys
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import parse_qs, unquote

COUNTS: defaultdict[str, Counter[str]] = defaultdict(Counter)
TOKEN = {"access_token": "fake-access-1234567890", "refresh_token": "fake-refresh-1234567890", "token_type": "Bearer"}
GOOD = json.dumps(TOKEN).encode()
HTML = b"<html><body>Bad gateway</body></html>"
TYPE = "Content-Type: application/json"
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def main(ready_file: Path, *certificate: str) -> None:
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    temporary = ready_file.with_suffix(".tmp")
    temporary.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    temporary.replace(ready_file)
    async with server:
        await server.serve_forever()


async def _serve(reader: Reader, writer: Writer) -> None:
    try:
        while await _answer_one(reader, writer):
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _answer_one(reader: Reader, writer: Writer) -> bool:
    """Answer one request; whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    path = head.split(" ", 2)[1]
    length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    if path == "/counts":
        return _reply(writer, json.dumps(COUNTS).encode())
    mode, _, rest = path.strip("/").partition("/")
    if rest.startswith(".well-known/"):
        host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host:"))
        return _discovery(writer, mode, f"http://{host}/{mode}/")
    if mode == "pages":
        return _page(writer, rest, head, body)
    grant = parse_qs(body.decode()).get("grant_type", ["none"])[0].rpartition(":")[2]
    COUNTS[mode][grant] += 1
    return await MODES[mode](writer, grant)


def _discovery(writer: Writer, mode: str, issuer: str) -> bool:
    if mode == "discovery-html":
        return _reply(writer, HTML)
    named = "http://other.invalid/" if mode == "discovery-wrong" else issuer
    return _reply(writer, json.dumps({"issuer": named, "token_endpoint": issuer + "token"}).encode())


def _page(writer: Writer, name: str, head: str, body: bytes) -> bool:
    """A login: ``start`` sets a cookie and leads to ``form``, which shows what came with the request."""
    method = head.split(" ", 1)[0]
    name, _, target = name.partition("?to=")
    cookie = next((line[8:] for line in head.split("\r\n") if line.startswith("Cookie: ")), "")
    if name == "start":
        cookies = ("Set-Cookie: session=s1; Path=/pages; HttpOnly", "Set-Cookie: other=o; Path=/elsewhere")
        return _reply(writer, b"", "302 Found", "Location: form?a=1", *cookies)
    if name == "loop":
        return _reply(writer, b"", "302 Found", "Location: loop")
    if name == "to":
        return _reply(writer, b"", "307 Temporary Redirect", f"Location: {unquote(target)}")
    if method == "HEAD":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        return True
    return _reply(writer, f"{method} {name} {cookie} {'length' if 'ontent-' in head else ''}{body.decode()}".encode())


def _reply(writer: Writer, body: bytes, status: str = "200 OK", *headers: str) -> bool:
    lines = (f"HTTP/1.1 {status}", TYPE, f"Content-Length: {len(body)}", *headers)
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return True


def _raw(writer: Writer, data: bytes, stays: bool = False) -> bool:
    writer.write(data)
    return stays


def _error(writer: Writer, status: str, error: str, description: str) -> bool:
    return _reply(writer, json.dumps({"error": error, "error_description": description}).encode(), status)


async def _slow(writer: Writer, grant: str) -> bool:
    await asyncio.sleep(600)
    return _reply(writer, GOOD)


async def _ok_after(writer: Writer, seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return _reply(writer, GOOD)


async def _drip(writer: Writer, grant: str) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)
    return False


async def _reset(writer: Writer, grant: str) -> bool:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


async def _close_while_idle(writer: Writer, grant: str) -> bool:
    _reply(writer, GOOD)
    await writer.drain()
    return False


async def _late_extra(writer: Writer, grant: str) -> bool:
    _reply(writer, GOOD)
    await writer.drain()
    await asyncio.sleep(0.02)
    return _reply(writer, b'{"access_token": "for nobody", "token_type": "Bearer"}')


def _chunked(body: bytes) -> bytes:
    parts = (body[:10], body[10:])
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _simple(make):
    async def answer(writer: Writer, grant: str) -> bool:
        return make(writer, grant)

    return answer


def _not_found(writer: Writer, grant: str) -> bool:
    if grant == "refresh_token":
        return _error(writer, "401 Unauthorized", "invalid_token", f"Refresh token {'x' * 40} was not found")
    return _reply(writer, GOOD)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TWICE = 2 * (HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD))
BOMB = gzip.compress(bytes(1 << 23))
MODES = {
    "ok": _simple(lambda w, g: _reply(w, GOOD, "200 OK", "X-Backend: node-1")),
    "pace": lambda w, g: _ok_after(w, 0.02),
    "pace-2": lambda w, g: _ok_after(w, 0.02),
    "pace-3": lambda w, g: _ok_after(w, 0.02),
    "html": _simple(lambda w, g: _reply(w, HTML)),
    "error500": _simple(lambda w, g: _error(w, "500 Internal Server Error", "server_error", "it broke")),
    "garbage": _simple(lambda w, g: _raw(w, b"\x00\x01 this is not HTTP\r\n\r\n")),
    "slow": _slow,
    "drip": _drip,
    "reset": _reset,
    "hangup": _simple(lambda w, g: False),
    "redirect": _simple(lambda w, g: _reply(w, b"", "302 Found", "Location: /ok/token")),
    "refused": _simple(lambda w, g: _error(w, "401 Unauthorized", "unauthorized", "Bad credentials")),
    "not-found": _simple(_not_found),
    "throttled": _simple(lambda w, g: _reply(w, b"", "503 Service Unavailable", "Retry-After: 1")),
    "no-token": _simple(lambda w, g: _reply(w, b'{"token_type": "Bearer"}')),
    "chunked": _simple(lambda w, g: _raw(w, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(GOOD), True)),
    "gzip": _simple(lambda w, g: _reply(w, gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip")),
    "gzip-bomb": _simple(lambda w, g: _reply(w, BOMB, "200 OK", "Content-Encoding: gzip")),
    "gzip-broken": _simple(lambda w, g: _reply(w, b"not gzip", "200 OK", "Content-Encoding: gzip")),
    "brotli": _simple(lambda w, g: _reply(w, b"?", "200 OK", "Content-Encoding: br")),
    "connection-close": _simple(lambda w, g: _reply(w, GOOD, "200 OK", "Connection: close") and False),
    "until-close": _simple(lambda w, g: _raw(w, HEAD + b"\r\n" + GOOD)),
    "interim": _simple(lambda w, g: _raw(w, b"HTTP/1.1 103 Early Hints\r\n\r\n", True) and _reply(w, GOOD)),
    "truncated": _simple(lambda w, g: _raw(w, HEAD + b"Content-Length: 500\r\n\r\n" + GOOD)),
    "extra": _simple(lambda w, g: _raw(w, TWICE, True)),
    "late-extra": _late_extra,
    "huge-body": _simple(lambda w, g: _reply(w, bytes(2 << 20))),
    "huge-head": _simple(lambda w, g: _raw(w, HEAD + b"X-Long: " + b"a" * (1 << 18), True)),
    "many-backends": _simple(lambda w, g: _reply(w, GOOD, "200 OK", f"X-Backend: {os.urandom(8).hex()}")),
    "idle-close": _close_while_idle,
}


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
