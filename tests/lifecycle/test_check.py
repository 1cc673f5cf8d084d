import pytest
import yaml

from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.lifecycle import check as loop_check
from evergreen.lifecycle.check import CheckResult, check
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

COLUMNS = {"client_id": "Client", "timestamp": "Date", "amount": "Total"}


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """A folder with settings for your own files, with fake output of git and dvc."""
    committed = request.config.rootpath / "params.yaml"
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load(committed.read_text())
    values["source"] = {"transactions": {"files": "shop.csv", "columns": COLUMNS}}
    paths.PARAMS.write_text(yaml.safe_dump(values))
    monkeypatch.setattr(loop_check, "git", lambda *_words: "main\n")
    monkeypatch.setattr(loop_check, "current_branch", lambda: "main")
    monkeypatch.setattr(loop_check, "remote_names", list)
    return tmp_path


def found(topic):
    return [finding for finding in check() if finding.topic == topic]


def test_a_readable_source_has_an_ingestion_report(own):
    (own / "shop.csv").write_text("Client,Date,Total\na,2017-03-30,1\n")
    files, account, totals = found("source")
    assert files.message == "transactions: 1 file"
    assert account.message.startswith("transactions: read 1 rows = 1 accepted + ")
    assert totals.message.endswith("1 row of 1 client from 2017-03-30 to 2017-03-30, in all 1.00")
    assert not paths.RAW.exists()


def test_a_missing_column_is_reported_with_the_next_step(own):
    (own / "shop.csv").write_text("Client,Day,Total\na,2017-03-30,1\n")
    [finding] = found("source")
    assert "lacks the column 'Date'" in finding.message
    assert finding.next_step is not None


def test_settings_that_are_not_valid_end_the_examination(own):
    paths.PARAMS.write_text("as_of: soon")
    [finding] = check()
    assert (finding.topic, finding.next_step is None) == ("configuration", False)


def test_a_removed_setting_is_named(own):
    values = yaml.safe_load(paths.PARAMS.read_text())
    values["estimators"]["hist_gradient_boosting"] = {}
    paths.PARAMS.write_text(yaml.safe_dump(values))
    valid, hint = map(str, found("configuration"))
    assert valid.startswith("ok   configuration: params.yaml is valid")
    assert hint.startswith("ok   configuration: hint: params.yaml: estimators.hist_gradient_boost")


def test_the_next_step_is_named(own):
    assert [finding.next_step for finding in found("raw tables")] == ["evergreen ingest"]


def test_a_result_shows_whether_it_is_fine():
    assert str(CheckResult("disk", "9 GiB free")) == "ok   disk: 9 GiB free"
    full = CheckResult("disk", "full", "make room")
    assert str(full) == "!!   disk: full\n     Next: make room"
    assert full.failed


def test_advice_does_not_fail_the_check():
    advice = CheckResult("labels", "few", "wait", advice=True)
    assert str(advice) == " !   labels: few\n     Next: wait"
    assert not advice.failed


def test_without_transactions_there_are_no_labels_to_count(own):
    [nothing] = found("raw tables")
    assert nothing.message == "no transactions yet, and so no labels"
    assert found("labels") == []


def test_a_history_that_ends_too_early_is_reported_once(own, retailer, repository):
    repository.set("as_of", "2025-01-01")
    repository.write_params()
    assert [line.topic for line in check() if "ends on" in line.message] == ["raw tables"]


def test_labels_of_each_target_are_counted_before_the_first_run(own, retailer, repository):
    repository.write_params()
    assert [line.message.split(":")[0] for line in found("labels")] == [
        "purchase in 7 days",
        "churn in 28 days",
        "clv in 28 days",
    ]


def test_a_wild_amount_is_advice(own):
    rows = [f"c{k},2017-03-30,{k + 1}" for k in range(20)]
    (own / "shop.csv").write_text(
        "\n".join(["Client,Date,Total", *rows, "c1,2017-03-30,36000291452"])
    )
    *_, wild = found("source")
    assert wild.message.startswith("transactions: shop.csv, line 22: amount 36,000,291,452.00 is ")
    assert (wild.next_step, wild.failed) == ("if it is wrong, correct it in the source", False)


def test_rows_without_a_key_are_named_as_not_to_be_corrected(own):
    (own / "shop.csv").write_text("Client,Date,Total\na,2017-03-30,1\n")
    [note] = found("corrections")
    assert "an order that changes after it was ingested is not corrected" in note.message
    assert not note.failed


def test_ids_that_differ_in_case_are_advice(own):
    (own / "shop.csv").write_text("Client,Date,Total\nA7,2017-03-30,1\na7,2017-03-29,1\n")
    *_, advice = found("source")
    assert "'A7' and 'a7'" in advice.message
    assert advice.advice


def test_settings_that_read_ingested_rows_differently_stop_a_run(own):
    (own / "shop.csv").write_text("Client,Date,Total,Item\na,2017-03-30,1,x\n")
    list(ingest_new_rows(load_settings()))
    values = yaml.safe_load(paths.PARAMS.read_text())
    values["source"]["transactions"]["columns"]["text"] = "Item"
    paths.PARAMS.write_text(yaml.safe_dump(values))
    [refused] = found("source")
    assert "columns.text: not set -> Item" in refused.message
    assert refused.next_step.startswith("evergreen ingest --rebuild")
    assert refused.failed


def test_ids_that_one_file_repeats_are_named(own):
    values = yaml.safe_load(paths.PARAMS.read_text())
    (own / "shop.csv").write_text("Client,Date,Total,Id\na,2017-03-30,1,7\na,2017-03-30,2,7\n")
    values["source"] = {
        "transactions": {"files": "shop.csv", "columns": COLUMNS | {"row_id": "Id"}}
    }
    paths.PARAMS.write_text(yaml.safe_dump(values))
    [advice] = [result for result in found("source") if result.advice]
    assert "1 id of `row_id` column 'Id' occurs more than once in one file" in advice.message
    assert "map a key of the lines" in advice.next_step


def test_the_total_of_an_order_has_the_order_as_its_key(own):
    values = yaml.safe_load(paths.PARAMS.read_text())
    table = {"files": "shop.csv", "columns": COLUMNS | {"invoice_id": "Order"}}
    (own / "shop.csv").write_text("Client,Date,Total,Order\na,2017-03-30,1,1\na,2017-03-30,,1\n")
    for amount_per, keyed in (("line", False), ("order", True)):
        values["source"] = {"transactions": table | {"amount_per": amount_per}}
        values["data"]["max_bad_share"] = 1.0
        paths.PARAMS.write_text(yaml.safe_dump(values))
        assert (found("corrections") == []) is keyed
