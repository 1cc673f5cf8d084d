"""Git is trusted, the DVC remote is not: an altered object is refused and changes nothing."""

import json

import pytest
import yaml

pytestmark = pytest.mark.slow
NEXT = "2017-04-03"
OBJECTS = (
    "data/raw/transactions",
    "data/raw",
    "data/features/today/text.json",
    "data/labels",
    "models/production",
    "models/production/purchase/estimator/model.txt",
    "models/production/manifest.json",
    "reports/plots",
    "reports/figures/purchase.png",
)
"""One of each kind, by path or the beginning of it: data, listings, models, manifests, reports."""


def recorded(project):
    """The hash of each output and pinned input of the last commit, and of their files, by path."""
    stages = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]
    hashes = {
        out["path"]: out["md5"]
        for stage in stages.values()
        for out in (*stage.get("deps", ()), *stage["outs"])
    }
    for folder in [path for path, md5 in hashes.items() if md5.endswith(".dir")]:
        listing = project.folder / ".dvc" / "cache" / at(hashes[folder])
        if listing.is_file():  # DVC stores no source code
            for entry in json.loads(listing.read_text()):
                hashes[f"{folder}/{entry['relpath']}"] = entry["md5"]
    return hashes


def at(md5):
    """The name of an object in a cache or on a remote."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def lie(content):
    """Other content of the same length; a listing names another file, and stays one."""
    if content.startswith(b'[{"md5": "'):
        entries = json.loads(content)
        entries[0]["relpath"] = "../" + entries[0]["relpath"][3:]
        return json.dumps(entries).encode()
    return content[:-1] + bytes([content[-1] ^ 1])


def served(project):
    release = (project.folder / "releases" / "current").resolve()
    files = [path for path in release.rglob("*") if path.is_file()]
    assert files
    return {str(path.relative_to(release.parent)): path.read_bytes() for path in files}


def head(project):
    return project.run("git", "rev-parse", "HEAD")


def refused(project, *command, **variables):
    done = project.call(*command, **variables)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert project.run("git", "status", "--short") == ""
    return done.stderr


@pytest.fixture
def behind(with_remotes, clone):
    """A clone that serves the second run, while the remote has a third with another release."""
    with_remotes.run("evergreen", "finish", "--push")
    other = clone(with_remotes)
    other.run("evergreen", "pull")
    with_remotes.run("evergreen", "cycle", "--as-of", NEXT, "--mode", "full", "--push")
    return other


def test_each_kind_of_altered_object_is_refused_and_what_is_served_stays(
    behind, with_remotes, tmp_path
):
    hashes, before = recorded(with_remotes), (served(behind), head(behind))
    laid_out = {path: path.read_bytes() for path in (behind.folder / "data").rglob("*.*")}
    for name in OBJECTS:
        md5 = next(md5 for path, md5 in sorted(hashes.items()) if path.startswith(name))
        names = [path for path, of_path in hashes.items() if of_path == md5]
        stored = tmp_path / "store" / at(md5)
        sound = stored.read_bytes()
        stored.chmod(0o644)
        stored.write_bytes(lie(sound))
        for cached in behind.folder.glob(f".dvc/cache/{at(md5)}"):
            cached.unlink()  # as if it were new
        said = refused(behind, "evergreen", "pull")
        assert any(f"{path} of commit" in said for path in names), said
        assert "is altered on the DVC remote: " in said
        assert str(stored) in said.replace("\n", "")
        assert (served(behind), head(behind)) == before
        assert {path: path.read_bytes() for path in laid_out} == laid_out
        stored.write_bytes(sound)
    behind.run("evergreen", "pull")
    assert head(behind) == head(with_remotes)
    assert served(behind) == served(with_remotes)
    assert behind.run("dvc", "status") == "Data and pipelines are up to date.\n"
