import re

import pytest

from evergreen.store import machine


@pytest.fixture
def running_on(monkeypatch):
    """Pretend that numpy and OpenBLAS use these."""

    def set_up(*kernels, features=("X86_V3",)):
        blas = [
            {"user_api": "blas", "internal_api": "openblas", "architecture": k} for k in kernels
        ]
        monkeypatch.setattr(machine, "threadpool_info", lambda: blas)
        used = {"SIMD Extensions": {"found": list(features)}} if features else {}
        monkeypatch.setattr(machine.np, "show_config", lambda mode: used)  # noqa: ARG005
        monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
        monkeypatch.setattr(machine.os, "environ", {})

    return set_up


@pytest.mark.parametrize(
    "features", [["X86_V3"], ["SSSE3", "SSE41", "POPCNT", "SSE42", "AVX", "F16C", "FMA3", "AVX2"]]
)
def test_the_promised_arithmetic_has_no_remark_whatever_numpy_calls_it(running_on, features):
    running_on("Haswell", "Haswell", features=features)
    assert machine.platform_class() == machine.PROMISED
    assert machine.remark() is None


@pytest.mark.parametrize(
    ("kernels", "features", "name"),
    [
        (["SkylakeX"], ["X86_V3"], "openblas-skylakex-numpy-x86_v3"),
        (["Haswell", "SkylakeX"], ["X86_V3"], "openblas-haswell-openblas-skylakex-numpy-x86_v3"),
        (["Haswell"], ["X86_V3", "X86_V4"], "openblas-haswell-numpy-x86_v3-x86_v4"),
        (["Haswell"], ["X86_V3", "AVX10_2"], "openblas-haswell-numpy-x86_v3-avx10_2"),
        (["Haswell"], [], "openblas-haswell-numpy"),
    ],
)
def test_other_arithmetic_is_named(running_on, kernels, features, name):
    running_on(*kernels, features=features)
    assert machine.remark() == (
        f"last digits may differ from other machines: computed on x86_64-linux-{name}"
    )


def test_a_kernel_that_the_environment_sets_is_named_as_the_cause(running_on, monkeypatch):
    running_on("Nehalem")
    monkeypatch.setattr(machine.os, "environ", {"OPENBLAS_CORETYPE": "Nehalem"})
    assert machine.remark().endswith(", as the environment sets OPENBLAS_CORETYPE=Nehalem")


def test_a_machine_is_described_by_its_level_and_glibc():
    level, glibc = machine.describe_machine()
    assert level
    assert glibc is None or re.fullmatch(r"\d+\.\d+", glibc)
