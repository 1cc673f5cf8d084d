from datetime import date

import pytest
import yaml

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.history.experiments import check_no_experiment, find_experiment
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.git import git

DAY = date(2024, 4, 1)


def write_lock(*, alpha=0.01, data="d0", scored="s0", targets=None):
    """A `dvc.lock` of two stages, the second of which reads what the first has made."""
    params = {"gate": {"alpha": alpha}, "targets": targets or {"clv": {"horizon_days": 28}}}
    stages = {
        "train": {
            "params": {"params.yaml": params},
            "deps": [{"path": "data/raw", "md5": data}],
            "outs": [{"path": "models/full", "md5": f"of {alpha}"}],
        },
        "score": {
            "deps": [{"path": "models/full", "md5": f"of {alpha}"}],
            "outs": [{"path": "data/scored", "md5": scored}],
        },
    }
    paths.DVC_LOCK.write_text(yaml.safe_dump({"stages": stages}))


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A git repository in which the run of a date is recorded."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("name", "test"), ("email", "test@localhost")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name.upper()}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name.upper()}", value)
    git("init", "--quiet")
    write_lock()
    run_records.write(
        run_records.RunRecord(
            as_of=DAY,
            mode="auto",
            lock=files.sha256(paths.DVC_LOCK),
            full_retrain_as_of=DAY,
            release=None,
            previous_release=None,
            parameters_changed={},
            features_changed={},
            targets={},
        )
    )
    commit("Run")


def commit(message):
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


@pytest.mark.usefixtures("recorded")
def test_the_recorded_run_is_no_experiment_and_neither_is_a_date_without_one():
    assert find_experiment(DAY) is None
    write_lock(alpha=0.02)
    assert find_experiment(date(2024, 4, 2)) is None


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({"alpha": 0.05}, ["gate.alpha: 0.01 -> 0.05"]),
        ({"data": "d1"}, ["data/raw"]),
        ({"alpha": 0.05, "data": "d1"}, ["gate.alpha: 0.01 -> 0.05", "data/raw"]),
        (
            {"targets": {"churn": {"horizon_days": 28}}},
            [
                "targets.churn.horizon_days: not set -> 28",
                "targets.clv.horizon_days: 28 -> not set",
            ],
        ),
        ({"scored": "s1"}, []),
    ],
)
def test_what_an_experiment_started_from_is_compared_and_not_what_it_made(changes, differences):
    write_lock(**changes)
    experiment = find_experiment(DAY)
    assert experiment.differences == differences
    assert experiment.is_remade == (not differences)


@pytest.mark.usefixtures("recorded")
def test_many_differences_are_counted():
    write_lock(targets={name: {"horizon_days": 7} for name in "abcdefgh"})
    assert str(find_experiment(DAY)).endswith("e.horizon_days: not set -> 7, 3 more")


@pytest.mark.usefixtures("recorded")
def test_the_way_back_works_whether_the_experiment_is_staged_or_committed():
    recorded = paths.DVC_LOCK.read_bytes()
    paths.PARAMS.write_text("seed: 1\n")
    commit("Settings")
    run_records.write(run_records.committed(DAY).model_copy(update={"mode": "full"}))
    commit("Run")  # what is restored is the commit of the record
    for kept in ((), ("add", "dvc.lock"), ("commit", "--quiet", "--all", "--message", "Try")):
        write_lock(alpha=0.05)
        if kept:
            git(*kept)
        restore, _, checkout = find_experiment(DAY).way_back.partition(" && ")
        assert checkout == "dvc checkout"
        git(*restore.split()[1:])
        assert paths.DVC_LOCK.read_bytes() == recorded


@pytest.mark.usefixtures("recorded")
def test_going_on_from_a_run_of_another_platform_offers_to_record_it():
    write_lock(scored="s1")
    with pytest.raises(EvergreenError) as caught:
        check_no_experiment(DAY)
    assert caught.value.next_step == (
        "git restore . && dvc checkout; or evergreen finish, to record it"
    )


@pytest.mark.usefixtures("recorded")
def test_other_results_name_both_platforms_where_they_differ():
    machine = run_records.MachineRecord(platform="old", level="x86-64-v4", glibc="2.36")
    run_records.write(run_records.committed(DAY).model_copy(update={"machine": machine}))
    commit("Run")
    write_lock(scored="s1")
    ending = "dvc.lock differs from the recorded one, but no parameter, input or code does"
    for platform, why in (
        ("new", "was made on new, the recorded one on old"),
        ("old", "has other results"),
    ):
        files.write_json({"platform": platform}, paths.DECISION_REPORT)
        assert str(find_experiment(DAY)) == f"the run of {DAY} in the workspace {why}: {ending}"


@pytest.mark.usefixtures("recorded")
def test_each_replaced_record_gets_a_number_and_keeps_its_bytes():
    for number in (1, 2):
        before = run_records.path_of(DAY).read_bytes()
        replacement = run_records.replacement(DAY, "a reason")
        record = run_records.committed(DAY).model_copy(
            update={"lock": str(number), "replaces": replacement}
        )
        for _ in range(2):  # a killed call is repeated
            run_records.write(record)
        assert replacement.record == f"{DAY}-{number}"
        assert (run_records.REPLACED / f"{DAY}-{number}.json").read_bytes() == before
        commit(f"Replace {number}")
    assert [record.lock for record in run_records.replaced()][1:] == ["1"]
    assert run_records.dates() == [DAY]
