"""Clients keep a connection for their next request: the service is not to close it just as they use it."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from tests.support.process import ServiceProcess

IDLE_S = 6.0
"""Longer than httpx, and with it OpenAI's SDK for Python, keeps a connection that nothing uses: 5 seconds."""


def test_an_idle_connection_outlives_the_clients_patience(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "data", provider="offline") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/readyz")
        assert connection.getresponse().read()
        held = connection.sock
        time.sleep(IDLE_S)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == http.client.OK
        assert connection.sock is held
        connection.close()
