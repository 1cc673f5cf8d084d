"""Connections that send nothing, or slowly, are closed, and shut out nobody."""

import socket
import threading
from contextlib import ExitStack, closing
from http.client import HTTPResponse

import pytest

from evergreen.serving.http.connections import Connections
from evergreen.serving.http.limits import RequestLimits

HEAD = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = (
    b"POST /predict?as_of=2024-04-01 HTTP/1.1\r\nhost: localhost\r\n"
    b"content-type: text/csv\r\ncontent-length: 1000\r\n\r\n"
)
SHORT, DRIP = 0.3, 0.05
BODY = {"clients": [{"client_id": "a", "transactions": [{"timestamp": "2024-03-01", "amount": 5}]}]}


def connect(server, sent=b""):
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(sent)
    return closing(connection)


def begin_body(server):
    """A connection of which the server waits for the body."""
    connection = connect(server, POST.replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"))
    assert b" 100 " in connection.thing.recv(1 << 16)
    return connection


def answered(connection, sent=HEAD):
    """Send something, and read a whole response; return its status."""
    connection.sendall(sent)
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def until_closed(connection):
    """All that the server sends before it closes a connection; it must do so within 10 seconds."""
    received = b""
    try:
        while part := connection.recv(1 << 16):
            received += part
    except ConnectionResetError:
        pass
    return received


def drip(connection, stop):
    """Send a byte now and then, as long as the server takes them."""
    try:
        while not stop.wait(DRIP):
            connection.sendall(b"x")
    except OSError:
        pass


@pytest.fixture(scope="module")
def hasty(serving_all):
    """A server that waits for fractions of a second."""
    with serving_all(limits=RequestLimits(seconds=SHORT), connections=Connections(SHORT)) as server:
        yield server


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET /hea", b" 408 "),
        (HEAD[:-2], b" 408 "),
        (HEAD, b" 200 "),
        (HEAD + b"GET /hea", b" 408 "),
        (POST, b" 408 "),
        (HEAD.replace(b"\r\n\r\n", b"\r\ncontent-length: 1000\r\n\r\n"), b" 200 "),
    ],
    ids=[
        "nothing",
        "half a line",
        "half a head",
        "one request",
        "a second one",
        "no body",
        "unread",
    ],
)
@pytest.mark.parametrize("dripping", [False, True], ids=["silent", "dripping"])
def test_who_does_not_complete_a_request_in_time_is_disconnected(hasty, sent, answer, dripping):
    stop = threading.Event()
    with connect(hasty, sent) as connection:
        thread = threading.Thread(target=drip, args=(connection, stop))
        if dripping:
            thread.start()
        received = until_closed(connection)
        stop.set()
        if dripping:
            thread.join()
    if sent or not dripping:
        assert answer in received
    assert received.count(b"HTTP/1.1") <= sent.count(b"GET") + sent.count(b"POST") + dripping


def test_a_connection_that_is_used_stays_open(hasty):
    with connect(hasty) as connection:
        for _ in range(4):
            assert answered(connection) == 200
            threading.Event().wait(SHORT / 2)


def test_connections_that_only_wait_shut_out_nobody(serving_all):
    limits = RequestLimits(requests=2)
    with serving_all(limits=limits) as server, ExitStack() as held:
        for _ in range(30):
            for sent in (b"", b"GET /hea", POST):
                held.enter_context(connect(server, sent))
        assert server.client.get("/health").status_code == 200
        assert server.predict(json=BODY).status_code == 200


def test_no_more_requests_are_answered_at_a_time_than_allowed(serving_all):
    with serving_all(limits=RequestLimits(requests=0)) as server:
        response = server.predict(json=BODY)
        assert response.status_code == 503
        assert "too many requests" in response.json()["detail"]
        assert server.client.get("/health").status_code == 200


def test_with_too_many_connections_the_one_that_was_idle_longest_goes(serving_all, caplog):
    with serving_all(connections=Connections(at_most=4)) as server, ExitStack() as held:
        server.client.close()
        sending = held.enter_context(begin_body(server))
        oldest, used, newest = (held.enter_context(connect(server)) for _ in range(3))
        assert answered(used) == 200
        another = held.enter_context(connect(server))
        assert answered(another) == 200
        assert until_closed(oldest) == b""
        for connection in (newest, used, another):
            assert answered(connection) == 200
        for _ in range(4):  # those that are idle go before one that sends its body
            assert answered(held.enter_context(connect(server))) == 200
        assert answered(sending, b"x" * 1000) == 422
    assert caplog.text.count("4 connections are open") == 1


def test_one_that_sends_its_body_goes_if_none_is_idle(serving_all):
    with serving_all(connections=Connections(at_most=2)) as server, ExitStack() as held:
        server.client.close()
        first, second, third = (held.enter_context(begin_body(server)) for _ in range(3))
        assert until_closed(first) == b""
        for connection in (second, third):
            assert answered(connection, b"x" * 1000) == 422
