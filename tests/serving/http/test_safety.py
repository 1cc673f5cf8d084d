"""Limits, the key, the addresses, and the command itself."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest

from evergreen.errors import EvergreenError
from evergreen.serving.http import server as serving_server
from evergreen.serving.http.limits import RequestLimits
from evergreen.settings import paths

CLIENT = {"client_id": "a"}
BOUGHT = {"timestamp": "2024-03-01", "amount": 5}


def test_too_much_is_refused_while_it_is_read(serving):
    def endless():
        while True:
            yield b"client_id\n" * 1000

    with serving(limits=RequestLimits(mebibytes=1, rows=3)) as server:
        large = "client_id\n" + "a" * (1 << 20)
        assert server.upload(large).status_code == 413
        assert server.predict(json={"clients": [{"client_id": "a" * (1 << 17)}]}).status_code == 413
        assert server.upload("client_id\n1\n2\n3\n4\n").status_code == 413
        four = [BOUGHT] * 4
        assert (
            server.predict(json={"clients": [CLIENT | {"transactions": four}]}).status_code == 413
        )
        with suppress(httpx.TransportError):  # closed while it is sent
            assert server.upload(endless()).status_code == 413
        assert server.upload("client_id\n1\n").status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(serving):
    with serving(limits=RequestLimits(seconds=1)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(
                b"POST /predict?as_of=2024-04-01 HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: text/csv\r\ncontent-length: 1000\r\n\r\nclient_id\n"
            )
            assert b" 408 " in slow.recv(1000)


def test_only_who_has_the_key_is_answered(serving):
    with serving(key="sesame") as server:
        for path in ("/clients/c0001", "/release", "/metrics", "/no-such-path"):
            for headers in ({}, {"authorization": "Bearer sesam"}, {"authorization": "sesame"}):
                assert server.client.get(path, headers=headers).status_code == 401
        assert server.upload("client_id\nc0001\n").status_code == 401
        authorized = {"authorization": "Bearer sesame"}
        assert server.client.get("/clients/c0001", headers=authorized).status_code == 200
        for path in ("/health", "/ready", "/"):
            assert server.client.get(path).status_code == 200
        assert (
            server.client.get("/clients/c0001", headers={"host": "x"} | authorized).status_code
            == 200
        )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "shop.example"])
def test_others_are_not_served_without_a_key(host, monkeypatch):
    monkeypatch.setenv("EVERGREEN_API_KEY", "")
    with pytest.raises(
        EvergreenError, match="EVERGREEN_API_KEY must hold a key, and it is not set"
    ):
        serving_server.serve(host, 8000, RequestLimits())


def test_addresses_of_this_machine_are_recognized():
    assert all(map(serving_server.is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_a_port_that_is_in_use_is_named():
    with serving_server.listen("127.0.0.1", 0) as used:
        port = used.getsockname()[1]
        with pytest.raises(
            EvergreenError, match=f"can't listen on 127.0.0.1, port {port}"
        ) as error:
            serving_server.listen("127.0.0.1", port)
    assert f"evergreen serve --port {port + 1}" in str(error.value)


def test_responses_are_sent_without_waiting_for_acknowledgements():
    with (
        serving_server.listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [(1024, 20_000, 1000), (1024, 1024, 256), (256, 256, 64), (20_000, 20_000, 1000)],
)
def test_no_more_connections_are_allowed_than_files_may_be_open(soft, hard, allowed, monkeypatch):
    changed = []
    monkeypatch.setattr(serving_server.resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(
        serving_server.resource, "setrlimit", lambda _, limits: changed.append(limits)
    )
    assert serving_server.allow_connections() == allowed
    assert all(soft < raised <= hard for raised, _ in changed) or soft == hard


def test_the_command_serves_logs_nothing_of_clients_and_ends_on_sigterm(published):
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "evergreen", "serve", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(f"{url}/ready").json()["known_clients"]:
                    break
            time.sleep(0.1)
        assert httpx.get(f"{url}/clients/c0001", params={"secret": "secret"}).status_code == 200
        assert httpx.get(f"{url}/clients/secret").status_code == 404
        process.send_signal(signal.SIGTERM)
        logged = process.communicate(timeout=30)[1]
    assert "GET /clients/{client_id} 404" in logged
    assert "secret" not in logged
    assert "c0001" not in logged


def test_a_machine_without_a_repository_serves_a_release(published, serving):
    paths.PARAMS.unlink()
    with serving() as server:
        body = {"clients": [CLIENT | {"transactions": [BOUGHT]}]}
        assert server.predict(json=body).status_code == 200
        assert server.client.get("/clients/c0001").status_code == 409
        assert (
            "there is no params.yaml" in server.client.get("/ready").json()["known_clients_problem"]
        )
        assert "no scores of its own data" in server.client.get("/clients/c0001").json()["detail"]
