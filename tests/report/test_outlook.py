from datetime import date
from types import SimpleNamespace

import pytest

from evergreen.report.outlook import false_promotions_section, serving_sentence


def candidate(alpha):
    return SimpleNamespace(alpha=alpha)


def run(day, *alphas):
    candidates = {str(k): candidate(alpha) for k, alpha in enumerate(alphas)}
    return SimpleNamespace(as_of=day, targets={"clv": SimpleNamespace(candidates=candidates)})


def text(*records, replaced=()):
    data = SimpleNamespace(record=records[-1], records=list(records), replaced=list(replaced))
    return false_promotions_section(data).sentences[0].text


def test_the_levels_of_all_tests_of_the_month_add_up():
    sentence = text(run(date(2024, 3, 31), 0.5), run(date(2024, 4, 1), 0.025, 0.005),
                    run(date(2024, 4, 30), 0.01))  # fmt: skip
    assert "So far in April 2024, the gate has tested 3 candidates in 2 runs" in sentence
    assert "expect at most 0.04 promotions by chance" in sentence


def test_a_replaced_verdict_was_a_look_as_well():
    sentence = text(run(date(2024, 4, 1), 0.01), replaced=[run(date(2024, 4, 1), 0.025, 0.005)])
    assert "has tested 3 candidates in 1 run and 1 replaced verdict." in sentence
    assert "expect at most 0.04 promotions by chance" in sentence


def test_candidates_whose_record_lacks_the_level_are_not_counted():
    assert "This leaves out 1 without a recorded level" in text(run(date(2024, 4, 1), 0.01, None))


@pytest.mark.parametrize(
    ("mode", "before", "words"),
    [
        ("auto", "r1", "verifies release r2 and serves it from releases/current in place of r1;"),
        ("auto", None, "verifies release r2 and serves it from releases/current;"),
        ("review", "r1", "`evergreen approve 2024-04-01`, or merging the pull request, serves"),
        ("review", "r2", "Release r2 stays in releases/current"),
    ],
)
def test_what_an_approval_does_is_said_where_one_is_asked_for(mode, before, words):
    record = SimpleNamespace(as_of=date(2024, 4, 1), release="r2", previous_release=before)
    settings = SimpleNamespace(promotion=SimpleNamespace(mode=mode))
    data = SimpleNamespace(record=record, records=[record, record], settings=settings)
    assert words in serving_sentence(data)
