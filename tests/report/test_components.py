import pytest

from evergreen.report.components import (
    BAD,
    DASH,
    GOOD,
    IntervalBar,
    PageTable,
    gain_cells,
    number,
    row,
)


def test_gains_are_drawn_on_one_line_that_holds_zero():
    better, worse, unclear = gain_cells(
        [(0.05, 0.01, 0.09), (-0.05, -0.09, -0.01), (0, -0.01, 0.01)]
    )
    assert (better.tone, worse.tone, unclear.tone) == (GOOD, BAD, "")
    assert better.bar.zero == worse.bar.zero == unclear.bar.zero == IntervalBar.WIDTH / 2
    assert 0 < worse.bar.low < worse.bar.middle < worse.bar.high < worse.bar.zero < better.bar.low
    assert better.bar.high < IntervalBar.WIDTH


def test_a_gain_that_is_not_known_is_a_dash_and_moves_no_other():
    nothing, known = gain_cells([(None, None, None), (0.05, 0.01, 0.09)])
    assert nothing.text == DASH
    assert known == gain_cells([(0.05, 0.01, 0.09)])[0]


def test_the_sign_of_the_low_end_is_always_shown():
    [cell] = gain_cells([(0.02, 0.0001, 0.04)])
    assert cell.text == "+2.00 (+0.01 to +4.00)"


def test_a_gain_of_nothing_at_all_is_drawn():
    [cell] = gain_cells([(0.0, 0.0, 0.0)])
    assert cell.text == "+0.00 (+0.00 to +0.00)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"),
     (-0.0027251, "\N{MINUS SIGN}0.002725"), (8.7934, "8.793"), (16750.2, "16,750"),
     (None, DASH), (float("nan"), DASH)],
)  # fmt: skip
def test_figures_have_four_digits_or_are_a_dash(value, text):
    assert number(value) == text


def test_columns_hold_either_text_or_numbers():
    rows = [row("full", "promoted", "+1.0 (+0.2 to +1.8)", DASH), row("none", "held", DASH, "3 %")]
    assert PageTable(list("abcd"), rows).text_columns == [True, True, False, False]
    drawn = [[row("full")[0], gain_cells([(0.1, 0, 0.2)])[0]], row("none", "too few")]
    assert PageTable(list("ab"), drawn).text_columns == [True, False]
    assert PageTable(list("ab"), []).text_columns == [False, False]
