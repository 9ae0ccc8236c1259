"""Form fields of each grant."""

from iam_loadtest.oidc.grant import Grant, constant_fields


def test_a_token_exchange_says_what_kind_of_token_it_brings() -> None:
    """RFC 8693 section 2.1; audience and resource may repeat."""
    fields = constant_fields(
        Grant.TOKEN_EXCHANGE,
        scope="openid profile",
        audience=["a", "b"],
        resource=["https://r.example"],
        requested_token_type="urn:ietf:params:oauth:token-type:refresh_token",
    )
    assert fields == (
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("scope", "openid profile"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("audience", "a"),
        ("audience", "b"),
        ("resource", "https://r.example"),
    )


def test_other_grants_send_their_name_and_the_scope_where_there_is_one() -> None:
    for grant in (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD, Grant.REFRESH_TOKEN):
        assert constant_fields(grant) == (("grant_type", grant.value),)
        assert constant_fields(grant, scope="openid")[1] == ("scope", "openid")


def test_further_fields_come_last_and_unchanged() -> None:
    assert constant_fields(Grant.PASSWORD, extra={"realm": "a b"})[-1] == ("realm", "a b")
