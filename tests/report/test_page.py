"""The report of a run: complete, self-contained, the same whenever it is written."""

import json
import re

import pytest

from evergreen.errors import EvergreenError
from evergreen.report.page import write_report
from evergreen.settings import paths


@pytest.fixture
def first(finished):
    """The report of a first run: its page and its Markdown."""
    markdown = finished.report()
    return paths.PAGE.read_text(), markdown


def test_the_page_is_one_file_that_needs_no_network_and_no_script(first):
    page, _ = first
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="(data:image/svg|#|[^"]{0,20})', page)) <= {
        "data:image/svg", "#",
    }  # fmt: skip


def test_every_target_has_its_decision_its_figures_and_its_pictures(first):
    page, markdown = first
    for name in ("purchase", "churn", "clv"):
        assert f"## {name}: " in markdown
        assert f'alt="{name}: curves"' in page
    for section in ("Gain", "Models and baselines", "Value at a contact budget", "Slices: full",
                    "Live performance", "Drift and performance decline", "Lineage"):  # fmt: skip
        assert page.count(section) >= 3
        assert markdown.count(section) >= 3


def test_it_is_written_in_the_same_bytes_again(finished, first):
    finished.report()
    assert (paths.PAGE.read_text(), paths.PAGE_IN_MARKDOWN.read_text()) == first


def test_tables_in_markdown_have_as_many_cells_in_every_row(first):
    _, markdown = first
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        widths = {row.count(" | ") for row in table.splitlines() if not row.startswith("|---")}
        assert len(widths) <= 2  # a row of the body ends with a blank


def test_an_alert_is_shown_at_the_top_and_in_its_section(finished):
    alert = {"kind": "decline", "since": "2024-03-01", "message": "live loss 0.61 against 0.55"}
    report = {name: {"alerts": [], "checked": []} for name in ("purchase", "churn", "clv")}
    report["churn"]["alerts"].append(alert)
    report["purchase"]["checked"].append({"kind": "inputs", "message": "as in training"})
    paths.DRIFT_REPORT.write_text(json.dumps(report))
    markdown = finished.report()
    assert markdown.count("decline since 2024-03-01: live loss 0.61 against 0.55") == 2
    assert "inputs: as in training" in markdown
    assert markdown.count("No alerts.") == 2


def test_a_warning_is_shown_with_its_target(finished):
    report = json.loads(paths.COMPARISON_REPORT.read_text())
    report["clv"]["warnings"] = ["btyd beats the champion: gain +2.0 %"]
    paths.COMPARISON_REPORT.write_text(json.dumps(report))
    assert "**Warning: btyd beats the champion: gain +2.0 %.**" in finished.report()


def test_user_text_is_escaped(finished):
    finished.set("hold", {"clv": "<b>looks</b> | wrong"})
    decision = json.loads(paths.DECISION_REPORT.read_text())
    decision["targets"]["clv"]["verdict"] = "held (<b>looks</b> | wrong); kept"
    paths.DECISION_REPORT.write_text(json.dumps(decision))
    finished.report()
    assert "<b>looks" not in paths.PAGE.read_text()


def test_a_run_that_is_not_complete_names_the_command(finished):
    paths.DVC_LOCK.touch()
    paths.EVALUATION_REPORT.unlink()
    with pytest.raises(EvergreenError, match=r"evaluation\.json does not exist\nNext: dvc repro"):
        write_report(finished.settings, paths.PAGE, paths.PAGE_IN_MARKDOWN)
