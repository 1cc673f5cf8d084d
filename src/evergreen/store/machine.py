"""The arithmetic that this process uses, as numpy and OpenBLAS report it, and its machine."""

from __future__ import annotations

import os
import platform

import numpy as np
from threadpoolctl import threadpool_info

from evergreen.settings.kernels import CORETYPE, KERNEL, level_of_x86

WITHIN_AVX2 = frozenset(
    {"SSE", "SSE2", "SSE3", "SSSE3", "SSE41", "SSE42", "POPCNT", "AVX", "F16C", "FMA3", "AVX2",
     "X86_V2", "X86_V3"}
)  # fmt: skip
"""numpy's names up to AVX2, of all its versions."""
PROMISED = f"x86_64-linux-openblas-{KERNEL}-numpy-x86_v3".lower()
"""The platform class on which equal inputs give equal bytes, whatever the processor."""


def platform_class() -> str:
    """The machines with equal bytes: architecture, system, OpenBLAS's kernel, numpy's features."""
    blas = [info for info in threadpool_info() if info["user_api"] == "blas"]
    names = sorted({f"{b['internal_api']}-{b.get('architecture', 'any')}" for b in blas})
    simd = ["numpy", *_simd_features()]
    return "-".join([platform.machine(), platform.system(), *names, *simd]).lower()


def _simd_features() -> list[str]:
    """What numpy uses beyond its baseline; everything up to AVX2 is one feature."""
    used = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])  # if any
    avx2 = ["X86_V3"] if {"X86_V3", "AVX2"} & set(used) else []
    return avx2 + [name for name in used if name not in WITHIN_AVX2]


def remark() -> str | None:
    """Say that this process does not use the promised arithmetic; None where it does."""
    actual = platform_class()
    if actual == PROMISED:
        return None
    kernel = os.environ.get(CORETYPE, KERNEL)
    cause = "" if kernel == KERNEL else f", as the environment sets {CORETYPE}={kernel}"
    return f"last digits may differ from other machines: computed on {actual}{cause}"


def describe_machine() -> tuple[str, str | None]:
    """The level of the architecture, such as x86-64-v3, and the version of glibc where it is used.

    Decides nothing: what glibc computes was the same in all versions that were compared.
    """
    level = level_of_x86()
    return f"x86-64-v{level}" if level else platform.machine(), _glibc()


def _glibc() -> str | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError):  # no Linux, or no glibc
        return None
    return version if name == "glibc" else None
