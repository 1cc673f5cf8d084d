"""The server predicts what the library, the batch and the pipeline predict."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pandas as pd
import pytest

from evergreen.serving import batch
from evergreen.serving.http import predict
from evergreen.settings import paths
from evergreen.store import tables

AS_OF = date(2024, 4, 1)
COLUMNS = ["purchase_probability", "churn_probability", "clv"]


@pytest.fixture
def events(retailer):
    """What was known of the clients on AS_OF."""
    purchases = retailer.to_pandas()
    return purchases[purchases["timestamp"] < pd.Timestamp(AS_OF)]


def rows_of(events, client):
    bought = events[events["client_id"] == client]
    columns = ["timestamp", "amount_minor", "text", "invoice_id"]
    return json.loads(bought[columns].astype({"timestamp": str}).to_json(orient="records"))


def client_of(events, client):
    return {"client_id": client, "transactions": rows_of(events, client)}


def frame(answer):
    assert answer.status_code == 200, answer.text
    return pd.DataFrame(answer.json()["predictions"]).set_index("client_id")[COLUMNS]


@pytest.fixture(scope="module")
def scored(server):
    """The scores of all clients by `evergreen score`'s function, on which the pipeline agrees."""
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    batch.score(server.watcher.release, load_settings(), AS_OF, paths.BUILD / "scores.parquet")
    return pd.read_parquet(paths.BUILD / "scores.parquet").set_index("client_id")[COLUMNS]


def assert_same(predictions, expected):
    np.testing.assert_allclose(
        predictions.to_numpy(), expected.loc[predictions.index].to_numpy(), rtol=1e-12
    )


def test_a_known_client_is_predicted_as_by_batch_and_pipeline(server, scored):
    piped = tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")
    for client in piped["client_id"].head(20):
        answer = server.client.get(f"/clients/{client}")
        assert_same(frame(answer), scored)
        assert_same(frame(answer), piped.set_index("client_id")[COLUMNS])
        assert answer.json()["as_of"] == "2024-04-01"


def test_transactions_in_json_are_predicted_as_by_batch(server, scored, events):
    clients = ["c0007", "c0001", "c0300"]
    answer = server.predict(json={"clients": [client_of(events, one) for one in clients]})
    assert list(frame(answer).index) == clients
    assert_same(frame(answer), scored)


def test_requests_at_the_same_time_do_not_mix(server, scored, events):
    clients = list(scored.index[:24])
    bodies = [{"clients": [client_of(events, one), {"client_id": "new", "transactions": []}]}
              for one in clients]  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        answers = [frame(one) for one in pool.map(lambda b: server.predict(json=b), bodies)]
    assert_same(pd.concat([answer.drop("new") for answer in answers]), scored)
    assert all(list(answer.index) == [c, "new"] for c, answer in zip(clients, answers, strict=True))


def test_one_bad_request_among_many_harms_no_other(server, scored, events):
    good = {"clients": [client_of(events, "c0001")]}
    bad = {
        "clients": [
            {"client_id": "x", "transactions": [{"timestamp": "2024-02-30", "amount_minor": 1}]}
        ]
    }
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda b: server.predict(json=b), [good, bad] * 8))
    for answer in answers[::2]:
        assert_same(frame(answer), scored)
    assert {answer.status_code for answer in answers[1::2]} == {422}
    assert "timestamp is not a date" in answers[1].json()["detail"]


def test_times_of_one_request_do_not_tell_the_order_of_another(server, scored):
    def dated(client, *days):
        rows = [{"timestamp": day, "amount": 5.0} for day in days]
        return {"clients": [{"client_id": client, "transactions": rows}]}

    days = {"d": ["13/02/2024", "03/02/2024"], "m": ["02/13/2024", "02/03/2024"]}
    expected = frame(server.predict(json=dated("i", "2024-02-13", "2024-02-03")))
    requests = [dated(client, *cells) for client, cells in days.items()] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda b: server.predict(json=b), requests))
    for answer in answers:
        assert_same(frame(answer).set_axis(["i"]), expected)
    assert server.predict(json=dated("x", "03/02/2024")).status_code == 422


def test_a_csv_of_transactions_is_predicted_as_by_batch(server, scored, events):
    text = events.drop(columns=["ingested_on", "quantity"]).to_csv(index=False)
    answer = server.upload(text)
    predictions = pd.read_csv(io.StringIO(answer.text), dtype={"client_id": str})
    assert list(predictions)[:3] == ["client_id", "observed_on", "release"]
    assert len(predictions) == len(scored)
    assert_same(predictions.set_index("client_id")[COLUMNS], scored)


def test_parts_change_nothing(server, scored, events, monkeypatch):
    monkeypatch.setattr(predict, "CLIENTS", 100)
    answer = server.upload(events.drop(columns="quantity").to_csv(index=False))
    predictions = pd.read_csv(io.StringIO(answer.text), dtype={"client_id": str})
    assert list(predictions["client_id"]) == list(scored.index)
    assert_same(predictions.set_index("client_id")[COLUMNS], scored)


def test_a_long_list_of_ids_is_looked_up_like_a_short_one(server, scored):
    ids = ["nobody", *reversed(scored.index)]
    answer = server.predict(json={"clients": [{"client_id": one} for one in ids]})
    assert list(frame(answer).index) == ids
    assert_same(frame(answer).drop("nobody"), scored)


