"""A replay is what real cycles would have been."""

import json

import pytest

pytestmark = pytest.mark.slow
REPLAY = ("evergreen", "replay", "--from", "2017-04-01", "--to", "2017-04-10", "--every", "1",
          "--policy", "yours", "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="session")
def replayed(two_runs, made_once):
    def make(folder):
        made = two_runs.copy_to(folder / "repository")
        return made, made.run(*REPLAY)

    return made_once("replay", make)


def test_the_same_models_and_decisions(replayed):
    [folder] = (replayed.folder / ".cache" / "replay").glob("*/yours/runs")
    for day in ("2017-04-01", "2017-04-02"):
        real = json.loads((replayed.folder / "history" / f"{day}.json").read_text())
        made = json.loads((folder / day / "record.json").read_text())
        assert made["release"] == real["release"]
        for name, target in real["targets"].items():
            judged = made["targets"][name]["candidates"]
            assert made["targets"][name]["alerts"] == [a["kind"] for a in target["alerts"]]
            assert judged.keys() == target["candidates"].keys()
            for kind, candidate in target["candidates"].items():
                assert judged[kind]["version"] == candidate["version"]
                assert judged[kind]["gain"] == candidate["gain"]


def test_the_same_predictions(replayed, two_runs):
    [folder] = (replayed.folder / ".cache" / "replay").glob("*/yours/runs")
    scored = two_runs.folder / "data" / "scored" / "2017-04-02.parquet"
    assert (folder / "2017-04-02" / "scored.parquet").read_bytes() == scored.read_bytes()


def test_it_leaves_the_repository_alone_apart_from_its_report(replayed):
    assert replayed.run("git", "status", "--short") == "?? reports/replay/\n"
    assert replayed.run("dvc", "status") == "Data and pipelines are up to date.\n"


def test_it_tells_of_every_policy_and_gives_advice(replayed):
    assert "yours" in replayed.said
    page = (replayed.folder / "reports" / "replay" / "replay.html").read_text()
    assert "gain over never" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_what_was_done_already_is_not_done_again(replayed):
    [record] = (replayed.folder / ".cache" / "replay").glob("*/yours/runs/2017-04-02/record.json")
    before = record.stat().st_mtime_ns
    assert replayed.run(*REPLAY) == replayed.said
    assert record.stat().st_mtime_ns == before
