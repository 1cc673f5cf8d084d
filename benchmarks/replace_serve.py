"""Replace the release again and again under load: what fails, what is mixed, what memory it takes.

Needs two or more sound releases below releases/, as after a cycle that has promoted something. They
are served from a folder of their own by `evergreen serve`; connections ask without a pause, each
answer is compared with what its release is known to say. Some replacements are damaged, and the
copying of some is killed half way.
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
from evergreen.serving.http.release_watcher import open_verified
from evergreen.settings import paths

PORT = 8766
BODY = {"clients": [{"client_id": "a", "transactions": [{"timestamp": "2017-03-01", "amount": 5}]}]}
COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"


def sound_releases():
    found = {}
    for folder in sorted(paths.RELEASES.iterdir()):
        if not folder.is_symlink():
            try:
                found[open_verified(folder).version] = folder.resolve()
            except (EvergreenError, ValueError):
                continue
    if len(found) < 2:
        raise SystemExit("two sound releases are needed below releases/")
    return found


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
    answered = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answered.split(b"content-length:")[1].split(b"\r\n")[0])
    return answered, json.loads(await reader.readexactly(length))


async def ask(body, until, expected, found):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    while time.monotonic() < until:
        head, told = await request(reader, writer, "POST", "/predict?as_of=2017-04-01", body)
        version = told.get("release", "none")
        whole = told.get("predictions") == expected.get(version)
        named = f"evergreen-release: {version}".encode() in head
        found[(head.split()[1].decode(), "whole" if whole and named else "mixed", version)] += 1
    writer.close()


async def replace(root, sound, times, until, chance):
    done, pause = Counter(), (until - time.monotonic()) / times
    for number in range(times):
        source, name = chance.choice(list(sound.values())), f"new-{number}"
        kind = chance.choice(["sound", "sound", "damaged", "killed"])
        if kind == "killed":
            copying = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COPY, str(source), str(root / name)
            )
            while not (root / name).exists():  # noqa: ASYNC110 - the file system tells no events
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


def expectations(sound):
    rows = load_frame()
    made = {}
    for version, folder in sound.items():
        predicted = load_release(folder).predict(rows, "2017-04-01")
        made[version] = predicted.drop(columns=["observed_on", "release"]).to_dict("records")
    return made


def load_frame():
    import pandas as pd  # noqa: PLC0415

    [client] = BODY["clients"]
    return pd.DataFrame([{"client_id": "a"} | row for row in client["transactions"]])


async def trial(root, sound, expected, arguments, server):
    found, until = Counter(), time.monotonic() + arguments.seconds
    body = json.dumps(BODY).encode()
    asking = [ask(body, until, expected, found) for _ in range(arguments.connections)]
    replacing = replace(root, sound, arguments.times, until, random.Random(1))
    before = server.memory_info().rss
    *_, done = await asyncio.gather(*asking, replacing)
    after = server.memory_info().rss
    for (status, state, version), times in sorted(found.items()):
        print(f"{times:7,} answers {status}, {state}, by {version}")
    print(", ".join(f"{times} {kind}" for kind, times in sorted(done.items())), "replacements")
    print(f"memory: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    sound = sound_releases()
    expected = expectations(sound)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "releases"
        root.mkdir()
        shutil.copytree(next(iter(sound.values())), root / "first")
        publish(root, "first")
        command = [sys.executable, "-m", "evergreen", "serve", "--port", str(PORT)]
        server = psutil.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            wait_for_start()
            asyncio.run(trial(root, sound, expected, arguments, server))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
