"""Proxies and certificates of a target: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from iam_loadtest.embedded.self_signed import self_signed
from iam_loadtest.errors import SecretMissingError, UserError
from iam_loadtest.scenario.certificate import check_certificates
from iam_loadtest.scenario.proxy import Proxy, parse_proxy, resolve_proxy
from iam_loadtest.scenario.target import Target

LOGIN = "Basic dXNlcjpwYS9zcw=="
"""user:pa/ss"""


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example.org:3128", Proxy("proxy.example.org", 3128)),
        ("http://proxy.example.org/", Proxy("proxy.example.org", 80)),
        ("http://user:pa%2Fss@proxy.example.org:3128", Proxy("proxy.example.org", 3128, LOGIN)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
    ],
)
def test_a_proxy_is_read_from_its_url(url: str, proxy: Proxy) -> None:
    assert parse_proxy(url) == proxy
    assert "dXNl" not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy",
        "http://",
        "http://proxy/path",
        "http://a b",
        "http://p:x",
    ],
)
def test_what_is_no_http_proxy_is_refused(url: str) -> None:
    with pytest.raises(UserError, match=r"^target\.proxy: \$\{PROXY\} does not hold an http URL") as caught:
        resolve_proxy(Target(proxy="${PROXY}").proxy, Path(), {"PROXY": url or " "})
    assert "p:x" not in str(caught.value)


def test_a_proxy_that_is_not_set_is_missed() -> None:
    with pytest.raises(SecretMissingError, match="environment variable PROXY is not set"):
        resolve_proxy(Target(proxy="${PROXY}").proxy, Path(), {})


@pytest.mark.parametrize("value", ["http://u:hunter2@proxy", "hunter2", 3128, {"env": "X"}, ["http://proxy"]])
def test_a_password_in_the_scenario_is_refused_and_not_repeated(value: object) -> None:
    with pytest.raises(ValueError, match="without user and password") as caught:
        Target.model_validate({"proxy": value})
    assert "hunter2" not in str(caught.value.errors()[0]["ctx"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [("http://proxy:3128", "http://proxy:3128"), ("${PROXY}", "${PROXY}"), ({"file": "proxy.url"}, "file: proxy.url")],
)
def test_a_proxy_stands_in_run_json_as_it_was_written(value: object, shown: str) -> None:
    assert json.loads(Target.model_validate({"proxy": value}).model_dump_json())["proxy"] == shown


class TestClientCertificate:
    """PEM files below the scenario's directory."""

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        certificate, key = self_signed("client")
        encryption = serialization.BestAvailableEncryption(b"secret")
        encrypted = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        contents = {"cert": certificate, "key": key, "both": certificate + key, "encrypted": encrypted}
        contents |= {"other": self_signed("other")[1], "text": b"no certificate"}
        for name, content in contents.items():
            (tmp_path / f"{name}.pem").write_bytes(content)
        return tmp_path

    @pytest.mark.parametrize(("certificate", "key"), [("cert.pem", "key.pem"), ("both.pem", None)])
    def test_it_may_stand_in_one_file_with_its_key_or_in_two(
        self, directory: Path, certificate: str, key: str | None
    ) -> None:
        check_certificates(Target(client_certificate=certificate, client_key=key), directory)

    @pytest.mark.parametrize(
        ("certificate", "key", "message"),
        [
            ("gone.pem", None, r"gone\.pem: cannot be read: No such file or directory; client_certificate must name"),
            ("cert.pem", "gone.pem", r"gone\.pem: cannot be read: No such file or directory; client_key must name"),
            ("text.pem", None, r"text\.pem: holds no PEM certificate with its key .*, or name the key's file as"),
            ("cert.pem", None, r"cert\.pem: holds no PEM certificate with its key .*, or name the key's file as"),
            ("cert.pem", "text.pem", r"cert\.pem: holds no PEM certificate with its key"),
            ("cert.pem", "other.pem", r"other\.pem: the key does not belong to .*cert\.pem; name the one that does"),
            ("cert.pem", "encrypted.pem", r"encrypted\.pem: the key is encrypted; store it without a password"),
            (None, "key.pem", r"target\.client_key is given without client_certificate"),
        ],
    )
    def test_what_cannot_be_used_is_named(
        self, directory: Path, certificate: str | None, key: str | None, message: str
    ) -> None:
        with pytest.raises(UserError, match=message) as caught:
            check_certificates(Target(client_certificate=certificate, client_key=key), directory)
        assert "\n" not in str(caught.value)
