"""Reads one HTTP/1.1 answer after another from a connection's bytes, by httptools (llhttp)."""

from __future__ import annotations

import zlib
from typing import Any

import httptools

from iam_loadtest.flow.cookie_jar import MAX_COOKIES
from iam_loadtest.flow.message import Response
from iam_loadtest.load.known_head import KnownHead, KnownHeads
from iam_loadtest.load.node_name import node_name
from iam_loadtest.load.transport import TransportFailureError
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES
from iam_loadtest.results.outcome import Outcome

MAX_HEAD_BYTES = 1 << 16
MAX_ANSWER_BYTES = MAX_HEAD_BYTES + 2 * MAX_BODY_BYTES
"""As it comes, with the sizes of chunks and all that may stand beside them."""
MAX_IGNORED = 64
"""Names of headers that mean nothing here, as a server spells them."""
MAX_IGNORED_BYTES = 64
"""Longer names are looked at each time, and not kept: one may fill a whole head."""


_DAMAGED = "the compressed answer is damaged"


class ResponseReader:
    """The answer being read. :meth:`begin` before each request; :meth:`feed` until :attr:`complete`.

    Interim answers (1xx) are skipped. ``keep_alive`` is asked of the parser while the message completes: later
    it says no whatever was sent. The answer to a HEAD ends with its headers, which the parser cannot be told.
    ``known`` are heads that readers of the same ``backend_header`` share.
    """

    def __init__(self, backend_header: str, known: KnownHeads | None = None) -> None:
        self._backend_header = backend_header.lower().encode()
        self._known = KnownHeads() if known is None else known
        self._ignored: set[bytes] = set()
        self._is_used = False
        self._is_head = True
        self._parser: Any = None
        self._body: list[bytes] = []
        self.begin()

    def begin(self, is_head: bool = False) -> None:
        """Forget the last answer; the next one is to a HEAD if ``is_head``."""
        if self._is_head:
            self._parser = httptools.HttpResponseParser(self)
        elif not (is_head or self._is_used):
            return
        self._is_head = is_head
        self._is_used = False
        self._received_bytes = 0
        self._forget()

    def close(self) -> None:
        """Let go of what was read; parser and reader know each other, and would wait for the garbage collector."""
        self._is_head = True
        self._parser = None
        self._body = []

    def _forget(self) -> None:
        self.status = 0
        self.complete = False
        self.keep_alive = False
        self.retry_after = False
        self.backend = ""
        self.location = ""
        self.set_cookies: tuple[str, ...] = ()
        self.has_bytes = False
        self._in_body = False
        self._body = []
        self._body_bytes = 0
        self._is_framed = False
        self._encoding = b""

    def feed(self, data: bytes) -> None:
        """Read on; raises TransportFailureError where the bytes are no HTTP, too many, or follow the answer."""
        is_first = not self._received_bytes
        self._parse(data)
        if is_first and self.complete and self._is_worth_knowing():
            self._known.learn(data, KnownHead(self.status, self._body_bytes, self.backend))

    def recognise(self, data: bytes, received_us: int, backend: str = "") -> Response | None:
        """The answer where ``data``, the first that came, is all of one whose head was parsed before.

        None says nothing: :meth:`feed` it then. The parser needs not see it, and waits for the next answer.
        ``backend`` is the serving node where no header names it.
        """
        found = None if self._is_head else self._known.match(data)
        if found is None:
            return None
        (status, _, named), body_starts = found
        return Response(status, data[body_starts:], named or backend, False, None, "", received_us)

    def _is_worth_knowing(self) -> bool:
        """Whether the answer was one of those that :class:`KnownHead` can describe."""
        is_special = self._encoding or self.location or self.set_cookies or self.retry_after or self._is_head
        return self.keep_alive and not is_special and 200 <= self.status < 300

    def _parse(self, data: bytes) -> None:
        self._is_used = True
        self.has_bytes = True
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise _cause_of(error) from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise _protocol_error("the answer is not HTTP/1.1", self.status) from error
        if self._received_bytes > MAX_HEAD_BYTES:
            self._check_size()

    def _check_size(self) -> None:
        if not self._in_body:
            raise _protocol_error(f"the headers are larger than {MAX_HEAD_BYTES} bytes", self.status)
        if self._received_bytes > MAX_ANSWER_BYTES:
            raise too_large(self.status)

    def end_of_stream(self) -> bool:
        """Whether the answer is complete now that the server has closed: its body ran to the end of the stream."""
        self.complete = self.complete or (self._in_body and not self._is_framed)
        return self.complete

    def body(self) -> bytes:
        """The body of the answer, decompressed within the size limit."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return decompress(body, self._encoding, self.status) if self._encoding else body

    def on_message_begin(self) -> None:
        """Called by the parser; a second message before the next request would be taken for its answer."""
        if self.complete:
            raise _protocol_error("more bytes came than one answer", self.status)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for each header."""
        if name in self._ignored:
            return
        spelled, name = name, name.lower()
        if name == self._backend_header:
            self.backend = node_name(value.decode("latin-1"))
        elif name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked")):
            self._is_framed = True
        elif name == b"retry-after":
            self.retry_after = True
        elif name == b"location":
            self.location = value.decode("latin-1")
        elif name == b"set-cookie":
            if len(self.set_cookies) < MAX_COOKIES:
                self.set_cookies = (*self.set_cookies, value.decode("latin-1"))
        elif name == b"content-encoding" and value.lower() != b"identity":
            self._encoding = value.lower()
        elif name != b"content-encoding" and len(name) <= MAX_IGNORED_BYTES and len(self._ignored) < MAX_IGNORED:
            self._ignored.add(spelled)

    def on_headers_complete(self) -> None:
        """Called by the parser after the last header."""
        self.status = self._parser.get_status_code()
        self._in_body = True
        if self._is_head and self.status >= 200:
            self.keep_alive = self._parser.should_keep_alive()
            self.complete = True

    def on_body(self, part: bytes) -> None:
        """Called by the parser for each part of the body."""
        if self.complete:
            raise _protocol_error("more bytes came than one answer", self.status)
        self._body_bytes += len(part)
        if self._body_bytes > MAX_BODY_BYTES:
            raise too_large(self.status)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the answer."""
        if 100 <= self.status < 200:
            self._forget()
            return
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = True


def _cause_of(error: httptools.HttpParserCallbackError) -> BaseException:
    """What a callback raised."""
    cause = error.__context__
    return cause if isinstance(cause, TransportFailureError) else error


def decompress(body: bytes, encoding: bytes, status: int) -> bytes:
    """The body of an answer, unpacked within the size limit; raises TransportFailureError."""
    if encoding not in {b"gzip", b"deflate"}:
        raise _protocol_error("the answer has a Content-Encoding that was not asked for", status)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        text = unpacker.decompress(body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise _protocol_error(_DAMAGED, status) from error
    if unpacker.unconsumed_tail:
        raise too_large(status)
    if not unpacker.eof or unpacker.unused_data:
        raise _protocol_error(_DAMAGED, status)
    return text


def too_large(status: int) -> TransportFailureError:
    """The failure of an answer beyond the size limit."""
    return _protocol_error(f"the answer is larger than {MAX_BODY_BYTES} bytes", status)


def _protocol_error(detail: str, status: int) -> TransportFailureError:
    return TransportFailureError(Outcome.PROTOCOL_ERROR, detail, status)
