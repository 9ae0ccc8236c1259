"""The cookies of one virtual user: as much of RFC 6265 as the pages of a login need."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from iam_loadtest.oidc.loopback import is_loopback

MAX_COOKIES = 50
MAX_COOKIE_CHARACTERS = 4096


class _Key(NamedTuple):
    """What makes two cookies the same one."""

    domain: str
    path: str
    name: str


class _Cookie(NamedTuple):
    value: str
    is_host_only: bool
    is_secure: bool
    expires_s: float | None


class CookieJar:
    """Keeps at most :data:`MAX_COOKIES`, the oldest goes first; ``clock`` gives seconds since 1970.

    Cookies that a server may not set, or that are too long, are left out without a word, as browsers do. No list of
    public suffixes is kept: a domain without a dot is refused, ``co.uk`` is not. This machine is trusted with Secure
    cookies without TLS, as by browsers: Keycloak sets no others.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cookies: dict[_Key, _Cookie] = {}

    def take(self, url: str, set_cookies: Iterable[str]) -> None:
        """Keep what the Set-Cookie headers of an answer from ``url`` say."""
        for header in set_cookies:
            if len(header) <= MAX_COOKIE_CHARACTERS:
                self._take_one(url, header)
        while len(self._cookies) > MAX_COOKIES:
            del self._cookies[next(iter(self._cookies))]

    def header(self, url: str) -> str:
        """The value of the Cookie header of a request to ``url``, empty where no cookie belongs to it."""
        if not self._cookies:
            return ""
        split = urlsplit(url)
        host, path, is_secure = (split.hostname or ""), (split.path or "/"), _is_trustworthy(split)
        now_s = self._clock()
        found = [
            (key, cookie)
            for key, cookie in self._cookies.items()
            if _is_for_host(key, cookie, host)
            and _is_for_path(key.path, path)
            and (is_secure or not cookie.is_secure)
            and (cookie.expires_s is None or cookie.expires_s > now_s)
        ]
        found.sort(key=lambda one: -len(one[0].path))
        return "; ".join(f"{key.name}={cookie.value}" for key, cookie in found)

    def _take_one(self, url: str, header: str) -> None:
        split = urlsplit(url)
        host = split.hostname or ""
        pair, *rest = header.split(";")
        name, sign, value = pair.partition("=")
        attributes = {key.strip().lower(): text.strip() for key, _, text in (one.partition("=") for one in rest)}
        domain = attributes.get("domain", "").lstrip(".").lower()
        if not sign or not name.strip() or (domain and not _may_set(host, domain)):
            return
        if "secure" in attributes and not _is_trustworthy(split):
            return
        path = attributes.get("path", "")
        key = _Key(domain or host, path if path.startswith("/") else _directory(split.path), name.strip())
        self._cookies.pop(key, None)
        expires_s = self._expiry(attributes)
        if expires_s is None or expires_s > self._clock():
            self._cookies[key] = _Cookie(value.strip(), not domain, "secure" in attributes, expires_s)

    def _expiry(self, attributes: dict[str, str]) -> float | None:
        """When the cookie ends; None where it ends with the user. Max-Age goes before Expires."""
        with suppress(ValueError, OverflowError):
            return self._clock() + int(attributes["max-age"]) if "max-age" in attributes else self._date(attributes)
        return None

    @staticmethod
    def _date(attributes: dict[str, str]) -> float | None:
        with suppress(ValueError, OverflowError):
            return parsedate_to_datetime(attributes["expires"]).timestamp() if "expires" in attributes else None
        return None


def _is_trustworthy(url: SplitResult) -> bool:
    """Whether nobody between can listen: TLS, or this machine (W3C, Secure Contexts, section 3.1)."""
    return url.scheme == "https" or is_loopback(url.hostname or "")


def _may_set(host: str, domain: str) -> bool:
    return host == domain or ("." in domain and _is_below(host, domain))


def _is_for_host(key: _Key, cookie: _Cookie, host: str) -> bool:
    return key.domain == host or (not cookie.is_host_only and _is_below(host, key.domain))


def _is_below(host: str, domain: str) -> bool:
    return host.endswith(f".{domain}") and not _is_address(host)


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _is_for_path(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else f"{cookie_path}/")


def _directory(path: str) -> str:
    return path.rpartition("/")[0] or "/"
