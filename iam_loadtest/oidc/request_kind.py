"""Requests of a step that are no token requests."""

from __future__ import annotations

from enum import StrEnum


class RequestKind(StrEnum):
    """What a step may ask for beside tokens; the text is the name in a scenario. PRE_ISSUED asks nobody."""

    INTROSPECT = "introspect"
    USERINFO = "userinfo"
    REVOKE = "revoke"
    DISCOVERY = "discovery"
    JWKS = "jwks"
    LOGIN_PAGE = "login_page"
    LOGIN = "login"
    DEVICE = "device"
    APPROVE = "approve"
    PRE_ISSUED = "pre_issued"