def test_features_are_predicted_as_by_batch_in_every_way(server, scored, events):
    rows = server.watcher.release.features(events, AS_OF).head(9)
    assert_same(
        frame(server.upload(rows.to_csv(index=False), headers={"accept": "application/json"})),
        scored,
    )
    plain = rows.drop(columns="observed_on").astype(object).where(rows.notna(), None)
    bodies = [
        {"client_id": row.pop("client_id"), "features": row} for row in plain.to_dict("records")
    ]
    assert_same(frame(server.predict(json={"clients": bodies})), scored)


def test_ids_alone_are_looked_up_and_unknown_ones_are_new(server, scored):
    answer = server.upload("client_id\nc0001\nnobody\n", headers={"accept": "application/json"})
    assert_same(frame(answer).head(1), scored)
    assert answer.json()["notices"] == ["1 of 2 clients are unknown and predicted as new clients"]
    new = server.predict(json={"clients": [{"client_id": "nobody", "transactions": []}]})
    assert frame(new).equals(frame(answer).tail(1))


def test_an_upload_by_a_form_and_other_delimiters_are_read(server, scored):
    form = server.predict(files={"file": ("list.csv", "\ufeffclient_id\r\nc0001\r\n")})
    assert "c0001" in form.text
    text = 'client_id;timestamp;amount;text\nx;2024-03-01;12.5;"silk; scarf"\n'
    assert (
        server.upload(text).text
        == server.upload(
            'text,amount,client_id,timestamp\n"silk; scarf",12.50,x,2024-03-01 00:00\n'
        ).text
    )


def test_notes_count_and_ignored_events_are_reported(server):
    bought, late = [{"timestamp": "2024-03-01", "amount": 5}], {"timestamp": "2024-04-01"}
    note = {"timestamp": "2024-03-02", "text": "silk scarf"}
    responses = [
        server.predict(json={"clients": [{"client_id": "a", "transactions": rows, "notes": notes}]})
        for rows, notes in (
            (bought, []),
            (bought, [note]),
            ([*bought, late | {"amount": 9}], [late | {"text": "late"}]),
        )
    ]
    assert frame(responses[0]).ne(frame(responses[1])).any(axis=None)
    assert frame(responses[0]).equals(frame(responses[2]))
    assert responses[2].json()["notices"] == [
        "the events: 1 of 2 were not known before 2024-04-01 and are ignored",
        "the notes: 1 of 1 were not known before 2024-04-01 and are ignored",
    ]
    assert responses[2].headers["evergreen-notices"].startswith("the events: 1 of 2")


def test_targets_can_be_chosen(server):
    query = {"params": {"as_of": "2024-04-01", "targets": ["clv"]}}
    body = {"clients": [{"client_id": "c0001"}]}
    [predictions] = server.client.post("/predict", json=body, **query).json()["predictions"]
    assert predictions.keys() == {"client_id", "clv"}


def test_a_cell_of_an_answer_can_not_be_a_formula(server):
    ids = ["=1+1", "+1", "-1", "@x", "c0001"]
    listed = "".join(f"{one}\n" for one in ids)
    for answer in (
        server.upload(f"client_id\n{listed}"),
        server.predict(
            json={"clients": [{"client_id": one, "transactions": []} for one in ids]},
            headers={"accept": "text/csv"},
        ),
    ):
        predictions = pd.read_csv(io.StringIO(answer.text))
        assert list(predictions["client_id"]) == ["'=1+1", "'+1", "'-1", "'@x", "c0001"]
        assert answer.headers["content-disposition"].startswith("attachment")


def test_every_answer_names_its_release(server):
    version = server.watcher.release.version
    for path in (
        "/health",
        "/ready",
        "/release",
        "/clients/c0001",
        "/clients/x",
        "/metrics",
        "/",
        "/x",
    ):
        assert server.client.get(path).headers["evergreen-release"] == version
    assert server.client.get("/clients/c0001").json()["release"] == version
    assert server.client.get("/release").json()["release"] == version


def test_the_release_lists_the_columns_of_its_models(server):
    targets = server.client.get("/release").json()["targets"]
    assert targets["clv"]["horizon_days"] == 28
    assert targets["clv"]["column"] == "clv"
    expected = server.watcher.release.models["clv"].estimator.columns
    assert targets["clv"]["features"] == list(expected)


def test_metrics_count_requests_and_rows(server):
    before = server.client.get("/metrics").text
    server.client.get("/clients/c0001")
    server.client.get("/no-such-thing/c0001")
    after = server.client.get("/metrics").text
    line = 'evergreen_requests_total{method="GET",route="/clients/{client_id}",status="200"}'
    assert value(after, line) == value(before, line) + 1
    rows = f'evergreen_predicted_rows_total{{release="{server.watcher.release.version}"}}'
    assert value(after, rows) == value(before, rows) + 1
    assert 'route="unmatched"' in after
    assert "c0001" not in after


def value(text, line):
    values = [float(row.split()[-1]) for row in text.splitlines() if row.startswith(line)]
    return values[0] if values else 0.0


def test_the_page_needs_nothing_from_elsewhere(server):
    answer = server.client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'sha256-" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text
