import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings import paths
from evergreen.store.used_parameters import check_used, used_parameters, write_used

VALUES = {"seed": 1, "gate": {"alpha": 0.01, "rows": 5}, "hold": {}, "name": "x"}


@pytest.fixture(autouse=True)
def pipeline(tmp_path, monkeypatch):
    """A pipeline of two stages, in which `compare` declares two parameters."""
    monkeypatch.chdir(tmp_path)
    stages = {"compare": {"params": ["seed", "gate.alpha", "absent"]}, "promote": {}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    write(VALUES)


def write(values):
    paths.PARAMS.write_text(yaml.safe_dump(values))


def test_a_stage_has_the_parameters_that_it_declares():
    assert used_parameters("compare", VALUES) == {"seed": 1, "gate.alpha": 0.01}
    assert used_parameters("promote", VALUES) == {}


def test_an_edit_of_what_a_stage_uses_fails_it_and_another_edit_does_not():
    used = used_parameters("compare", VALUES)
    write(VALUES | {"name": "y"})
    write_used("compare", used)
    write(VALUES | {"gate": {"alpha": 0.05}})
    with pytest.raises(SettingsError, match=r"while compare was at work: gate.alpha: 0.01 -> 0.05"):
        write_used("compare", used)


def test_an_edit_after_the_end_of_a_stage_is_found_before_the_run_is_recorded():
    for stage in ("compare", "promote"):
        write_used(stage, used_parameters(stage, VALUES))
    check_used()
    write(VALUES | {"seed": 2})
    with pytest.raises(SettingsError) as caught:
        check_used()
    assert "parameters than those it used: seed: 1 -> 2" in str(caught.value)
    assert "--single-item compare" in str(caught.value)
