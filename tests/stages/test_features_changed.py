"""A model is replaced by one that reads other words."""

from datetime import date, timedelta

from evergreen.history.feature_changes import features_changed, in_one_line

AS_OF = date(2024, 4, 1)


def test_words_that_came_and_went_with_a_new_model_are_named(finished):
    finished.crown()
    day = (AS_OF + timedelta(days=14)).isoformat()
    finished.set("as_of", day)
    finished.set("full_retrain.as_of", day)
    finished.set("features.text.stop_words", ["silk"])
    finished.set("estimators.lightgbm.rounds", 150)
    finished.set("gate.alpha_full", 0.49)
    finished.run()
    changed = features_changed(finished.settings.targets)
    assert changed
    assert all("- text: silk" in lines for lines in changed.values())


def test_a_release_that_stays_reads_the_same(finished):
    finished.crown()
    assert features_changed(finished.settings.targets) == {}


def test_a_long_list_of_changes_is_cut_and_counted():
    assert in_one_line(["- a"] * 10 + ["+ b"] * 3).endswith("- a, and 3 more")
