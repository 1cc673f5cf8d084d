"""Replace the release repeatedly under load: count failures and mixed answers, measure memory.

Needs at least two valid releases in releases/, as after a cycle that promoted a model. `evergreen
serve` serves copies of them. Connections send requests without a pause, and each answer is compared
with the predictions of its release. Some replacements are damaged, and some copies are killed half
way.
"""

import argparse
import asyncio
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from evergreen import load_release
from evergreen.errors import EvergreenError
from evergreen.serving.http.release_watcher import load_verified
from evergreen.settings import paths

PORT = 8766
BODY = {"clients": [{"client_id": "a", "transactions": [{"timestamp": "2017-03-01", "amount": 5}]}]}
COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"


def valid_releases():
    releases = {}
    for folder in sorted(paths.RELEASES.iterdir()):
        if not folder.is_symlink():
            try:
                releases[load_verified(folder).version] = folder.resolve()
            except (EvergreenError, ValueError):
                continue
    if len(releases) < 2:
        raise SystemExit("at least two valid releases are needed in releases/")
    return releases


def wait_for_start():
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT)):
            return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def publish(root, name):
    link = root / ".next"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(root / "current")


async def request(reader, writer, method, path, body=b""):
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return head, json.loads(await reader.readexactly(length))


async def ask(body, until, expected, counts):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    while time.monotonic() < until:
        head, answer = await request(reader, writer, "POST", "/predict?as_of=2017-04-01", body)
        version = answer.get("release", "none")
        whole = answer.get("predictions") == expected.get(version)
        named = f"evergreen-release: {version}".encode() in head
        counts[(head.split()[1].decode(), "whole" if whole and named else "mixed", version)] += 1
    writer.close()


async def replace(root, valid, times, until, chance):
    done, pause = Counter(), (until - time.monotonic()) / times
    for number in range(times):
        source, name = chance.choice(list(valid.values())), f"new-{number}"
        kind = chance.choice(["valid", "valid", "damaged", "killed"])
        if kind == "killed":
            copying = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COPY, str(source), str(root / name)
            )
            while not (root / name).exists():  # noqa: ASYNC110 - the file system sends no events
                await asyncio.sleep(0)
            await asyncio.sleep(chance.random() * 0.002)
            with suppress(ProcessLookupError):  # it may have ended
                copying.kill()
            await copying.wait()
        else:
            shutil.copytree(source, root / name)
        if kind == "damaged":
            files = [path for path in sorted((root / name).rglob("*")) if path.is_file()]
            chance.choice(files).write_bytes(b"damaged")
        publish(root, name)
        done[kind] += 1
        await asyncio.sleep(pause)
    return done


def expectations(valid):
    rows = load_frame()
    predictions = {}
    for version, folder in valid.items():
        predicted = load_release(folder).predict(rows, "2017-04-01")
        predictions[version] = predicted.drop(columns=["observed_on", "release"]).to_dict("records")
    return predictions


def load_frame():
    import pandas as pd  # noqa: PLC0415

    [client] = BODY["clients"]
    return pd.DataFrame([{"client_id": "a"} | row for row in client["transactions"]])


async def trial(root, valid, expected, arguments, server):
    counts, until = Counter(), time.monotonic() + arguments.seconds
    body = json.dumps(BODY).encode()
    asking = [ask(body, until, expected, counts) for _ in range(arguments.connections)]
    replacing = replace(root, valid, arguments.times, until, random.Random(1))
    before = server.memory_info().rss
    *_, done = await asyncio.gather(*asking, replacing)
    after = server.memory_info().rss
    for (status, state, version), times in sorted(counts.items()):
        print(f"{times:7,} answers {status}, {state}, by {version}")
    print(", ".join(f"{times} {kind}" for kind, times in sorted(done.items())), "replacements")
    print(f"memory: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    valid = valid_releases()
    expected = expectations(valid)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "releases"
        root.mkdir()
        shutil.copytree(next(iter(valid.values())), root / "first")
        publish(root, "first")
        command = [sys.executable, "-m", "evergreen", "serve", "--port", str(PORT)]
        server = psutil.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            wait_for_start()
            asyncio.run(trial(root, valid, expected, arguments, server))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
