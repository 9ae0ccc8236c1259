"""A step: one request of a workload."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from iam_loadtest.oidc.grant import ACCESS_TOKEN_TYPE, Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.scenario.fields import Name, Noun, Url

TokenChoice = Literal["access_token", "refresh_token"]

NEEDS_CLIENT = frozenset({RequestKind.INTROSPECT, RequestKind.REVOKE, RequestKind.LOGIN_PAGE, RequestKind.DEVICE})
_ABOUT_A_TOKEN = frozenset({RequestKind.INTROSPECT, RequestKind.REVOKE})


class Step(Noun):
    """One request of a workload: what is asked for, the acting client, and what it takes from earlier steps."""

    grant: Grant | None = Field(default=None, description="what is asked of the token endpoint")
    request: RequestKind | None = Field(default=None, description="what is asked where it is not for tokens")
    client: Name | None = Field(default=None, description="which of the clients acts")
    label: Name | None = Field(default=None, description="name of the step in results; its own name where left out")
    scope: str | None = Field(default=None, description="space-separated scopes; none sent where left out")
    audience: tuple[str, ...] = Field(default=(), description="audience, repeatable")
    resource: tuple[str, ...] = Field(default=(), description="resource indicators, repeatable")
    subject_token_from: Name | None = Field(
        default=None, description="step whose access token is exchanged; the last one that gave one where left out"
    )
    subject_token_type: str = Field(default=ACCESS_TOKEN_TYPE, description="subject_token_type of an exchange")
    requested_token_type: str | None = Field(default=None, description="requested_token_type of an exchange")
    token: TokenChoice = Field(default="access_token", description="which token is introspected or revoked")
    redirect_uri: Url | None = Field(default=None, description="where the client of a login page takes over")
    extra: dict[str, str] = Field(default_factory=dict, description="further form fields, sent as they are")

    @property
    def kind(self) -> str:
        """What is asked for: the grant, or the kind of another request."""
        return (self.grant or self.request or Grant.CLIENT_CREDENTIALS).value

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> Step:
        if self.grant is None and self.request is None:
            raise ValueError("has neither a grant nor a request; add one of them")
        if self.grant is not None and self.request is not None:
            raise ValueError("has both a grant and a request; keep one of them")
        return self

    @model_validator(mode="after")
    def _names_its_client(self) -> Step:
        needs = self.grant is not None or self.request in NEEDS_CLIENT
        if needs and self.client is None:
            raise ValueError("has no client, and somebody must act; name one of the clients")
        if not needs and self.client is not None and self.request is not None:
            raise ValueError(f"has a client, and request: {self.request} names none; remove it")
        return self

    @model_validator(mode="after")
    def _says_where_a_login_ends(self) -> Step:
        if self.request is RequestKind.LOGIN_PAGE and self.redirect_uri is None:
            raise ValueError("has no redirect_uri, and request: login_page needs the one of its client")
        return self

    @model_validator(mode="after")
    def _has_only_keys_that_are_sent(self) -> Step:
        for key, (allowed, where) in _TAKEN_BY.items():
            if key in self.model_fields_set and getattr(self, key) and self.kind not in allowed:
                raise ValueError(f"has {key}, which only {where} takes; remove it")
        return self


_TAKEN_BY = {
    "subject_token_from": (frozenset({Grant.TOKEN_EXCHANGE}), "grant: token_exchange"),
    "requested_token_type": (frozenset({Grant.TOKEN_EXCHANGE}), "grant: token_exchange"),
    "token": (_ABOUT_A_TOKEN, "request: introspect or revoke"),
    "audience": (frozenset(Grant), "a grant"),
    "resource": (frozenset(Grant), "a grant"),
    "scope": (
        frozenset({*Grant, RequestKind.LOGIN_PAGE, RequestKind.DEVICE}),
        "a grant or request: login_page or device",
    ),
    "redirect_uri": (frozenset({RequestKind.LOGIN_PAGE}), "request: login_page"),
}
"""Keys and what they are sent with; a key that would be sent nowhere is a mistake."""
