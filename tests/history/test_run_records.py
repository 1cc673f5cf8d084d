from datetime import date

from rich.console import Console

from evergreen.history.run_records import (
    AlertRecord,
    CandidateRecord,
    RunRecord,
    TargetRecord,
)
from evergreen.history.run_summaries import (
    live,
    live_rows,
    loss_rows,
    versions,
)
from evergreen.history.tables import (
    as_json,
    history_table,
    live_table,
    versions_table,
)
from evergreen.lifecycle.rollback import RollbackRecord

WON = CandidateRecord(
    version="2024-04-01-full-aa",
    parent=None,
    trained_on=100,
    updates=0,
    loss=0.5,
    gain=0.1,
    interval=(0.05, 0.15),
    reason="gain_proven",
)
LOST = WON.model_copy(update={"version": "v2", "gain": 0.001, "reason": "gain_not_proven"})


def target(action, version, **candidates):
    return TargetRecord(
        action=action,
        version=version,
        champion=None,
        opponent="last_period",
        rows=500,
        clients=250,
        loss="log_loss",
        champion_loss=0.6,
        candidates=candidates,
        absent={},
        verdict="as it was",
        labels=1000,
        live={},
    )


RUN = RunRecord(
    as_of=date(2024, 4, 1),
    mode="auto",
    lock="0",
    full_retrain_as_of=date(2024, 4, 1),
    release="r",
    previous_release=None,
    parameters_changed={},
    features_changed={},
    targets={
        "purchase": target("promoted", WON.version, full=WON, incremental=LOST),
        "clv": target("kept", None),
    },
)
UNDONE = RollbackRecord(
    after=RUN.as_of,
    number=1,
    release="r0",
    previous_release="r",
    targets={"purchase": (WON.version, "v0")},
    reason="looks [/b] too good",
)


def shown(table):
    console = Console(width=140, markup=False, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_every_candidate_has_a_line_with_its_outcome():
    text = shown(history_table([RUN], [], None))
    assert "+10.00%" in text
    assert "promoted" in text
    assert "not proven" in text
    assert "as it was" in text


def test_an_alert_has_a_line():
    alert = AlertRecord(kind="decline", since=date(2024, 3, 1), message="worse")
    purchase = RUN.targets["purchase"].model_copy(update={"alerts": [alert]})
    text = shown(
        history_table([RUN.model_copy(update={"targets": {"purchase": purchase}})], [], None)
    )
    assert "has declined (since 2024-03-01)" in text


def test_a_record_of_before_there_were_alerts_is_read():
    content = RUN.model_dump(mode="json")
    for found in content["targets"].values():
        del found["alerts"]
    assert RunRecord.model_validate(content) == RUN


def test_a_record_with_the_old_names_of_alerts_is_read():
    alert = {"kind": "decline", "since": "2024-03-01"}
    now, before = (RUN.model_dump(mode="json") for _ in range(2))
    now["targets"]["purchase"]["alerts"] = [alert | {"message": "worse"}]
    del before["targets"]["purchase"]["alerts"]
    before["targets"]["purchase"]["alarms"] = [alert | {"words": "worse"}]
    assert RunRecord.model_validate(before) == RunRecord.model_validate(now) != RUN


def test_a_reason_is_shown_as_it_was_written():
    assert "looks [/b] too good" in shown(history_table([RUN], [UNDONE], "purchase"))
    assert "looks" not in shown(history_table([RUN], [UNDONE], "clv"))


def test_every_model_that_was_judged_is_a_version():
    found = versions([RUN])
    assert [(v.version, v.promoted) for v in found] == [(WON.version, True), ("v2", False)]
    assert f"purchase@{WON.version}" in shown(versions_table(found, None))


def test_json_holds_the_requested_target():
    [record] = as_json([RUN], "clv")
    assert list(record["targets"]) == ["clv"]


def test_losses_are_rows_with_the_opponent_first():
    rows = loss_rows([RUN])
    purchase = rows[rows["target"] == "purchase"]
    assert purchase["model"].tolist() == ["last_period", "full", "incremental"]
    assert purchase["promoted"].tolist() == [False, True, False]


def a_week_later(**metrics):
    judged = target("kept", WON.version, incremental=LOST).model_copy(
        update={"live": {"r": {"rows": 90, "clients": 80, "mean_label": 0.3} | metrics}}
    )
    day = date(2024, 4, 8)
    return RUN.model_copy(update={"as_of": day, "targets": {"purchase": judged}})


def test_live_metrics_are_shown_next_to_the_expected_loss():
    later = a_week_later(log_loss=0.52, mean_prediction=0.31)
    [found] = live(later, [RUN, later])
    assert (found.version, found.expected, found.loss) == (WON.version, 0.5, 0.52)
    text = shown(live_table([found], None))
    assert "0.5200" in text
    assert "0.5000" in text
    assert shown(live_table([found], "clv")).count("│") == 0


def test_live_metrics_are_rows_run_by_run():
    later = a_week_later(log_loss=0.52, mean_prediction=0.31)
    rows = live_rows([RUN, later])
    assert rows[["as_of", "target", "release", "loss"]].to_numpy().tolist() == [
        ["2024-04-08", "purchase", "r", 0.52]
    ]
