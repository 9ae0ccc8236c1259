"""Who is told that other machines reach a plain Locust run."""

from types import SimpleNamespace

import pytest

from iam_loadtest.load.open_port import open_ports


@pytest.mark.parametrize("host", ["", "*", "0.0.0.0", "::"])
def test_a_port_on_every_address_is_named_with_the_option_that_closes_it(host: str) -> None:
    options = SimpleNamespace(web_host=host, web_login=False, master_bind_host=host)
    web_ui, workers = open_ports(options, has_web_ui=True, is_master=True)
    assert "--web-host 127.0.0.1" in web_ui
    assert "--master-bind-host" in workers
    assert list(open_ports(options, has_web_ui=False, is_master=False)) == []


def test_a_port_of_this_machine_and_a_login_need_no_word() -> None:
    near = SimpleNamespace(web_host="127.0.0.1", web_login=False, master_bind_host="127.0.0.1")
    login = SimpleNamespace(web_host="", web_login=True, master_bind_host="10.0.0.5")
    assert [*open_ports(near, True, True), *open_ports(login, True, True)] == []
