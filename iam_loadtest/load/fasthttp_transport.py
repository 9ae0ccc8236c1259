"""Locust's own client behind the same interface: what FastHttpUser sends with, its failures told as ours are.

Importing this module imports Locust.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any, Final

import gevent
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import ConnectionError as AgentError
from locust.contrib.fasthttp import LocustUserAgent

from iam_loadtest.flow.cookie_jar import MAX_COOKIES
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import FORBIDDEN_REDIRECT, is_forbidden, origin_of, send_following
from iam_loadtest.load.address_book import addresses_of
from iam_loadtest.load.dial import in_words, reason_of
from iam_loadtest.load.node_name import node_name
from iam_loadtest.load.response_reader import decompress, too_large
from iam_loadtest.load.transport import TransportFailureError, TransportSettings
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES
from iam_loadtest.results.outcome import Outcome

_ENDED: Final = "the connection ended before the answer"
_SIGNS_OF_AN_END: Final = ("connection closed", "Incomplete response", "EOF")
_NOT_HTTP: Final = "the answer is not HTTP/1.1"


class _Agent(LocustUserAgent):
    """Every status is an answer."""

    def _verify_status(self, status_code: int, url: Any = None) -> None:
        pass


class FastHttpTransport:
    """Sends with geventhttpclient over one kept connection to each origin; failures are those of HttpTransport.

    It differs where that client does: it resolves names for each connection, does not recycle idle connections, does
    not tell a reused one that died, and repeats a GET whose kept connection was gone.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._agent = self._new_agent()

    def send(self, request: Request) -> Response:
        """The answer; every failure of the network is a Response with ``failure`` set."""
        limit = gevent.Timeout(self._settings.timeout_s)
        try:
            with limit:
                if request.visit is not None:
                    return send_following(request, request.visit, self._send)
                return self._send(request, False)
        except gevent.Timeout as expired:
            self.close()
            if expired is not limit:
                raise
            return Response(0, failure=Outcome.TIMEOUT, detail=self._too_late())
        except BaseException:  # a user that is killed too: the connection's state is unknown; it is raised again
            self.close()
            raise

    def close(self) -> None:
        """Close the connections, if there are any."""
        self._agent.close()

    def _send(self, request: Request, is_guarded: bool) -> Response:
        try:
            if is_guarded and any(map(is_forbidden, addresses_of(origin_of(request.url)[1]))):
                raise TransportFailureError(Outcome.PROTOCOL_ERROR, FORBIDDEN_REDIRECT)
            return self._exchange(request)
        except (OSError, AgentError, HTTPParseError, TransportFailureError) as error:
            self.close()
            failure = self._failure_of(error)
        return Response(failure.status, failure=failure.outcome, detail=failure.detail)

    def _exchange(self, request: Request) -> Response:
        answer: Any = self._agent.urlopen(
            request.url, method=request.method, headers=dict(request.headers), payload=request.body or None
        )
        status, headers = answer.status_code, answer.headers
        return Response(
            status,
            _body_of(answer, status),
            node_name(str(headers.get(self._settings.backend_header, ""))),
            "retry-after" in headers,
            location=str(headers.get("location", "")),
            set_cookies=tuple(headers.getlist("set-cookie"))[:MAX_COOKIES],
        )

    def _failure_of(self, error: BaseException) -> TransportFailureError:
        """The foreign error as one of ours. The client wraps what it might have retried, deadlines among it."""
        original = getattr(error, "original", None)
        if isinstance(error, AgentError) and isinstance(original, gevent.Timeout):
            raise original
        if isinstance(error, AgentError) and isinstance(original, Exception):
            error = original
        if isinstance(error, TransportFailureError):
            return error
        if isinstance(error, HTTPParseError):
            return _parse_failure(error)
        if isinstance(error, TimeoutError):
            return self._too_late_to_connect(error)
        return _os_failure(error)

    def _too_late_to_connect(self, error: TimeoutError) -> TransportFailureError:
        """The limit of a single read is longer than that of a request, so what ended here was connecting."""
        limit = f"within {self._settings.connect_timeout_s:g} s"
        if "handshake" in str(error):
            return TransportFailureError(Outcome.TLS_ERROR, f"no TLS handshake {limit}")
        return TransportFailureError(Outcome.CONNECT_ERROR, f"no connection {limit}")

    def _too_late(self) -> str:
        return f"no complete answer within {self._settings.timeout_s:g} s"

    def _new_agent(self) -> LocustUserAgent:
        settings = self._settings
        return _Agent(
            max_redirects=0,
            max_retries=0,
            insecure=settings.tls is not None and not settings.tls.check_hostname,
            ssl_context_factory=lambda **_: settings.tls,
            connection_timeout=settings.connect_timeout_s,
            network_timeout=2 * settings.timeout_s,
        )


def _body_of(answer: Any, status: int) -> bytes:
    """The body, within the size limit; raises TransportFailureError. The client's own reading has no limit."""
    body: bytes = answer.read(MAX_BODY_BYTES + 1)
    answer.release()
    if len(body) > MAX_BODY_BYTES:
        raise too_large(status)
    encoding = str(answer.headers.get("content-encoding", "identity")).lower().encode()
    return body if encoding == b"identity" or not body else decompress(body, encoding, status)


def _parse_failure(error: HTTPParseError) -> TransportFailureError:
    if isinstance(error, HTTPConnectionClosed) or any(sign in str(error) for sign in _SIGNS_OF_AN_END):
        return TransportFailureError(Outcome.CONNECTION_LOST, _ENDED)
    return TransportFailureError(Outcome.PROTOCOL_ERROR, _NOT_HTTP)


def _os_failure(error: BaseException) -> TransportFailureError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportFailureError(Outcome.TLS_ERROR, f"certificate: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return TransportFailureError(Outcome.TLS_ERROR, f"handshake: {in_words(error)}")
    is_ended = isinstance(error, ConnectionResetError | BrokenPipeError)
    if isinstance(error, OSError) and not is_ended and (error.errno or isinstance(error, socket.gaierror)):
        return TransportFailureError(Outcome.CONNECT_ERROR, reason_of(error))
    return TransportFailureError(Outcome.CONNECTION_LOST, _ENDED)
