"""requests, with the addresses of some hosts given: names stay names in Host, SNI and the check of certificates."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from iam_loadtest.runner.deadline import LimitedAdapter


class PinnedAdapter(LimitedAdapter):
    """Connects to the given addresses of a host, one after the other until one can be reached."""

    def __init__(self, context: ssl.SSLContext, addresses: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(context)
        self._addresses = addresses
        self._address = ""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """The answer of the first address that can be reached; raises the last one's error."""
        url = urlsplit(str(request.url))
        addresses = self._addresses.get(url.hostname or "", ())
        if not addresses:
            self._address = ""
            return super().send(request, *args, **options)
        request.headers["Host"] = url.netloc
        for self._address in addresses[:-1]:
            try:
                return super().send(request, *args, **options)
            except requests.exceptions.ConnectionError as error:
                if not _is_unreachable(error):
                    raise
        self._address = addresses[-1]
        return super().send(request, *args, **options)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[Any, Any]:
        """The pool of the address; SNI and the check of the certificate keep the name."""
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        if not self._address:
            return where, how
        name = where["host"] if where["scheme"] == "https" else None
        names = {"server_hostname": name, "assert_hostname": name if verify else False} if name else {}
        return {**where, "host": self._address}, {**how, **names}


def _is_unreachable(error: requests.exceptions.ConnectionError) -> bool:
    """Whether nothing was sent, so that another address may be tried."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
