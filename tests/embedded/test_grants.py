"""What each grant gives, over real HTTP."""

from __future__ import annotations

import jwt
import pytest

from tests.embedded.server import ACTOR, CRED, SUBJECT, Iam, good


def verified(iam: Iam, token: str, **options: object) -> dict[str, object]:
    """The claims of a token whose signature a relying party accepts."""
    keys = jwt.PyJWKSet.from_dict(iam.get("jwk").json())
    header = jwt.get_unverified_header(token)
    claims: dict[str, object] = jwt.decode(
        token, keys[header["kid"]], algorithms=["RS256"], issuer=iam.issuer, options={"verify_aud": False}
    )
    return claims


def test_discovery_names_every_endpoint_under_an_issuer_that_ends_in_a_slash(iam: Iam) -> None:
    document = iam.get(".well-known/openid-configuration").json()
    assert document["issuer"] == iam.issuer
    assert iam.issuer.endswith("/")
    paths = {
        "token_endpoint": "token",
        "introspection_endpoint": "introspect",
        "revocation_endpoint": "revoke",
        "userinfo_endpoint": "userinfo",
        "jwks_uri": "jwk",
        "authorization_endpoint": "authorize",
        "device_authorization_endpoint": "devicecode",
    }
    assert {name: document[name] for name in paths} == {name: iam.issuer + path for name, path in paths.items()}
    assert document["code_challenge_methods_supported"] == ["S256", "plain"]
    assert "none" not in document["id_token_signing_alg_values_supported"]


def test_client_credentials_give_a_signed_token_about_the_client_and_no_refresh_token(iam: Iam) -> None:
    answer = iam.client_credentials("openid profile offline_access")
    claims = verified(iam, answer["access_token"])
    assert (claims["sub"], claims["client_id"]) == ("client-cred", "client-cred")
    assert claims["exp"] - claims["iat"] == 3600
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert answer["scope"] == "offline_access openid profile"
    assert "refresh_token" not in answer
    assert "id_token" not in answer


def test_without_a_scope_a_client_gets_all_of_its_own(iam: Iam) -> None:
    answer = good(iam.token(CRED, grant_type="client_credentials"))
    assert {"openid", "storage.read:/", "wlcg.groups"} <= set(answer["scope"].split())


def test_token_responses_are_not_cached_and_name_the_frontend(iam: Iam) -> None:
    response = iam.token(CRED, grant_type="client_credentials")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-backend"] in {"frontend-1", "frontend-2"}


def test_a_request_id_is_repeated_where_it_is_harmless_and_made_up_where_not(iam: Iam) -> None:
    def answered(given: str) -> str:
        return iam.get("health", headers={"X-Request-Id": given}).headers["x-request-id"]

    assert answered("trial-7.user_3") == "trial-7.user_3"
    assert answered("bad id; drop").startswith("frontend-")
    assert answered("x" * 65).startswith("frontend-")


def test_password_gives_a_users_tokens_and_a_refresh_token_only_with_offline_access(iam: Iam) -> None:
    answer = iam.password("test_101")
    claims = verified(iam, answer["access_token"])
    assert claims["client_id"] == "token-exchange-subject"
    assert claims["sub"] != "test_101"
    assert answer["refresh_token"]
    assert "refresh_token" not in iam.password("test_101", "openid profile")


def test_an_id_token_comes_with_openid_and_is_for_the_client(iam: Iam) -> None:
    answer = iam.password("test_102")
    claims = verified(iam, answer["id_token"])
    assert claims["aud"] == "token-exchange-subject"
    assert claims["preferred_username"] == "test_102"
    assert claims["sub"] == verified(iam, answer["access_token"])["sub"]
    assert "id_token" not in iam.password("test_102", "profile")


def test_a_client_without_the_refresh_grant_gets_no_refresh_token(iam: Iam) -> None:
    form = {"grant_type": "password", "username": "test_100", "password": "password", "scope": "openid offline_access"}
    assert "refresh_token" not in good(iam.token(CRED, **form))


def test_refresh_reuses_the_refresh_token_and_deletes_the_older_access_token(iam: Iam) -> None:
    first = iam.password("test_103")
    second = good(iam.refresh(first["refresh_token"]))
    assert second["refresh_token"] == first["refresh_token"]
    assert second["scope"] == "offline_access openid profile"
    assert second["id_token"]
    assert not iam.is_active(first["access_token"])
    assert iam.is_active(second["access_token"])


def test_refresh_can_narrow_the_scope_once_and_have_it_all_again(iam: Iam) -> None:
    first = iam.password("test_104")
    narrow = good(iam.refresh(first["refresh_token"], scope="profile"))
    assert narrow["scope"] == "profile"
    assert "id_token" not in narrow
    assert good(iam.refresh(first["refresh_token"]))["scope"] == "offline_access openid profile"


