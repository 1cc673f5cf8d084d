import subprocess
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from evergreen.core.models import registry
from evergreen.settings.estimators import (
    EstimatorName,
    EstimatorSettings,
    LightGBMSettings,
    LinearSettings,
)


def imported_after(code):
    """The libraries that a fresh process has imported after running the code."""
    listing = "import sys; print('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", f"{code}; {listing}"]
    return set(subprocess.check_output(command, text=True).split())


def test_an_unknown_name_is_answered_with_those_available():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared literally below
        registry.build("xgboost", "binary")
    assert str(caught.value) == (
        "there is no estimator 'xgboost'; available: lightgbm, random_forest, linear, blend"
    )


def test_an_unknown_kind_is_answered_with_those_available():
    with pytest.raises(
        ValueError, match=r"^there is no kind 'count'; available: binary, regressio"
    ):
        registry.build("linear", "count")


def test_settings_may_be_an_instance_a_mapping_or_left_out():
    instance = LinearSettings(epochs=3)
    assert registry.build("linear", "binary", instance).settings is instance
    assert registry.build("linear", "binary", {"epochs": 3}).settings == instance
    assert registry.build("linear", "binary").settings == LinearSettings()


@pytest.mark.parametrize(
    "wrong", [{"epoch": 3}, {"epochs": 0}, {"epochs": "3"}, LightGBMSettings()], ids=repr
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        registry.build("linear", "binary", wrong)


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_estimator_has_settings_under_its_name(name):
    chosen = registry.estimator_class(name)
    assert chosen.name == name
    assert type(EstimatorSettings().of(name)) is chosen.settings_class


def test_names_are_the_same_everywhere():
    assert registry.NAMES == get_args(EstimatorName) == (*EstimatorSettings.model_fields, "blend")


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        LinearSettings().epochs = 3


def test_choosing_an_estimator_imports_no_learning_library():
    modules = imported_after("from evergreen.core.models import registry")
    assert not {"lightgbm", "sklearn", "joblib", "scipy"} & modules


def test_the_linear_estimator_needs_no_learning_library():
    modules = imported_after(
        "from evergreen.core.models import registry; registry.build('linear', 'binary')"
    )
    assert not {"lightgbm", "sklearn", "joblib"} & modules


def test_lightgbm_comes_without_the_forests_of_scikit_learn():
    modules = imported_after(
        "from evergreen.core.models import registry; registry.build('lightgbm', 'binary')"
    )
    assert "lightgbm" in modules
    assert "sklearn.ensemble" not in modules
