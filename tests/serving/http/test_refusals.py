"""What can't be answered is refused with a reason, whatever it is, and leaves no trace."""

import logging
import time

import pytest

CLIENT = {"client_id": "a"}
BOUGHT = {"timestamp": "2024-03-01", "amount": 5}
MALFORMED = 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"clients": []}, "clients: List should have at least 1 item"),
        ({"clients": [CLIENT | {"transactions": [BOUGHT | {"txet": "x"}]}]}, "txet: Extra inputs"),
        ({"clients": [CLIENT | {"transactions": [{"amount": 5}]}]}, "timestamp: Field required"),
        ({"clients": [CLIENT | {"transactions": [BOUGHT | {"amount_minor": 1}]}]}, "have both"),
        ({"clients": [{"client_id": 17.5}]}, "client_id: Value error, must hold strings or whole"),
        ({"clients": [{"client_id": " "}]}, "client_id: Value error, is missing"),
        ({"clients": [CLIENT, CLIENT]}, "a client_id appears twice"),
        ({"clients": [CLIENT, {"client_id": "b", "transactions": []}]}, "in the same form"),
        ({"clients": [CLIENT | {"features": {}, "transactions": [BOUGHT]}]}, "both features and"),
        ({"clients": [CLIENT | {"features": {"recency_days": 1}}]}, "- frequency (missing)"),
        ({"clients": [CLIENT | {"features": {"x": 0}}, {"client_id": "b", "features": {"y": 1}}]},
         "other features than the first: 'x'"),
        ([], "the body: Input should be an object"),
    ],
)  # fmt: skip
def test_json_that_can_not_be_used_is_explained(server, body, message):
    answer = server.predict(json=body)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty line"),
        ("client_id\n", "no rows below its header"),
        ("id,amount\n1,2\n", "including client_id; found id, amount"),
        ("client_id,amount,amount\na,1,2\n", "'amount' twice"),
        ("client_id,timestmp,amount\na,2024-03-01,1\n", "did you mean 'timestmp'"),
        ("client_id,timestamp,amount\na,2024-03-01\n", "Expected 3 columns, got 2"),
        ("client_id,timestamp,amount\na,2024-03-01,much\n", "amount is missing, not a number"),
        ("client_id,timestamp,amount\na,soon,1\n", "expected to hold dates, found 'soon'"),
        ("client_id,timestamp,amount\n,2024-03-01,1\n", "client_id is missing"),
        ("client_id,recency_days\na,b\n", "invalid value 'b'"),
        ("client_id,timestamp,amount\na\xff,2024-03-01,1\n".encode("latin-1"), "UTF8"),
        ("client_id\na\n".encode("utf-16"), "in UTF-8"),
    ],
)
def test_a_csv_that_can_not_be_used_is_explained(server, text, message):
    answer = server.upload(text)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"as_of": "2024-4-1"}, 422, "'2024-4-1' is not a date (expected YYYY-MM-DD)"),
        ({"as_of": "2024-02-30"}, 422, "'2024-02-30' is not a date"),
        ({}, 422, "query.as_of: Field required"),
        ({"as_of": "2024-04-01", "targets": "upsell"}, 422, "there is no target 'upsell'"),
        ({"as_of": "2024-03-01"}, 409, "which is as of 2024-04-01; as_of is 2024-03-01"),
    ],
)
def test_a_query_that_can_not_be_answered_is_explained(server, params, status, message):
    answer = server.client.post("/predict", params=params, json={"clients": [CLIENT]})
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_other_types_and_routes_are_distinguished(server):
    assert server.predict(content="x", headers={"content-type": "text/html"}).status_code == 415
    assert server.predict(content="x").status_code == 415
    assert server.client.get("/predict").status_code == 405
    assert server.client.get("/clients/nobody").status_code == 404
    missing = server.predict(files={"other": ("a.csv", "client_id\n1\n")})
    assert "expected in the form's field 'file'" in missing.json()["detail"]


def test_malformed_bodies_are_the_senders_fault(server, malformed):
    for seed in range(MALFORMED):
        query, kind, body = malformed(seed)
        headers = {"content-type": kind}
        answer = server.client.post("/predict", params=query, content=body, headers=headers)
        assert answer.status_code < 500, (seed, answer.text)
        assert answer.status_code == 200 or answer.json()["detail"], seed


def test_a_server_without_a_key_answers_to_names_of_this_machine_only(server):
    for host, status in (("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:1", 200),
                         ("shop.example", 421), ("[", 421)):  # fmt: skip
        assert server.client.get("/health", headers={"host": host}).status_code == status


def test_nothing_of_a_client_is_logged(server, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    server.client.get("/clients/secret-client", params={"secret": "secret"})
    server.upload("client_id,timestamp,amount,text\nsecret-a,2024-03-01,5,secret-b\n")
    server.upload("client_id,timestamp,amount\nsecret-a,secret-c,5\n")
    server.predict(json={"clients": [{"client_id": "secret-d", "transactions": [{"x": "secret"}]}]})

    def failing(*_):
        raise RuntimeError("secret-e")

    monkeypatch.setattr(type(server.cache.current), "place", failing)
    failed = server.client.get("/clients/secret-f")
    assert failed.status_code == 500
    assert failed.json() == {"detail": "internal server error"}
    time.sleep(0.1)
    ours = [r for r in caplog.records if r.name.startswith("evergreen")]
    logged = [record.getMessage() for record in ours]
    assert any("GET /clients/{client_id} 404" in line for line in logged)
    assert any(line.startswith("RuntimeError at test_refusals.py:") for line in logged)
    assert "secret" not in "\n".join(logged)
