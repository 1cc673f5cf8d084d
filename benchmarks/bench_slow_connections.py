"""Hold slow connections to the server, and compare the answers to others with and without them.

Of the slow connections, a quarter each sends nothing, a byte of a head a second, a byte of a body a
second, and a byte a second after its response. Those that the server closes are opened again. In
turns with and without them, other connections ask for a known client and for the health of the
server. The goal is a 99th percentile at most twice as high with them. Run in the repository after
`evergreen finish`.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import suppress

from bench_predict import read_all
from bench_serve import PORT, load, request_bytes, start_server
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

GOAL_RATIO = 2.0
SETTLING_SECONDS = 2
UPLOAD = b"POST /predict?as_of=2017-04-01 HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n"
BEGINNINGS = (
    b"",
    b"GET /hea",
    UPLOAD + b"content-length: 100000\r\n\r\n",
    b"GET /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n",
)


async def hold(beginning, opened):
    """Keep a slow connection, and open it again whenever it is closed."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            opened.append(writer)
            try:
                writer.write(beginning)
                while not reader.at_eof():
                    if beginning:
                        writer.write(b"x")
                        await writer.drain()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1 << 16), 1)
            finally:
                writer.close()


async def measure(requests, arguments, slow):
    """The times of the other connections, sorted, while some slow ones are held."""
    opened = []
    tasks = [
        asyncio.create_task(hold(BEGINNINGS[number % len(BEGINNINGS)], opened))
        for number in range(slow)
    ]
    await asyncio.sleep(SETTLING_SECONDS)
    if len(opened) < slow:
        raise SystemExit(f"only {len(opened)} slow connections were opened")
    taken = await load(requests, arguments.connections, arguments.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return taken, len(opened)


def percentile(taken):
    return 1000 * taken[int(0.99 * len(taken))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=int, default=300)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    as_of = load_settings().as_of
    events = read_all(paths.TRANSACTIONS).to_pandas()
    ids = sorted(set(events[events["timestamp"] < str(as_of)]["client_id"]))[:200]
    requests = [
        request
        for client in ids
        for request in (request_bytes("GET", f"/clients/{client}"), request_bytes("GET", "/health"))
    ]
    server = start_server()
    times = {0: [], arguments.slow: []}
    try:
        for _ in range(arguments.rounds):
            for slow, rounds in times.items():
                begun = time.perf_counter()
                taken, opened = asyncio.run(measure(requests, arguments, slow))
                rounds.append(taken)
                print(
                    f"{slow:4} slow connections (opened {opened:5}): "
                    f"{len(taken) / arguments.seconds:6.0f} requests a second, median "
                    f"{1000 * statistics.median(taken):5.2f} ms, 99 % within "
                    f"{percentile(taken):6.2f} ms, {time.perf_counter() - begun:.0f} s",
                    flush=True,
                )
    finally:
        server.terminate()
        server.wait()
    without, with_slow = (statistics.median(map(percentile, rounds)) for rounds in times.values())
    verdict = "reached" if with_slow <= GOAL_RATIO * without else "missed"
    print(
        f"99th percentile, median of {arguments.rounds} rounds: {without:.2f} ms without, "
        f"{with_slow:.2f} ms with {arguments.slow} slow connections, ratio "
        f"{with_slow / without:.2f}; the goal of {GOAL_RATIO:.0f} is {verdict}; no request failed"
    )


if __name__ == "__main__":
    main()
