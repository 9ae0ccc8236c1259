"""Form fields of each grant at the token endpoint, in the order they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  an identifier of RFC 8693

Form = tuple[tuple[str, str], ...]


class Grant(StrEnum):
    """Grants a step may use; the text is the name in a scenario."""

    CLIENT_CREDENTIALS = "client_credentials"
    PASSWORD = "password"  # noqa: S105  the name of a grant
    AUTHORIZATION_CODE = "authorization_code"
    DEVICE_CODE = "device_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105  the name of a grant
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105  the name of a grant

    @property
    def grant_type(self) -> str:
        """The value of ``grant_type`` on the wire."""
        return _URNS.get(self, self.value)


_URNS = {
    Grant.TOKEN_EXCHANGE: "urn:ietf:params:oauth:grant-type:token-exchange",
    Grant.DEVICE_CODE: "urn:ietf:params:oauth:grant-type:device_code",
}


def constant_fields(
    grant: Grant,
    *,
    scope: str | None = None,
    audience: Iterable[str] = (),
    resource: Iterable[str] = (),
    subject_token_type: str = ACCESS_TOKEN_TYPE,
    requested_token_type: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Form:
    """The fields that are the same in every request of a step; tokens, names and passwords come on top.

    ``audience`` and ``resource`` may repeat (RFC 8693 section 2.1, RFC 8707 section 2).
    """
    fields = [("grant_type", grant.grant_type)]
    if scope:
        fields.append(("scope", scope))
    if grant is Grant.TOKEN_EXCHANGE:
        fields.append(("subject_token_type", subject_token_type))
        if requested_token_type:
            fields.append(("requested_token_type", requested_token_type))
    fields += [("audience", value) for value in audience]
    fields += [("resource", value) for value in resource]
    fields += list((extra or {}).items())
    return tuple(fields)
