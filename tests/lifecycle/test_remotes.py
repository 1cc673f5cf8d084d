"""Runs that are shared: a DVC remote, git upstream, and other clones, all of them real."""

import pytest
import yaml

pytestmark = pytest.mark.slow
FIRST, DAY, NEXT, AFTER = "2017-04-01", "2017-04-02", "2017-04-03", "2017-04-04"
PUSH = ("evergreen", "finish", "--push")


def lock(project):
    return yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]


def record(project, day):
    return (project.folder / "history" / f"{day}.json").read_text()


def head(project):
    return project.run("git", "rev-parse", "HEAD")


def served(project):
    """Every file of what is served, by its name."""
    release = (project.folder / "releases" / "current").resolve()
    files = [path for path in release.rglob("*") if path.is_file()]
    assert files
    return {str(path.relative_to(release.parent)): path.read_bytes() for path in files}


def refused(project, *command):
    done = project.call(*command)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def next_step(said):
    return said.rsplit("\nNext: ", 1)[1].strip()


def test_without_a_dvc_remote_the_run_stays_recorded_and_the_remedy_is_named(copy):
    said = refused(copy, *PUSH)
    assert "recorded and served here, but not pushed: no default DVC remote is configured" in said
    assert "dvc remote add --default storage FOLDER (or s3://BUCKET/PATH)" in said
    assert copy.run("git", "status", "--short") == ""


