from evergreen.history import run_records
from evergreen.history.run_recorder import record_of
from evergreen.lifecycle.summary import summary
from evergreen.settings import paths
from evergreen.store import files
from evergreen.store.machine import PROMISED


def on_platforms(settings):
    """The lines of the summary that name a platform."""
    return [line for line in summary(settings) if "may differ" in str(line)]


def set_platform(platform):
    decision = files.read_json(paths.DECISION_REPORT, next_step="")
    files.write_json(decision | {"platform": platform}, paths.DECISION_REPORT)


def test_the_summary_names_arithmetic_that_is_not_the_promised_one(finished):
    set_platform(PROMISED)
    assert on_platforms(finished.settings) == []
    set_platform("another")
    assert on_platforms(finished.settings) == [
        "last digits may differ from other machines: computed on another"
    ]


def test_the_summary_names_where_a_run_was_recorded_and_where_it_was_made_again(finished):
    paths.DVC_LOCK.touch()
    set_platform("old")
    recorded = record_of(finished.settings)
    run_records.write(recorded)
    set_platform(PROMISED)
    assert record_of(finished.settings) == recorded  # the same dvc.lock
    [line] = on_platforms(finished.settings)
    assert line == (
        "last digits may differ from the recorded run, decisions should not: recorded on old, "
        f"this is {PROMISED}"
    )
    paths.DVC_LOCK.write_text("of other bytes")
    assert record_of(finished.settings).machine.platform == PROMISED
