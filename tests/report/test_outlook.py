from datetime import date
from types import SimpleNamespace

import pytest

from evergreen.report.outlook import false_promotions, served_words


def look(alpha):
    return SimpleNamespace(alpha=alpha)


def run(day, *alphas):
    candidates = {str(k): look(alpha) for k, alpha in enumerate(alphas)}
    return SimpleNamespace(as_of=day, targets={"clv": SimpleNamespace(candidates=candidates)})


def told(*records):
    material = SimpleNamespace(record=records[-1], records=list(records))
    return false_promotions(material).notes[0].text


def test_the_chances_of_all_looks_of_the_month_add_up():
    words = told(run(date(2024, 3, 31), 0.5), run(date(2024, 4, 1), 0.025, 0.005),
                 run(date(2024, 4, 30), 0.01))  # fmt: skip
    assert "In April 2024 so far 3 looks at candidates in 2 runs" in words
    assert "at most 0.04 would be expected" in words


def test_looks_of_an_older_record_are_named_as_not_counted():
    assert "Not counted are 1 of them" in told(run(date(2024, 4, 1), 0.01, None))


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
    material = SimpleNamespace(record=record, records=[record, record], settings=settings)
    assert words in served_words(material)
