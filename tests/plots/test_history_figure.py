import re
import warnings

import pandas as pd
import pytest

from evergreen.plots.history_figure import history_panel


def losses(*days):
    return pd.DataFrame(
        {
            "as_of": pd.to_datetime(days),
            "target": "clv",
            "model": "champion",
            "loss": [8.93 + number / 100 for number in range(len(days))],
            "promoted": False,
        }
    )


@pytest.mark.parametrize("last", ["04-02", "04-03", "04-05", "04-12", "06-30"])
def test_runs_some_days_apart_are_marked_by_days_and_without_a_warning(last):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = history_panel("clv", "deviance", losses("2017-04-01", f"2017-{last}"))
    assert "Apr" in drawn
    assert not re.search(r"\d\d:\d\d<", drawn)  # no hours


def test_a_single_run_stands_among_days_not_among_years():
    assert ">2016<" not in history_panel("clv", "deviance", losses("2017-04-01"))


@pytest.mark.parametrize("last", ["2019-06-10", "2021-06-10", "2026-01-01"])
def test_years_of_runs_are_drawn_without_a_warning(last):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert history_panel("clv", "deviance", losses("2017-04-01", last))