def test_exchange_keeps_the_user_and_names_the_actor(iam: Iam) -> None:
    subject = iam.password("test_105")
    answer = good(iam.exchange(subject["access_token"], audience="storage"))
    claims = verified(iam, answer["access_token"])
    assert claims["sub"] == verified(iam, subject["access_token"])["sub"]
    assert claims["client_id"] == "token-exchange-actor"
    assert claims["act"] == {"sub": "token-exchange-actor"}
    assert claims["aud"] == "storage"
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert "refresh_token" not in answer


def test_exchange_with_offline_access_gives_a_refresh_token_for_the_actor(iam: Iam) -> None:
    """The chain used in production: client_credentials, exchange with offline_access, refresh."""
    subject = iam.client_credentials("openid profile offline_access")
    answer = good(iam.exchange(subject["access_token"], "openid profile offline_access"))
    again = good(iam.token(grant_type="refresh_token", refresh_token=answer["refresh_token"], **ACTOR))
    claims = verified(iam, again["access_token"])
    assert claims["sub"] == "client-cred"
    assert claims["act"] == {"sub": "token-exchange-actor"}


def test_exchanging_an_exchanged_token_nests_the_actors(iam: Iam) -> None:
    subject = iam.password("test_106")
    once = good(iam.exchange(subject["access_token"]))
    twice = good(iam.exchange(once["access_token"]))
    assert verified(iam, twice["access_token"])["act"] == {
        "sub": "token-exchange-actor",
        "act": {"sub": "token-exchange-actor"},
    }


def test_several_audiences_become_a_list(iam: Iam) -> None:
    form = {"grant_type": "client_credentials", "audience": ["a", "b c"]}
    claims = verified(iam, good(iam.post("token", form, CRED))["access_token"])
    assert claims["aud"] == ["a", "b", "c"]


def test_introspection_tells_about_access_and_refresh_tokens(iam: Iam) -> None:
    answer = iam.password("test_107")
    access = good(iam.post("introspect", {"token": answer["access_token"]}, CRED))
    assert access["active"] is True
    assert access["username"] == "test_107"
    assert access["scope"] == "offline_access openid profile"
    refresh = good(iam.post("introspect", {"token": answer["refresh_token"]}, CRED))
    assert refresh["token_type"] == "refresh_token"
    assert refresh["client_id"] == "token-exchange-subject"
    about_client = good(iam.post("introspect", {"token": iam.client_credentials()["access_token"]}, CRED))
    assert "username" not in about_client


@pytest.mark.parametrize("token", ["", "unknown", "a.b.c"])
def test_introspection_of_what_is_no_token_is_inactive_and_no_error(iam: Iam, token: str) -> None:
    assert good(iam.post("introspect", {"token": token}, CRED)) == {"active": False}


def test_revoking_an_access_token_ends_it(iam: Iam) -> None:
    answer = iam.password("test_108")
    assert iam.post("revoke", {"token": answer["access_token"], **SUBJECT}).status_code == 200
    assert not iam.is_active(answer["access_token"])
    assert iam.refresh(answer["refresh_token"]).status_code == 200


def test_revoking_a_refresh_token_ends_it_and_its_access_tokens(iam: Iam) -> None:
    answer = iam.password("test_109")
    assert iam.post("revoke", {"token": answer["refresh_token"], **SUBJECT}).status_code == 200
    assert not iam.is_active(answer["access_token"])
    assert not iam.is_active(answer["refresh_token"])
    assert iam.refresh(answer["refresh_token"]).status_code == 401


def test_revoking_an_unknown_token_is_fine_and_anothers_is_refused(iam: Iam) -> None:
    assert iam.post("revoke", {"token": "unknown", **SUBJECT}).status_code == 200
    mine = iam.password("test_110")
    refused = iam.post("revoke", {"token": mine["refresh_token"], **ACTOR})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert iam.is_active(mine["refresh_token"])


def test_userinfo_gives_what_the_scope_allows(iam: Iam) -> None:
    def userinfo(scope: str) -> dict[str, object]:
        token = iam.password("test_111", scope)["access_token"]
        return good(iam.get("userinfo", headers={"Authorization": f"Bearer {token}"}))

    assert set(userinfo("openid")) == {"sub"}
    assert userinfo("openid profile")["name"] == "Test-111 User"
    assert userinfo("openid email")["email"] == "test-111@test.example"


def test_userinfo_refuses_a_token_without_openid_or_without_a_user(iam: Iam) -> None:
    def status(token: str) -> tuple[int, str]:
        response = iam.get("userinfo", headers={"Authorization": f"Bearer {token}"})
        return response.status_code, response.json()["error"]

    assert status(iam.password("test_111", "profile")["access_token"]) == (403, "insufficient_scope")
    assert status(iam.client_credentials()["access_token"]) == (403, "access_denied")
    assert status("unknown") == (401, "invalid_token")
    assert iam.get("userinfo").status_code == 401


def test_the_front_page_says_that_this_is_a_stand_in(iam: Iam) -> None:
    assert "stand-in for tests" in iam.get("").text
