"""Kill every command at every distinct operation; the same command again has to end as undisturbed.

``python benchmarks/kills/campaign.py`` kills for MINUTES (default 20), or until there were KILLS
kills, and goes on where an earlier call stopped; COMMANDS="pull push" chooses some. It needs Linux
and gcc. Operations are distinct by the program that makes them and their path, with what is random
in it left out, and each is taken at its first and second time.

Some kills follow each other on one copy of a repository; then the command ends, and everything that
it leaves is compared with the run that nothing disturbed. After each kill, the release that is
served has to be whole. A *hand* is a command that failed without being killed: a person had to act.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from repository import DAY, FIRST, NEXT, ROOT, copy, state, variables

FOLDER = Path(os.environ.get("KILLS_FOLDER", ROOT / ".cache/kills")).resolve()
LOG, SHIM = FOLDER / "log.jsonl", FOLDER / "shim.so"
EVERGREEN = str(Path(sys.executable).with_name("evergreen"))
CHAIN = 4
"""Kills between two ends."""
TIMEOUT_SECONDS = 600


class Scenario(NamedTuple):
    """A command, the state that it starts from, and what it writes: a file, or parts of folders."""

    start: str
    command: str
    output: str | None = None
    folders: tuple[str, ...] = ()


SCENARIOS = {
    "hold-first": Scenario("new", "hold clv --reason kills"),
    "pull-notes": Scenario("noted", "pull"),
    "hold": Scenario("pushed", "hold clv --reason kills"),
    "pull": Scenario("behind", "pull"),
    "rollback": Scenario("pushed", f"rollback --to {FIRST} --reason kills"),
    "finish": Scenario("reproduced", "finish"),
    "pull-own": Scenario("diverged", "pull"),
    "push": Scenario("unpushed", "finish --push"),
    "approve": Scenario("waiting", f"approve {NEXT}"),
    "pin": Scenario("recorded", f"pin --as-of {DAY}"),
    "score": Scenario("recorded", f"score --as-of {FIRST} --out scores.parquet", "scores.parquet"),
    "ingest": Scenario("new", "ingest"),
    "forget": Scenario("pushed", "forget c000156 --reason kills --remote"),
    "prune": Scenario(
        "long",
        "prune --keep-days 1 --remote --yes",
        folders=(".dvc/cache", "releases", "../store"),
    ),
    "cycle": Scenario("recorded", f"cycle --as-of {DAY} --push"),
    "replay": Scenario(
        "recorded",
        f"replay --from 2017-06-01 --to {FIRST} --every 15 --jobs 1 --policy incremental",
    ),
}
RANDOM = (
    (r"[0-9a-f]{30,}", "*"),
    (r"\.[\w-]{22}\.tmp", ".*.tmp"),
    (r"tmp_obj_\w+", "tmp_obj_*"),
    (r"tmp[a-z0-9_]{8}", "tmp*"),
    (r"evergreen-scratch-\w+", "evergreen-scratch-*"),
    (r"(objects|md5|runs)/[0-9a-f]{2}\b", r"\1/*"),
    (r"(pack-|tmp_pack_|tmp_idx_|tmp_rev_)\w+", r"\1*"),
    (r"next-index-\d+", "next-index-*"),
    (r"\.\d+(\.replaced)?\.unfinished", r".*\1.unfinished"),
    (r"\b20\d\d-\d\d-\d\d\b", "*"),
    (r"-[0-9a-f]{8}\b", "-*"),
    (r"incoming-\w+", "incoming-*"),
    (r"(evergreen-worktree|evergreen-files)/.*", r"\1/*"),
)
LEFTOVERS = re.compile(r".*(\.unfinished|/\.[\w-]{22}\.tmp|\.git/.*\.lock|/tmp_(obj|pack|idx)\w+)$")


class Outcome(NamedTuple):
    """What became of a command: its exit code, whether it was killed, and its last output."""

    code: int
    killed: bool
    output: str


class Copy:
    """A copy of a state, on which a command is called again and again."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.folder = FOLDER / "copy"
        self.repository = self.folder / "repository"
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        copy(state(self.scenario.start, FOLDER / "states"), self.folder)

    def call(self, pattern: str | None = None, nth: int = 1, *, group: bool = True) -> Outcome:
        """Call the command, to be killed where its operations match a pattern for the n-th time."""
        count, output = FOLDER / "count", FOLDER / "output.txt"
        count.write_bytes(bytes(8))
        (FOLDER / "operations.txt").unlink(missing_ok=True)
        settings = {
            "LD_PRELOAD": str(SHIM),
            "KILLS_ROOT": f"{self.repository}/",
            "KILLS_COUNT": str(count),
            "KILLS_LOG": str(FOLDER / "operations.txt"),
            "KILLS_NTH": str(nth),
        }
        if pattern is not None:
            settings["KILLS_PATTERN"] = pattern
        words = ["bash", "-c", f'{"export KILLS_GROUP=$$; " if group else ""}exec "$@"', "kills"]
        with output.open("w") as file:
            process = subprocess.Popen(
                [*words, EVERGREEN, *self.scenario.command.split()],
                cwd=self.repository,
                env=variables(**settings),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        _wait_for_group(process.pid)
        reached = int.from_bytes(count.read_bytes(), sys.byteorder)
        return Outcome(code, reached >= nth and pattern is not None, output.read_text()[-1500:])

    def operations(self) -> list[str]:
        """The operations of the last call, in order."""
        return (FOLDER / "operations.txt").read_text(errors="replace").splitlines()

    def result(self) -> dict[str, Any]:
        """Everything that the command leaves, by name."""
        tree = self._git("ls-tree", "-r", "HEAD").splitlines()
        current = self.repository / "releases/current"
        found = {
            "tree": sorted(line for line in tree if "history/seconds" not in line),
            "commits": self._git("log", "--format=%s").splitlines(),
            "branches": self._git("for-each-ref", "--format=%(refname)").splitlines(),
            "changes": self._git("status", "--porcelain").splitlines(),
            "data": self._run(sys.executable, "-m", "dvc", "status").splitlines(),
            "served": str(current.readlink()) if current.is_symlink() else None,
            "leftovers": self.leftovers(),
        }
        for folder in self.scenario.folders:
            within = (self.repository / folder).rglob("*")
            found[folder] = sorted(str(path) for path in within if not path.is_dir())
        output = self.scenario.output
        for name in ("dvc.lock", "params.yaml", *([output] if output else [])):
            path = self.repository / name
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
        return found

    def leftovers(self) -> list[str]:
        """Files that a killed command left and a later one should have removed."""
        names = (str(path.relative_to(self.repository)) for path in self.repository.rglob("*"))
        return sorted(name for name in names if LEFTOVERS.fullmatch(name))

    def is_served(self) -> bool:
        """Whether the served release is whole: every file has its digest."""
        current = self.repository / "releases/current"
        if not current.is_symlink():
            return self.scenario.start in ("new", "noted", "ingested")
        release = json.loads((current / "manifest.json").read_text())
        for name in release["models"]:
            manifest = json.loads((current / name / "manifest.json").read_text())
            for file, digest in manifest["files"].items():
                path = current / name / file
                if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                    return False
        return bool(release["version"] == str(current.readlink()))

    def _git(self, *arguments: str) -> str:
        return self._run("git", *arguments)

    def _run(self, *command: str) -> str:
        return subprocess.run(
            command,
            cwd=self.repository,
            env=variables(GIT_OPTIONAL_LOCKS="0"),
            capture_output=True,
            text=True,
            check=False,
        ).stdout


def _wait_for_group(group: int) -> None:
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def signature(operation: str) -> str:
    """A pattern for an operation, in which everything that is random is left out."""
    pattern = re.sub(r"([\[\]?*\\])", r"\\\1", operation)
    for random_part, wildcard in RANDOM:
        pattern = re.sub(random_part, wildcard, pattern)
    return pattern


def signatures(operations: list[str]) -> list[tuple[str, int]]:
    """The distinct operations, each at its first and second time, in the order of the run."""
    seen: Counter[str] = Counter()
    chosen = []
    for operation in operations:
        pattern = signature(operation)
        seen[pattern] += 1
        if seen[pattern] <= 2:
            chosen.append((pattern, seen[pattern]))
    return chosen


def undisturbed(name: str, scenario: Scenario) -> dict[str, Any]:
    """What the command leaves if nothing disturbs it, and its distinct operations."""
    path = FOLDER / f"undisturbed-{name}.json"
    if not path.is_file():
        place = Copy(scenario)
        outcome = place.call()
        if outcome.code:
            sys.exit(f"{name} fails undisturbed: {outcome.output}")
        content = {"operations": signatures(place.operations()), "result": place.result()}
        path.write_text(json.dumps(content))
    return dict(json.loads(path.read_text()))


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """What differs between two results, a line each."""
    lines = []
    for key, before in expected.items():
        after = actual[key]
        if before == after:
            continue
        if isinstance(before, list):
            missing = [item for item in before if item not in after]
            more = [item for item in after if item not in before]
            lines.append(f"{key}: lacks {missing[:3]}, has besides {more[:3]}")
        else:
            lines.append(f"{key}: {after} instead of {before}")
    return lines


class Campaign:
    """The kills of one command, one after another; `step` makes a few and reports."""

    def __init__(self, name: str, scenario: Scenario, done: set[tuple[str, int]]) -> None:
        self.name, self.scenario = name, scenario
        made = undisturbed(name, scenario)
        self.expected = made["result"]
        todo = [tuple(item) for item in made["operations"] if tuple(item) not in done]
        random.Random(1).shuffle(todo)
        self.todo: list[tuple[str, int]] = todo

    def step(self) -> Iterator[dict[str, Any]]:
        """Make a chain of kills and let the command end; yields an entry of the log for each."""
        place, kills = Copy(self.scenario), 0
        chain: list[str] = []
        while self.todo and kills < CHAIN:
            pattern, nth = self.todo.pop()
            whole_group = len(self.todo) % 7 != 0
            outcome = place.call(pattern, nth, group=whole_group)
            about = {"command": self.name, "operation": pattern, "nth": nth}
            if outcome.killed:
                kills += 1
                chain.append(f"{pattern} #{nth}{'' if whole_group else ' (one process)'}")
                yield about | {"kill": 1} | self._lost(place)
            elif outcome.code:
                yield about | {"hand": outcome.output, "chain": chain}
                place.reset()
                chain = []
            else:  # not reached in this state; it will be in a fresh one
                yield {"command": self.name} | self._end(place, chain)
                place.reset()
                outcome = place.call(pattern, nth, group=whole_group)
                chain = [f"{pattern} #{nth}"]
                kills += outcome.killed
                yield about | {"kill": int(outcome.killed)} | self._lost(place)
        outcome = place.call()
        if outcome.code:
            yield {"command": self.name, "hand": outcome.output, "chain": chain}
        else:
            yield {"command": self.name} | self._end(place, chain)

    def _lost(self, place: Copy) -> dict[str, Any]:
        return {} if place.is_served() else {"lost": "the served release is not whole"}

    def _end(self, place: Copy, chain: list[str]) -> dict[str, Any]:
        found = differences(self.expected, place.result())
        return {"end": 1} | ({"differences": found, "chain": chain} if found else {})


def summary(entries: list[dict[str, Any]]) -> str:
    """A table of what there is in the log."""
    lines = [
        f"{'command':10} {'kills':>6} {'ends':>6} {'hands':>6} {'differences':>12} {'lost':>5}"
    ]
    for name in [*SCENARIOS, "all"]:
        mine = [entry for entry in entries if name in (entry["command"], "all")]
        if mine:
            kills = sum(entry.get("kill", 0) for entry in mine)
            ends = sum("end" in entry for entry in mine)
            counts = [
                sum(key in entry for entry in mine) for key in ("hand", "differences", "lost")
            ]
            lines.append(f"{name:10} {kills:6} {ends:6} {counts[0]:6} {counts[1]:12} {counts[2]:5}")
    return "\n".join(lines)


def read_log() -> list[dict[str, Any]]:
    """The entries of earlier calls; a line that was cut off is left out."""
    entries = []
    for line in LOG.read_text().splitlines() if LOG.is_file() else ():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


def main() -> None:
    """Go on with the campaign; exit with 1 if a hand was needed or something differs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    compile_shim = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(SHIM)]
    subprocess.run([*compile_shim, str(Path(__file__).with_name("shim.c")), "-ldl"], check=True)
    names = os.environ.get("COMMANDS", " ".join(SCENARIOS)).split()
    most = int(os.environ.get("KILLS") or 0)
    seconds = 60 * float(os.environ.get("MINUTES") or 20)
    started, entries = time.monotonic(), read_log()
    made = {(e["command"], e["operation"], e["nth"]) for e in entries if "operation" in e}
    kills = sum(entry.get("kill", 0) for entry in entries)
    campaigns: dict[str, Campaign] = {}

    def is_over() -> bool:
        return kills >= most if most else time.monotonic() - started > seconds

    open_names = list(names)
    with LOG.open("a") as log:
        while open_names and not is_over():
            name = open_names.pop(0)
            if name not in campaigns:
                done = {(pattern, nth) for command, pattern, nth in made if command == name}
                campaigns[name] = Campaign(name, SCENARIOS[name], done)
            for entry in campaigns[name].step() if campaigns[name].todo else ():
                entries.append(entry)
                log.write(json.dumps(entry) + "\n")
                log.flush()
                kills += entry.get("kill", 0)
                if {"hand", "differences", "lost"} & entry.keys():
                    print(json.dumps(entry, indent=1), flush=True)
            if campaigns[name].todo:
                open_names.append(name)
    print(summary(entries))
    left = sum(len(campaign.todo) for campaign in campaigns.values())
    print(f"{left} distinct operations of these commands are left")
    sys.exit(any({"hand", "differences", "lost"} & entry.keys() for entry in entries))


if __name__ == "__main__":
    main()
