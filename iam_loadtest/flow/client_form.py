"""Steps that send a form as a client: what proves the client is put in here, whichever way it does that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter_ns
from urllib.parse import urlencode

from iam_loadtest.flow.chain import ChainStep
from iam_loadtest.flow.form import FORM_HEADERS
from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_assertion import AssertionSigner
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Form


@dataclass(frozen=True)
class ClientForm:
    """Where a client sends its forms, with what is the same in each of them encoded."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    signer: AssertionSigner | None = None


@dataclass(frozen=True, kw_only=True)
class ClientFormStep(ChainStep):
    """A step whose requests are forms of a client."""

    form: ClientForm

    def post(self, body: bytes, kind: str) -> Request:
        """The request with this body; an assertion is signed now, before the request's clock starts."""
        form = self.form
        if form.signer is None:
            return Request(self.label, form.url, form.headers, body, "POST", kind)
        return self._signed(form.signer, body, kind)

    def _signed(self, signer: AssertionSigner, body: bytes, kind: str) -> Request:
        started_ns = perf_counter_ns()
        proven = b"%b&client_assertion=%b" % (body, signer.sign())
        return Request(
            self.label,
            self.form.url,
            self.form.headers,
            proven,
            "POST",
            kind,
            signing_us=(perf_counter_ns() - started_ns) // 1000,
            renew=partial(self._signed, signer, body, kind),
        )


def client_form(url: str, client: ClientCredentials, fields: Form) -> ClientForm:
    """The form of a client with these constant fields."""
    body = urlencode((*client.form(), *fields)).encode()
    return ClientForm(url, {**FORM_HEADERS, **client.headers()}, body, client.signer)
