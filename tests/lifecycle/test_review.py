"""Runs that are waiting for review: proposed, approved in time or late, rejected, interrupted."""

import json
import shutil
from datetime import date

import pytest

from evergreen.errors import DataError
from evergreen.lifecycle import rollback

pytestmark = pytest.mark.slow
NEXT = "2017-04-09"
BRANCH = f"evergreen/run-{NEXT}"
DAY_AFTER = ("--as-of", "2017-04-10")
AGAIN = ("evergreen", "cycle", "--as-of", NEXT, "--mode", "full")


def served(project):
    return str((project.folder / "releases" / "current").readlink())


def promoted(project, revision):
    """A target that the run has promoted, and the version."""
    record = json.loads(project.run("git", "show", f"{revision}:history/{NEXT}.json"))
    found = [(n, t["version"]) for n, t in record["targets"].items() if t["action"] == "promoted"]
    return found[0]


def is_clean(project, status="Data and pipelines are up to date.\n"):
    """Whether git has nothing to commit and the working folder holds what is checked out."""
    return (project.run("git", "status", "--short"), project.run("dvc", "status")) == ("", status)


def test_a_run_that_promotes_is_pushed_to_a_branch_and_changes_nothing_else(proposed, two_runs):
    assert (
        f"waiting for review on {BRANCH}: evergreen approve {NEXT}, or evergreen" in proposed.said
    )
    assert f"pushed to origin/{BRANCH} for review" in proposed.said
    assert served(proposed) == served(two_runs)
    assert f"history/{NEXT}.json" not in proposed.run("git", "ls-tree", "-r", "--name-only", "HEAD")
    assert proposed.run("git", "show", f"origin/{BRANCH}:reports/report.md").startswith("# ")
    assert is_clean(proposed, proposed.status)
    assert f"{NEXT}: waiting for review" in proposed.run(*AGAIN)
    assert f"{NEXT}: waiting for review" in proposed.run("evergreen", "pin", "--as-of", NEXT)
    assert f"{NEXT}: waiting for review" in proposed.run("evergreen", "history")
    proposed.run("git", "switch", "--quiet", BRANCH)
    for command in (("cycle", *DAY_AFTER), ("finish",), ("pull",)):
        assert "&& dvc checkout" in proposed.call("evergreen", *command).stderr
    assert served(proposed) == served(two_runs)


def test_what_another_clone_approves_is_served_wherever_it_is_pulled(proposed, clone, tmp_path):
    """Another clone approves it, from the remotes alone."""
    other = clone(proposed)
    other.run("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "store"))
    other.run("evergreen", "approve", "--push")
    assert is_clean(other)
    assert BRANCH not in other.run("git", "ls-remote", "origin")
    said = proposed.run("evergreen", "pull")
    assert f"release {served(proposed)} is served" in said
    assert served(proposed) == served(other)
    target, approved = promoted(other, "HEAD")
    assert approved in proposed.run("evergreen", "champion", target)
    assert is_clean(proposed)
    assert "already recorded" in proposed.run(*AGAIN)


def test_a_late_approval_takes_over_the_models_that_were_reviewed(proposed, monkeypatch):
    """The main branch has gone on meanwhile."""
    proposed.run("evergreen", "cycle", *DAY_AFTER, "--mode", "compare")
    target, reviewed = promoted(proposed, BRANCH)
    monkeypatch.chdir(proposed.folder)
    with pytest.raises(DataError, match=r"was compared with another, but 2017-04-01-full-"):
        list(rollback.serve_approved(date.fromisoformat(NEXT), BRANCH, {target: "another"}))

    said = proposed.run("evergreen", "approve", NEXT)
    assert f"-> {reviewed}" in said
    assert reviewed in proposed.run("evergreen", "champion", target)
    assert f"the run of {NEXT} was approved" in proposed.run("evergreen", "history")
    assert proposed.run("git", "diff", "--name-only", "HEAD^") == f"history/{NEXT}.json\n"
    proposed.run("evergreen", "get", f"{target}@{reviewed}", "--out", "again")
    shutil.rmtree(proposed.folder / "again")
    assert proposed.run("git", "status", "--short") == ""
    assert "already approved" in proposed.run("evergreen", "approve", NEXT)


def test_a_rejected_run_is_not_served_and_not_proposed_again(proposed, two_runs):
    reject = ("evergreen", "reject", NEXT, "--reason", "too dear")
    assert "the current release stays in production" in proposed.run(*reject, "--push")
    assert BRANCH not in proposed.run("git", "branch", "--all")
    assert served(proposed) == served(two_runs)
    assert "was rejected: too dear" in proposed.run("evergreen", "history")
    assert "was rejected: too dear; nothing to do" in proposed.run(*AGAIN)
    assert is_clean(proposed, proposed.status)


def test_a_run_whose_branch_was_removed_on_the_forge_is_closed(proposed):
    proposed.run("git", "-C", "../origin.git", "branch", "-D", BRANCH)
    assert f"{NEXT}: closed on origin" in proposed.run("evergreen", "pull")
    assert "waiting for review" not in proposed.run("evergreen", "history")


def test_a_kill_before_the_folder_is_put_back_does_no_harm(proposed, two_runs):
    """The run is on its branch, and the working folder holds it still."""
    proposed.run("git", "checkout", "--quiet", BRANCH, "--", ".")
    proposed.run("git", "reset", "--quiet")
    proposed.run("dvc", "checkout", "--quiet")
    assert f"{NEXT}: waiting for review" in proposed.run(*AGAIN)
    assert served(proposed) == served(two_runs)
    assert is_clean(proposed, proposed.status)
