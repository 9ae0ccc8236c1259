"""What the built-in IAM is seeded with, so that a scenario for it needs no clients, users, steps or workloads."""

from __future__ import annotations

from typing import Any, Final

DEFAULT_PORT: Final = 8490
DEFAULT_ISSUER: Final = f"http://127.0.0.1:{DEFAULT_PORT}/"

PUBLIC_CLIENT_SECRETS: Final = {
    "client-cred": "secret",
    "token-exchange-subject": "secret",
    "token-exchange-actor": "secret",
    "password-grant": "secret",
    "client": "secret",
    "device-code-client": "secret",
    "jwt-auth-client_secret_jwt": "c8e9eed0-e6e4-4a66-b16e-6f37096356a7",
}
PUBLIC_PASSWORD: Final = "password"  # noqa: S105  the built-in IAM's public test users
FIRST_USER: Final = 100
"""Number of the first user that the built-in IAM seeds, as upstream's test data has it."""

DEFAULT_CLIENTS: Final[dict[str, Any]] = {
    "access": {"id": "client-cred", "secret": "secret", "auth": "basic"},
    "subject": {"id": "token-exchange-subject", "secret": "secret", "auth": "post"},
    "actor": {"id": "token-exchange-actor", "secret": "secret", "auth": "post"},
    "web": {"id": "client", "secret": "secret", "auth": "basic"},
    "device": {"id": "device-code-client", "secret": "secret", "auth": "basic"},
}
DEFAULT_USERS: Final[dict[str, Any]] = {
    "pattern": "test_{n}",
    "first": FIRST_USER,
    "last": 347,
    "password": PUBLIC_PASSWORD,
}
DEFAULT_STEPS: Final[dict[str, Any]] = {
    "issue": {"grant": "client_credentials", "client": "access"},
    "issue_for_user": {
        "grant": "password",
        "client": "subject",
        "scope": "openid profile offline_access",
        "label": "issue",
    },
    "refresh": {"grant": "refresh_token", "client": "subject"},
    "exchange": {"grant": "token_exchange", "client": "actor", "scope": "openid profile"},
}
DEFAULT_WORKLOADS: Final[dict[str, Any]] = {
    "access": ["issue"],
    "refresh": ["issue_for_user", "refresh"],
    "workflow": ["issue_for_user", "refresh", "exchange"],
}
READY_STEPS: Final[dict[str, Any]] = {
    **DEFAULT_STEPS,
    "introspect": {"request": "introspect", "client": "access"},
    "introspect_revoked": {"request": "introspect", "client": "access"},
    "userinfo": {"request": "userinfo"},
    "revoke": {"request": "revoke", "client": "access"},
    "discovery": {"request": "discovery"},
    "jwks": {"request": "jwks"},
    "login_page": {
        "request": "login_page",
        "client": "web",
        "scope": "openid profile",
        "redirect_uri": "http://localhost:4000/callback",
    },
    "login": {"request": "login"},
    "redeem": {"grant": "authorization_code", "client": "web"},
    "device": {"request": "device", "client": "device", "scope": "openid offline_access"},
    "approve": {"request": "approve"},
    "redeem_device": {"grant": "device_code", "client": "device"},
    "issue_for_service": {"grant": "client_credentials", "client": "subject", "scope": "openid", "label": "issue"},
    "exchange_offline": {
        "grant": "token_exchange",
        "client": "actor",
        "scope": "openid offline_access",
        "label": "exchange",
    },
    "refresh_exchanged": {"grant": "refresh_token", "client": "actor", "label": "refresh"},
}
"""Each is taken where a workload names it and the scenario has no step of that name."""
READY_WORKLOADS: Final[dict[str, Any]] = {
    **DEFAULT_WORKLOADS,
    "introspect": ["issue", "introspect"],
    "userinfo": ["issue_for_user", "userinfo"],
    "revoke": ["issue", "revoke", "introspect_revoked"],
    "discovery": ["discovery"],
    "jwks": ["jwks"],
    "login_page": ["login_page"],
    "login": ["login_page", "login", "redeem"],
    "device": ["device", "approve", "redeem_device"],
    "cern": ["issue_for_service", "exchange_offline", "refresh_exchanged"],
}
"""Workloads that a scenario may run by naming them in a list."""
PROBE_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "issue-introspect": ("issue", "introspect"),
    "issue-refresh": ("issue_for_user", "refresh"),
    "revoke-introspect": ("issue", "introspect", "revoke", "introspect_revoked"),
    "exchange-refresh": ("issue_for_service", "exchange_offline", "refresh_exchanged"),
    "double-refresh": ("issue_for_user", "refresh"),
    "double-code": ("login_page", "login", "redeem"),
}
"""The steps of each probe: the last one reads, or redeems twice, what the one before it wrote."""
AUDIT_STEP: Final = "introspect"
"""What every credential of a probe is read again with after the load."""
AUDIT_CLIENT: Final = "access"
