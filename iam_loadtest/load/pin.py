"""Send a request to one node of a deployment, past the balancer's choice."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from iam_loadtest.flow.message import Request
from iam_loadtest.results.lab_state import NODE_HEADER


class Pins:
    """``nodes`` are URLs by name; empty for a node of a lab, whose balancer a header tells which one is meant."""

    def __init__(self, nodes: Mapping[str, str]) -> None:
        self._nodes = nodes
        self._headers: dict[tuple[int, str], tuple[Mapping[str, str], dict[str, str]]] = {}

    def request(self, request: Request, node: str | None) -> Request:
        """The request as it has to be sent to reach a node; as it is where node is None."""
        if node is None:
            return request
        url = self._nodes[node]
        if url:
            path = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
            return request._replace(url=url + path)
        return request._replace(headers=self._pinned(request.headers, node))

    def answered_by(self, node: str | None, backend: str) -> str:
        """Who answered: whoever has a URL of its own, else whom the response header names, else who was asked."""
        return node if node is not None and self._nodes[node] else backend or node or ""

    def _pinned(self, headers: Mapping[str, str], node: str) -> dict[str, str]:
        """The same object for the same headers, since the client keeps what it encoded by that."""
        known = self._headers.get((id(headers), node))
        if known is None:
            known = self._headers[id(headers), node] = (headers, {**headers, NODE_HEADER: node})
        return known[1]
