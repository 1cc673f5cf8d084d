import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evergreen.stages
from evergreen.settings import kernels

V3 = (kernels.level_of_x86() or 0) >= 3
on_v3 = pytest.mark.skipif(not V3, reason="this is no x86-64 Linux machine of level v3")
# As numpy 2.4 and later name it; the environment of this process stays as it is.
NUMPYS = " ".join(kernels.ABOVE_AVX2)


def chosen(monkeypatch, **environment):
    """What the environment becomes, on any machine."""
    monkeypatch.setattr(kernels, "level_of_x86", lambda: 3)
    monkeypatch.setattr(kernels.os, "environ", environment)
    kernels.choose_kernels()
    return environment


def test_what_differs_between_processors_is_chosen(monkeypatch):
    assert chosen(monkeypatch) == {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": NUMPYS,
    }


def test_a_kernel_that_the_environment_names_is_left_alone(monkeypatch):
    assert chosen(monkeypatch, OPENBLAS_CORETYPE="Nehalem")["OPENBLAS_CORETYPE"] == "Nehalem"


@pytest.mark.parametrize("named", ["X86_V3", "AVX512_ICL,X86_V3"])
def test_features_that_the_environment_disables_stay_disabled(monkeypatch, named):
    disabled = chosen(monkeypatch, NPY_DISABLE_CPU_FEATURES=named)["NPY_DISABLE_CPU_FEATURES"]
    assert sorted(disabled.split()) == ["AVX512_ICL", "AVX512_SPR", "X86_V3", "X86_V4"]
    again = chosen(monkeypatch, NPY_DISABLE_CPU_FEATURES=disabled)["NPY_DISABLE_CPU_FEATURES"]
    assert again == disabled


def test_nothing_is_disabled_beside_features_that_the_environment_enables(monkeypatch):
    """Numpy can't be imported with both."""
    enabled = chosen(monkeypatch, NPY_ENABLE_CPU_FEATURES="X86_V3")
    assert "NPY_DISABLE_CPU_FEATURES" not in enabled


@pytest.mark.parametrize(
    ("flags", "level"),
    [((), 1), ((2,), 2), ((2, 3), 3), ((2, 3, 4), 4), ((2, 4), 2)],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_level_of_a_processor_has_the_levels_below(monkeypatch, flags, level):
    monkeypatch.setattr(kernels, "_flags", lambda: set().union(*(kernels.LEVELS[n] for n in flags)))
    monkeypatch.setattr(kernels.os, "uname", lambda: os.uname_result(("", "", "", "", "x86_64")))
    assert kernels.level_of_x86() == level


@pytest.mark.parametrize(("level", "machine"), [(2, "x86_64"), (None, "aarch64")])
def test_other_machines_keep_their_arithmetic(monkeypatch, level, machine):
    environment = {}
    monkeypatch.setattr(kernels.os, "environ", environment)
    monkeypatch.setattr(kernels.os, "uname", lambda: os.uname_result(("", "", "", "", machine)))
    monkeypatch.setattr(kernels, "_flags", lambda: kernels.LEVELS[2])
    assert kernels.level_of_x86() == level
    kernels.choose_kernels()
    assert environment == {}


def test_importing_the_stages_chooses_and_importing_evergreen_does_not(monkeypatch):
    environment = {}
    monkeypatch.setattr(kernels, "level_of_x86", lambda: 3)
    monkeypatch.setattr(kernels.os, "environ", environment)
    importlib.reload(evergreen)
    assert environment.keys() == {"OMP_WAIT_POLICY"}
    importlib.reload(evergreen.stages)
    assert environment["OPENBLAS_CORETYPE"] == "Haswell"


@on_v3
def test_numpy_and_every_openblas_do_as_chosen():
    code = (
        "import sys, evergreen.stages\n"
        "print('numpy' in sys.modules)\n"
        "import scipy.linalg\n"
        "from evergreen.store.machine import remark\n"
        "print(remark())"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    loaded, said = subprocess.check_output(command, text=True).splitlines()
    assert loaded == "False"
    if os.environ["OPENBLAS_CORETYPE"] == "Haswell":
        assert said == "None"
    else:
        assert said.startswith("last digits may differ from other machines: computed on")


def test_no_workflow_and_no_script_changes_the_kernel():
    root = Path(__file__).parents[2]
    for path in (*(root / ".github").rglob("*.yml"), *(root / "scripts").rglob("*")):
        assert "OPENBLAS_CORETYPE" not in path.read_text(encoding="utf-8"), path
