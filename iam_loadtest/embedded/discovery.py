"""What clients learn about us: the discovery document and the keys, both made once and served from memory."""

from __future__ import annotations

from typing import Any

from iam_loadtest.embedded.context import Iam
from iam_loadtest.embedded.seed import (
    CLIENT_GRANT,
    CLIENTS,
    CODE_GRANT,
    DEVICE_GRANT,
    EXCHANGE_GRANT,
    PASSWORD_GRANT,
    REFRESH_GRANT,
)


def discovery_document(iam: Iam) -> dict[str, Any]:
    """OpenID Connect Discovery section 3, with the extensions of RFC 8414 and RFC 8628."""
    auth_methods = [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none",
    ]
    return {
        "issuer": iam.issuer,
        "authorization_endpoint": iam.url("authorize"),
        "token_endpoint": iam.url("token"),
        "userinfo_endpoint": iam.url("userinfo"),
        "jwks_uri": iam.url("jwk"),
        "introspection_endpoint": iam.url("introspect"),
        "revocation_endpoint": iam.url("revoke"),
        "device_authorization_endpoint": iam.url("devicecode"),
        "scopes_supported": sorted({scope for client in CLIENTS for scope in client.scopes}),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            CODE_GRANT,
            CLIENT_GRANT,
            PASSWORD_GRANT,
            REFRESH_GRANT,
            EXCHANGE_GRANT,
            DEVICE_GRANT,
        ],
        "code_challenge_methods_supported": ["S256", "plain"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": iam.signer.algorithms,
        "token_endpoint_auth_methods_supported": auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256", "PS256", "EdDSA", "HS256"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "claims_supported": [
            "sub",
            "iss",
            "name",
            "preferred_username",
            "given_name",
            "family_name",
            "email",
            "email_verified",
        ],
    }
