"""A share of the access tokens is verified: after the latency was taken, before the row is kept.

What takes longer than the arithmetic of a signature, fetching keys anew, never holds up a user.
"""

from __future__ import annotations

import logging
import random
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import gevent
import orjson

from iam_loadtest.errors import UserError
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import without_secrets
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.transport import TransportSettings
from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.verify import BadTokenError, KeySet, UnknownKeyError, is_jwt
from iam_loadtest.results.outcome import Outcome

_LOG = logging.getLogger(__name__)
_FETCH_LIMIT_S = 10.0
_FETCH_AGAIN_US = 10_000_000
MAX_DEFERRED = 1000
"""Tokens that wait for keys; further ones are counted as without keys."""
MAX_IDS = 200_000
"""Token ids that a process remembers; later ones are only compared with these."""

KeySource = Callable[[], KeySet]


class TokenCheck:
    """Verifies a share of the tokens of one process: signature, issuer, audience, expiry, algorithm, its own ``jti``.

    ``audiences`` are those that a step asked for, by its label. A token whose key is not known is a reason to fetch
    the keys again, at most every ten seconds: providers change their keys while they run. It is looked at again
    with the new keys; where it is bad then, it is counted, but the row that its request has already stays as it is.
    """

    def __init__(
        self,
        share: float,
        issuer: str,
        keys: KeySource,
        audiences: Mapping[str, Sequence[str]],
        chance: random.Random,
    ) -> None:
        self._share = share
        self._issuer = issuer
        self._fetch = keys
        self._keys = keys() if share > 0 else None
        self._fetched_us = now_us()
        self._audiences = audiences
        self._draw = chance.random
        self._ids: dict[int, int] = {}
        self._new_ids = array("Q")
        self._counts: Counter[str] = Counter()
        self._deferred: list[tuple[str, str]] = []
        self._renewing: gevent.Greenlet | None = None

    def picks(self) -> bool:
        """Whether the next token is one of the share."""
        return self._draw() < self._share

    def problem(self, step: str, token: str) -> str | None:
        """Why a token must not be trusted; None where nothing is wrong, or where that cannot be told (yet)."""
        if not is_jwt(token):
            self._counts["opaque"] += 1
            return None
        if not self._keys:
            self._counts["without_keys"] += 1
            return None
        try:
            claims = self._keys.verify(token, self._issuer, self._audiences.get(step, ()))
            self._note_id(claims, token)
        except BadTokenError as error:
            if isinstance(error, UnknownKeyError) and self._is_deferred(step, token):
                return None
            self._counts["bad"] += 1
            return redact(str(error))
        self._counts["verified"] += 1
        return None

    def close(self) -> None:
        """The test is over: no more keys are fetched."""
        if self._renewing is not None:
            self._renewing.kill()
            self._renewing = None
        if self._deferred:
            self._counts["without_keys"] += len(self._deferred)
            self._deferred = []

    def take(self) -> dict[str, Any]:
        """Counts and token ids since the last call, as plain data; empty where there are none."""
        counts, self._counts = dict(self._counts), Counter()
        ids, self._new_ids = self._new_ids.tobytes(), array("Q")
        return {"counts": counts, "ids": ids} if counts else {}

    def _is_deferred(self, step: str, token: str) -> bool:
        """Whether the keys are being fetched anew, which begins here where it is time for it."""
        if self._renewing is None:
            if now_us() - self._fetched_us < _FETCH_AGAIN_US:
                return False
            self._renewing = gevent.spawn(self._renew)
        if len(self._deferred) < MAX_DEFERRED:
            self._deferred.append((step, token))
        else:
            self._counts["without_keys"] += 1
        return True

    def _renew(self) -> None:
        try:
            self._keys = self._fetch() or self._keys
        except UserError as error:
            _LOG.warning("%s", error)
        self._fetched_us = now_us()
        deferred, self._deferred, self._renewing = self._deferred, [], None
        for step, token in deferred:
            problem = self.problem(step, token)
            if problem is not None:
                _LOG.warning("A token is bad by the keys that were fetched anew: %s", problem)

    def _note_id(self, claims: Mapping[str, Any], token: str) -> None:
        """Raise BadTokenError where another token had the same ``jti``; the same token may be given out twice."""
        if not isinstance(claims.get("jti"), str):
            return
        token_id, whole = _hash(claims["jti"]), _hash(token)
        known = self._ids.get(token_id)
        if known is None and len(self._ids) < MAX_IDS:
            self._ids[token_id] = whole
            self._new_ids.extend((token_id, whole))
        elif known not in {None, whole}:
            raise BadTokenError("another token has the same jti")


def fetch_keys(url: str | None, settings: TransportSettings) -> KeySet:
    """The issuer's keys; none of them where they cannot be had, which is logged.

    Raises UserError for a redirect or an endless answer: no honest issuer serves its keys like that.
    """
    if url is None:
        return KeySet({})
    limit_s = min(settings.timeout_s, _FETCH_LIMIT_S)
    transport = HttpTransport(Network(replace(settings, timeout_s=limit_s, connect_timeout_s=limit_s)))
    response = transport.send(Request("jwks", url, {"Accept": "application/json"}, b"", "GET", "jwks"))
    transport.close()
    _refuse_odd(url, response)
    try:
        keys = KeySet(orjson.loads(response.body) if response.status == 200 and not response.failure else {})
    except ValueError:
        keys = KeySet({})
    if not keys:
        _LOG.warning("%s: gave no usable keys, so tokens are not verified (status %d).", url, response.status)
    return keys


def _refuse_odd(url: str, response: Response) -> None:
    if 300 <= response.status < 400:
        there = without_secrets(response.location)
        raise UserError(
            f"{url}: status {response.status}, a redirect to {there}; keys are taken from the issuer alone."
        )
    if response.failure is Outcome.PROTOCOL_ERROR:
        raise UserError(f"{url}: {redact(response.detail)}; keys like that are not used.")


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
