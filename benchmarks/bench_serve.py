"""Measure the server: requests per second for one client, and a CSV file of 10,000 clients.

Several connections of this process ask a server started by `evergreen serve`: for a known client by
id, by features, and by transactions. The CSV file is compared with `release.predict` on the same
rows. Run in the repository after `evergreen finish`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pandas as pd
import psutil

from bench_predict import read_all
from evergreen import load_release
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

PORT = 8765
CLIENTS, REPEATS = 10_000, 5
GOAL_SECONDS = 0.05


def start_server():
    server = psutil.Popen(
        [sys.executable, "-m", "evergreen", "serve", "--port", str(PORT)],
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready") as response:
                if json.load(response)["known_clients"]:
                    return server
        except urllib.error.URLError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def request_bytes(method, path, content=b"", kind="application/json"):
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


async def connection(requests, until, taken):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    number = 0
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        taken.append(time.perf_counter() - begun)
        number += 1
    writer.close()


async def load(requests, connections, seconds):
    taken, until = [], time.perf_counter() + seconds
    await asyncio.gather(*(connection(requests, until, taken) for _ in range(connections)))
    return sorted(taken)


def one_client(name, requests, arguments, server):
    before = server.cpu_times()
    taken = asyncio.run(load(requests, arguments.connections, arguments.seconds))
    after = server.cpu_times()
    worked = after.user + after.system - before.user - before.system
    slow = taken[int(0.99 * len(taken))]
    print(
        f"{name:28} {len(taken) / arguments.seconds:7.0f} a second, "
        f"median {1000 * statistics.median(taken):5.1f} ms, 99 % within {1000 * slow:5.1f} ms, "
        f"{1000 * worked / len(taken):5.2f} ms of the server's processor each"
    )


def requests_of(release, events, as_of):
    """Return requests for some clients: by id, by features, by transactions."""
    path = f"/predict?as_of={as_of}"
    ids = sorted(set(events["client_id"]))[:200]
    few = events[events["client_id"].isin(ids)]
    rows = release.features(few, as_of).drop(columns="observed_on").astype(object)
    rows = rows.where(rows.notna(), None)
    by_features, by_events = [], []
    for row in rows.to_dict("records"):
        client_row = {"client_id": row.pop("client_id"), "features": row}
        by_features.append(
            request_bytes("POST", path, json.dumps({"clients": [client_row]}).encode())
        )
    columns = ["timestamp", "amount_minor", "text", "invoice_id"]
    for client, bought in few.groupby("client_id"):
        listed = json.loads(bought[columns].astype({"timestamp": str}).to_json(orient="records"))
        client_row = {"client_id": client, "transactions": listed}
        by_events.append(
            request_bytes("POST", path, json.dumps({"clients": [client_row]}).encode())
        )
    return {
        "a known client": [request_bytes("GET", f"/clients/{client}") for client in ids],
        "features of a client": by_features,
        "transactions of a client": by_events,
    }


def many_clients(name, release, rows, as_of):
    content = rows.to_csv(index=False).encode()
    url = f"http://127.0.0.1:{PORT}/predict?as_of={as_of}"

    def served():
        request = urllib.request.Request(url, content, {"content-type": "text/csv"})
        with urllib.request.urlopen(request) as response:
            response.read()

    def seconds(call):
        begun = time.perf_counter()
        call()
        return time.perf_counter() - begun

    calls = {"served": served, "in process": lambda: release.predict(rows, as_of)}
    best = {what: min(seconds(call) for _ in range(REPEATS)) for what, call in calls.items()}
    print(
        f"{rows['client_id'].nunique():,} clients by {name}, {len(rows):,} rows, "
        f"{len(content) / 2**20:.1f} MiB: {best['served']:.2f} s, in process "
        f"{best['in process']:.2f} s, ratio {best['served'] / best['in process']:.2f}"
    )


def copies(frame, clients):
    """Copy rows under new ids until there are enough clients."""
    times = -(-clients // frame["client_id"].nunique())
    parts = [frame.assign(client_id=frame["client_id"] + f"-{k}") for k in range(times)]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["client_id"].isin(rows["client_id"].drop_duplicates()[:clients])]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    as_of, release = load_settings().as_of, load_release()
    events = read_all(paths.TRANSACTIONS).to_pandas()
    events = events[events["timestamp"] < pd.Timestamp(as_of)].drop(columns="quantity")
    server = start_server()
    try:
        for name, requests in requests_of(release, events, as_of).items():
            one_client(name, requests, arguments, server)
        few = copies(events.groupby("client_id").head(20), CLIENTS)
        many_clients("transactions", release, few, as_of)
        many_clients("features", release, release.features(few, as_of), as_of)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
