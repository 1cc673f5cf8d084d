"""Bodies that no client should send: whatever may go wrong between a spreadsheet and a wire."""

import json
import random

KINDS = {"json": "application/json", "csv": "text/csv", "form": "multipart/form-data; boundary=b"}
ODD = [
    "", " ", "=1+1", "\x00", "\ufeff", "\U0001f600", "é", "NaN", "nan", "inf", "-inf", "1e400",
    "9" * 30, "-1", "0", "1.5", "null", "true", "2017-03-01", "2017-02-30", "0000-00-00",
    "9999-12-31", "0001-01-01", "2017-03-01 25:00", "2017-03-01T10:00:00+02:00",
    "2017-03-01T10:00:00Z", "1e9", '"', "'", ",", ";", "\t", "\r", "\n", "\r\n", "a" * 5000,
    "'; drop table ledger; --", "../../etc/passwd", "{{7*7}}", "<script>", "1_000", "٣", "1,5",
]  # fmt: skip
VALUES = [
    *ODD,
    "\ud83d",
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    -(10**18),
    1e308,
    [],
    {},
    [[]],
    {"a": 1},
]
NAMES = [
    "client_id", "timestamp", "amount", "amount_minor", "text", "invoice_id", "ingested_on",
    "quantity", "observed_on", "recency_days", "frequency", "features", "transactions", "notes",
    "clients", "language", "", "client_id ", "CLIENT_ID", "\ufeffclient_id", "__class__", "row",
]  # fmt: skip
OPTIONAL = ["quantity", "text", "invoice_id", "ingested_on"]
DAYS = ["2017-04-01", "2017-4-1", "", "0001-01-01", "9999-12-31", "1491004800", "now", "2017-02-29"]


def malformed(seed):
    """One request: a query, a content type and a body; the same for the same seed."""
    chance = random.Random(seed)
    kind = chance.choice(["json", "csv", "csv", "form", "json"])
    body = {"json": json_body, "csv": csv_body, "form": form_body}[kind](chance)
    if chance.random() < 0.15:
        body = damaged(chance, body)
    query = {"as_of": chance.choice(DAYS[:1] * 60 + DAYS)}
    if chance.random() < 0.1:
        query["targets"] = chance.choice(["clv", "churn", *ODD])
    header = (
        KINDS[kind] if chance.random() < 0.95 else chance.choice(["", "text/html", *KINDS.values()])
    )
    return query, header, body


def damaged(chance, body):
    kept = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        place = chance.randint(0, len(kept))
        if chance.random() < 0.5:
            kept[place:place] = bytes(chance.choices(range(256), k=chance.randint(1, 6)))
        else:
            del kept[place : place + chance.randint(1, 20)]
    return bytes(kept)


def json_body(chance):
    def value(depth):
        what = chance.random()
        if depth and what < 0.3:
            return {chance.choice(NAMES): value(depth - 1) for _ in range(chance.randint(0, 5))}
        if depth and what < 0.5:
            return [value(depth - 1) for _ in range(chance.randint(0, 4))]
        return chance.choice(VALUES)

    def event():
        content = {"timestamp": "2017-03-01 10:00", "amount": 12.5}
        names = chance.choice([OPTIONAL, OPTIONAL, ["text"], NAMES])
        content |= {
            chance.choice(names): chance.choice(VALUES) for _ in range(chance.randint(0, 2))
        }
        if chance.random() < 0.3:
            content["timestamp"] = chance.choice(ODD)
        return content

    def client():
        content = {"client_id": chance.choice(["a", "b", chance.choice(VALUES)])}
        for name in chance.sample(["transactions", "notes", "features"], chance.randint(0, 2)):
            content[name] = [event() for _ in range(chance.randint(0, 3))]
            if name == "features":
                content[name] = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(3)}
        return content

    if chance.random() < 0.1:
        deep = chance.choice(["[", '{"clients":', '{"a":'])
        return (deep * chance.choice([10, 100_000])).encode()
    clients = [client() for _ in range(chance.randint(0, 3))]
    content = {"clients": clients} if chance.random() < 0.7 else value(4)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def csv_body(chance):
    delimiter = chance.choice([",", ",", ",", ";", "\t", "|"])
    names = ["client_id", *chance.sample(NAMES, chance.randint(0, 5))]
    if chance.random() < 0.7:
        amount = chance.choice(["amount", "amount_minor"])
        names = ["client_id", "timestamp", amount, *chance.sample(OPTIONAL, chance.randint(0, 4))]
    fitting = {"client_id": "a", "timestamp": "2017-03-01", "amount": "12.50", "amount_minor": "9"}
    lines = [names]
    for _ in range(chance.randint(0, 6)):
        cells = [fitting.get(name, "") for name in names]
        for place in range(len(cells)):
            if chance.random() < 0.1:
                cells[place] = str(chance.choice(VALUES))
        if chance.random() < 0.1:
            cells = cells[: chance.randint(0, 3)]
        lines.append([f'"{c}"' if chance.random() < 0.2 else c for c in cells])
    end = chance.choice(["\n", "\r\n", "\r"])
    text = end.join(delimiter.join(line) for line in lines)
    return text.encode(chance.choice(["utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"]), "replace")


def form_body(chance):
    name = chance.choice(["file"] * 6 + ["", "other"])
    filename = chance.choice(['; filename="a.csv"'] * 6 + ["", '; filename=""'])
    head = f'--b\r\ncontent-disposition: form-data; name="{name}"{filename}\r\n\r\n'
    parts = [
        head.encode() + csv_body(chance) + b"\r\n" for _ in range(chance.choice([0, 1, 1, 1, 2]))
    ]
    return b"".join(parts) + chance.choice([b"--b--\r\n", b"--b--\r\n", b"--b\r\n", b""])
