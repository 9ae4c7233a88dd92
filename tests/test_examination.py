"""Where a service could listen."""

from __future__ import annotations

import socket

import pytest

from service.examination import check_port


def test_a_port_is_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = check_port("127.0.0.1", port)
    assert (found.state, "--port" in found.do) == ("warn", True)
    assert check_port("127.0.0.1", 0).state == "ok"


@pytest.mark.parametrize("host", ["256.0.0.1", "no.such.host.invalid", "192.0.2.7", "::zz", "a" * 300, ""])
def test_an_address_that_is_none_of_this_machine(host: str) -> None:
    found = check_port(host, 0)
    assert found.state == ("fail" if host else "ok")  # an empty one is every address
    assert host not in found.do or not host
