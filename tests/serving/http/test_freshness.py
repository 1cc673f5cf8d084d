"""A release is taken over whole, or not at all, while requests go on."""

import random
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from evergreen.serving.http import release_watcher
from evergreen.settings import paths
from evergreen.store import releases

PATIENCE_SECONDS = 60
REPLACEMENTS = 12
CONNECTIONS = 8
BODY = {"clients": [{"client_id": "a", "transactions": [{"timestamp": "2024-03-01", "amount": 5}]}]}


@pytest.fixture
def other(published):
    """Another valid release, whose models differ from those of the published one."""
    shutil.move(paths.PRODUCTION, "first")
    published.set("seed", 2)
    published.run("train_full", "compare", "promote")
    return paths.PRODUCTION


def becomes(condition):
    """Wait for something that takes a moment."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def truncate(folder):
    model = next(iter(sorted(folder.rglob("model.txt"))))
    model.write_bytes(model.read_bytes()[:1000])


def lose(folder):
    (folder / "clv" / "manifest.json").unlink()


def mislead(folder):
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("2024-04-01", "2024-04-02", 1))


BREAK = [truncate, lose, mislead]


def test_a_new_release_is_taken_over_and_named(serving, publishing, other):
    version = releases.load_release(other).version
    with serving() as server:
        before = server.predict(json=BODY)
        publishing(other, "two")
        becomes(lambda: server.client.get("/ready").json()["release"] == version)
        after = server.predict(json=BODY)
        becomes(lambda: server.client.get("/ready").json()["known_clients"]["release"] == version)
        looked_up = server.client.get("/clients/c0001")
    assert before.json()["release"] != version
    assert before.json()["predictions"] != after.json()["predictions"]
    for answer in (after, looked_up):
        assert answer.json()["release"] == answer.headers["evergreen-release"] == version


@pytest.mark.parametrize("damage", BREAK)
def test_a_bad_release_is_refused_and_reported_until_a_valid_one_comes(serving, publishing, damage):
    shutil.copytree(paths.PRODUCTION, "bad")
    damage(paths.RELEASES.parent / "bad")
    with serving() as server:
        version = server.watcher.release.version
        publishing("bad", "bad")
        becomes(lambda: server.client.get("/ready").json()["refused"])
        state = server.client.get("/ready").json()
        assert state["release"] == version
        assert state["refused"]["release"] == "bad"
        assert server.predict(json=BODY).json()["release"] == version
        assert "evergreen_release_refused 1.0" in server.client.get("/metrics").text
        publishing(paths.PRODUCTION, "again")
        becomes(lambda: server.client.get("/ready").json()["refused"] is None)


def test_a_release_that_is_lost_goes_on_serving(serving):
    with serving() as server:
        shutil.rmtree(paths.RELEASES)
        becomes(lambda: server.client.get("/ready").json()["refused"])
        assert server.predict(json=BODY).status_code == 200


def test_another_day_is_scored_again(serving, published):
    with serving() as server:
        assert server.client.get("/clients/c0001").json()["as_of"] == "2024-04-01"
        published.set("full_retrain.as_of", "2024-03-20")
        published.set("as_of", "2024-03-20")
        published.write_params()
        becomes(lambda: server.client.get("/clients/c0001").json()["as_of"] == "2024-03-20")


def test_a_release_that_is_replaced_while_it_is_read_is_used_all_the_same(
    publishing, other, monkeypatch
):
    """A link that moves faster than a release loads is followed nevertheless."""
    watcher = release_watcher.ReleaseWatcher()
    load, version = release_watcher.load_verified, releases.load_release(other).version

    def load_slowly(folder):
        release = load(folder)
        publishing("first", f"after-{release.version}")
        return release

    monkeypatch.setattr(release_watcher, "load_verified", load_slowly)
    publishing(other, "two")
    watcher.refresh()
    assert watcher.release.version == version
    assert watcher.refused is None
    watcher.refresh()
    assert watcher.release.version == releases.load_release(paths.CURRENT).version != version


def test_a_release_whose_files_change_while_it_is_read_is_refused(publishing, other, monkeypatch):
    watcher = release_watcher.ReleaseWatcher()
    load, before = release_watcher.load_verified, watcher.release

    def load_and_damage(folder):
        release = load(folder)
        lose(folder)
        return release

    monkeypatch.setattr(release_watcher, "load_verified", load_and_damage)
    publishing(other, "two")
    watcher.refresh()
    assert watcher.release is before
    assert "changed while it was read" in watcher.refused.reason


def ask(url, stop, expected, answered):
    """Ask again and again; count what came of it, by release."""
    counts = Counter()
    with httpx.Client(base_url=url, timeout=60) as client:
        while not stop.is_set():
            answer = client.post("/predict", params={"as_of": "2024-04-01"}, json=BODY)
            content = answer.json()
            whole = expected.get(content.get("release")) == content.get("predictions")
            named = content.get("release") == answer.headers["evergreen-release"]
            counts[(answer.status_code, whole and named, content.get("release"))] += 1
            answered.add(content.get("release"))
    return counts


def test_replacements_under_load_drop_and_mix_nothing(serving, publishing, other):
    chance, valid = random.Random(1), [paths.RELEASES.parent / "first", other]
    with serving() as server:
        expected = {}
        for name, release in enumerate(valid):
            version = releases.load_release(release).version
            publishing(release, f"valid-{name}")
            becomes(lambda version=version: server.watcher.release.version == version)
            expected[version] = server.predict(json=BODY).json()["predictions"]
        stop, answered = threading.Event(), set()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            asking = [
                pool.submit(ask, server.url, stop, expected, answered) for _ in range(CONNECTIONS)
            ]
            try:
                for number in range(REPLACEMENTS):
                    name = paths.RELEASES / f"new-{number}"
                    shutil.copytree(valid[number % 2], name)
                    if chance.random() < 0.4:
                        chance.choice(BREAK)(name)
                    publishing(valid[number % 2], name.name)
                    time.sleep(0.2)
                for release, version in zip(valid, expected, strict=True):
                    publishing(release, f"last-{version}")
                    becomes(lambda version=version: version in answered)
            finally:
                stop.set()
            counts = sum((one.result() for one in asking), Counter())
    assert {(status, whole) for status, whole, _ in counts} == {(200, True)}
    assert {release for _, _, release in counts} == set(expected)
