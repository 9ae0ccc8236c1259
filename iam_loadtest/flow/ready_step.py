"""A scenario's step made ready for an issuer."""

from __future__ import annotations

from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.flow.browser_step import LoginStep, login_page_step
from iam_loadtest.flow.chain import ChainStep
from iam_loadtest.flow.client_form import client_form
from iam_loadtest.flow.device_step import ApproveStep, DeviceStep
from iam_loadtest.flow.other_step import DocumentStep, UserinfoStep, token_form_step
from iam_loadtest.flow.pre_issued_step import PreIssuedStep
from iam_loadtest.flow.token_pool import TokenPool
from iam_loadtest.flow.token_step import token_step
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.discovery import DiscoveryError, Endpoints, discovery_url
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.scenario.step import Step

_NOBODY = ClientCredentials("", method=AuthMethod.NONE)


def ready_step(
    name: str, step: Step, client: ClientCredentials | None, endpoints: Endpoints, tokens: Path | None = None
) -> ChainStep:
    """The step with everything encoded that does not change; UserError where the issuer has no endpoint for it.

    ``tokens`` is the file of refresh tokens that were issued beforehand.
    """
    acting = client or _NOBODY
    if acting.method is AuthMethod.TLS_CLIENT_AUTH:
        endpoints = _for_mutual_tls(endpoints)
    if step.grant is not None:
        return token_step(name, step, step.grant, acting, endpoints.token)
    label, kind = step.label or name, RequestKind(step.kind)
    if kind is RequestKind.LOGIN:
        return LoginStep(name, label, kind)
    if kind is RequestKind.APPROVE:
        return ApproveStep(name, label, kind)
    if kind is RequestKind.PRE_ISSUED:
        return PreIssuedStep(name, label, kind, _pool(name, tokens))
    return _of_endpoint(name, step, acting, endpoints)


def _of_endpoint(name: str, step: Step, acting: ClientCredentials, endpoints: Endpoints) -> ChainStep:
    label, kind = step.label or name, RequestKind(step.kind)
    url = _endpoint(name, kind, endpoints)
    if kind in {RequestKind.INTROSPECT, RequestKind.REVOKE}:
        return token_form_step(name, step, kind, acting, url)
    if kind is RequestKind.DEVICE:
        fields = (*((("scope", step.scope),) if step.scope else ()), *step.extra.items())
        return DeviceStep(name=name, label=label, kind=kind.value, form=client_form(url, acting, fields))
    if kind is RequestKind.LOGIN_PAGE:
        return login_page_step(name, step, acting, url)
    if kind is RequestKind.USERINFO:
        return UserinfoStep(name, label, kind, url)
    return DocumentStep(name, label, kind, url)


def _pool(name: str, tokens: Path | None) -> TokenPool:
    if tokens is None:
        raise UserError(f"steps.{name} is request: pre_issued, and the target names no refresh_tokens; add the file.")
    return TokenPool(tokens)


def _for_mutual_tls(endpoints: Endpoints) -> Endpoints:
    try:
        return endpoints.for_mutual_tls()
    except DiscoveryError as error:
        raise UserError(f"{error}.") from error


def _endpoint(name: str, kind: RequestKind, endpoints: Endpoints) -> str:
    url = {
        RequestKind.INTROSPECT: endpoints.introspection,
        RequestKind.USERINFO: endpoints.userinfo,
        RequestKind.REVOKE: endpoints.revocation,
        RequestKind.DISCOVERY: discovery_url(endpoints.issuer),
        RequestKind.JWKS: endpoints.jwks,
        RequestKind.LOGIN_PAGE: endpoints.authorization,
        RequestKind.DEVICE: endpoints.device_authorization,
    }.get(kind)
    if url is None:
        raise UserError(
            f"steps.{name} is request: {kind}, and {endpoints.issuer} names no endpoint for that in its discovery "
            "document; leave the step out."
        )
    return url