def test_the_error_of_a_dvc_remote_is_passed_on(with_remotes, tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    said = refused(with_remotes, "evergreen", "cycle", "--as-of", DAY, "--push")
    assert "the DVC remote 'store' refused: " in said
    (tmp_path / "store").unlink()
    said = with_remotes.run("evergreen", "cycle", "--as-of", DAY, "--push")
    assert "of 2 commits pushed to DVC remote store" in said


def test_without_an_upstream_the_command_to_set_one_is_named(with_remotes):
    with_remotes.run("git", "branch", "--unset-upstream")
    assert "git push --set-upstream origin HEAD" in refused(with_remotes, *PUSH)
    with_remotes.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD")
    assert "commits pushed to origin/" in with_remotes.run(*PUSH)


def test_a_rollback_that_was_not_pushed_is_not_undone_by_pulling(with_remotes, clone):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    other.run("evergreen", "pull")
    other.run("evergreen", "cycle", "--as-of", NEXT, "--push")
    with_remotes.run("evergreen", "cycle", "--as-of", NEXT, "--mode", "compare")
    before = served(with_remotes)
    (with_remotes.folder / "history" / "rollbacks").mkdir(exist_ok=True)
    (with_remotes.folder / "history" / "rollbacks" / f"{NEXT}-1.json").write_text("{}")
    with_remotes.run("git", "add", "history")
    with_remotes.run("git", "commit", "--quiet", "--message", "Roll clv back: it is wrong")
    said = refused(with_remotes, "evergreen", "pull")
    assert "pulling would undo them: Roll clv back: it is wrong" in said
    assert served(with_remotes) == before


def test_a_hold_is_made_again_after_what_others_have_recorded(with_remotes, clone):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    other.run("evergreen", "pull")
    other.run("evergreen", "cycle", "--as-of", NEXT, "--push")
    with_remotes.run("evergreen", "cycle", "--as-of", NEXT)
    with_remotes.run("evergreen", "hold", "clv", "--reason", "a campaign")
    said = with_remotes.run("evergreen", "pull")
    assert "are kept on the branch unpushed-" in said
    params = yaml.safe_load((with_remotes.folder / "params.yaml").read_text())
    assert (params["hold"], str(params["as_of"])) == ({"clv": "a campaign"}, NEXT)
    assert with_remotes.run("git", "status", "--short") == ""


def test_a_hold_that_others_have_made_otherwise_stays_aside_and_is_named(with_remotes, clone):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    other.run("evergreen", "hold", "clv", "--reason", "theirs")
    other.run("git", "push", "--quiet")
    with_remotes.run("evergreen", "cycle", "--as-of", NEXT, "--mode", "compare")
    with_remotes.run("evergreen", "hold", "clv", "--reason", "ours")
    said = with_remotes.run("evergreen", "pull")
    assert "conflicts with others' commits; it is on the branch unpushed-" in said
    params = yaml.safe_load((with_remotes.folder / "params.yaml").read_text())
    assert params["hold"] == {"clv": "theirs"}
    assert with_remotes.run("git", "status", "--short") == ""


def test_others_commits_that_affect_no_run_are_pulled_below_the_runs(with_remotes, clone):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    (other.folder / "NOTES.md").write_text("# Notes\n")
    other.run("git", "add", "NOTES.md")
    other.run("git", "commit", "--quiet", "--message", "Take notes")
    other.run("git", "push", "--quiet")
    with_remotes.run("evergreen", "cycle", "--as-of", NEXT)
    assert "are kept on the branch" not in with_remotes.run("evergreen", "pull")
    assert (with_remotes.folder / "NOTES.md").is_file()
    assert "of 1 commit pushed" in with_remotes.run(*PUSH)


def test_nothing_is_served_or_run_where_no_branch_is_checked_out(with_remotes):
    with_remotes.run("git", "checkout", "--quiet", "--detach")
    for command in (("pull",), ("cycle", "--as-of", NEXT), ("hold", "clv", "--reason", "x")):
        assert "a commit is checked out, and no branch" in refused(
            with_remotes, "evergreen", *command
        )


def test_what_was_recorded_is_pushed_whatever_was_decided_since(with_remotes):
    with_remotes.run("evergreen", "hold", "clv", "--reason", "a campaign")
    assert "of 2 commits pushed" in with_remotes.run(*PUSH)


def test_a_record_that_a_killed_run_left_is_not_served(with_remotes):
    with_remotes.run(*PUSH)
    left = record(with_remotes, DAY).replace(DAY, NEXT)
    (with_remotes.folder / "history" / f"{NEXT}.json").write_text(left)
    assert "nothing new" in with_remotes.run("evergreen", "pull")


def test_every_run_that_was_committed_before_can_be_pulled(with_remotes, clone):
    assert "of 2 commits pushed" in with_remotes.run(*PUSH)
    assert "0 objects of 0 commits pushed" in with_remotes.run(*PUSH)
    other = clone(with_remotes)
    first = other.run("git", "log", "--format=%H", "--", f"history/{FIRST}.json").split()[0]
    for commit in (first, "HEAD"):
        names = ("params.yaml", "dvc.lock", "data", "models", "reports")
        other.run("git", "checkout", "--quiet", commit, "--", *names)
        other.run("dvc", "pull", "--quiet")
        assert other.run("dvc", "status") == "Data and pipelines are up to date.\n"


def test_a_fresh_clone_serves_what_is_recorded_and_goes_on(with_remotes, clone, tmp_path):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    assert "is served from releases/current, as recorded" in other.run(
        "evergreen", "cycle", "--as-of", DAY
    )
    assert served(other) == served(with_remotes)
    other.run("dvc", "pull", "--quiet")
    for project in (with_remotes, other):
        project.run("evergreen", "cycle", "--as-of", NEXT)
    assert lock(other) == lock(with_remotes)
    assert record(other, NEXT) == record(with_remotes, NEXT)
    assert served(other) == served(with_remotes)
    assert other.run("git", "status", "--short") == ""


def test_a_run_whose_data_was_never_pushed_is_named(with_remotes, clone):
    with_remotes.run("git", "push", "--quiet")
    said = refused(clone(with_remotes), "evergreen", "cycle", "--as-of", DAY)
    assert "models/production of commit" in said
    assert "run `evergreen finish --push` where the run was made" in said


def test_a_clone_without_data_gets_the_next_step(with_remotes, clone):
    with_remotes.run(*PUSH)
    other = clone(with_remotes)
    assert next_step(refused(other, "evergreen", "cycle", "--as-of", NEXT)) == "evergreen pull"


def test_a_rejected_push_names_the_commands_that_make_the_run_again(with_remotes, tmp_path):
    """Both run one day, each in its own commit; one has run the next day as well."""
    one = with_remotes
    one.run(*PUSH)
    two = one.copy_to(tmp_path / "two")
    one.run("evergreen", "cycle", "--as-of", NEXT, "--push")
    two.run("git", "config", "user.name", "two")
    two.run("evergreen", "cycle", "--as-of", NEXT, "--through", AFTER)
    before, release = head(two).strip(), served(two)
    said = refused(two, *PUSH)
    assert "git push was rejected: origin/" in said
    assert next_step(said) == f"evergreen pull && evergreen cycle --as-of {AFTER} --push"
    assert (head(two).strip(), served(two)) == (before, release)

    two.run("bash", "-c", next_step(said))
    assert two.run("git", "log", "-2", "--format=%an").split() == ["two", "test"]
    assert two.run("git", "branch", "--contains", before).strip().startswith("unpushed-")
    assert two.run("git", "status", "--short", "--branch").count("ahead") == 0
    one.run("git", "pull", "--quiet", "--rebase")
    one.run("dvc", "pull", "--quiet")
    one.run("evergreen", "finish")
    assert served(one) == served(two)
