"""Choose the arithmetic of OpenBLAS and numpy, which otherwise depends on the processor.

Their sums and products differ in the last bits between instruction sets. With OpenBLAS's kernel for
Haswell, and numpy without what is above AVX2, equal inputs give equal bytes on every x86-64 Linux
machine of level v3. Both read the environment once, as they are loaded.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

CORETYPE = "OPENBLAS_CORETYPE"
KERNEL = "Haswell"
DISABLED = "NPY_DISABLE_CPU_FEATURES"
ENABLED = "NPY_ENABLE_CPU_FEATURES"
ABOVE_AVX2 = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
"""numpy's names for it, from version 2.4 on. It ignores those that a processor does not have."""
ABOVE_AVX2_BEFORE = ("AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL",
                     "AVX512_SPR")  # fmt: skip
RENAMED_IN = (2, 4)
LEVELS = {
    2: {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
    3: {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"},
    4: {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"},
}
"""What Linux calls the instructions that each level of x86-64 adds (System V ABI, AMD64)."""
FIRST_PROCESSOR = 16_384
"""Bytes of ``/proc/cpuinfo`` that hold the first processor; large machines list hundreds."""


def choose_kernels() -> None:
    """Set the environment for this process, if numpy is not loaded yet, and for its children.

    An OpenBLAS kernel that the environment names is left alone, as some processors need theirs.
    """
    if (level_of_x86() or 0) < 3:  # noqa: PLR2004 - a level
        return
    os.environ.setdefault(CORETYPE, KERNEL)
    if not os.environ.get(ENABLED):  # numpy refuses both
        named = re.split(r"[\s,]+", os.environ.get(DISABLED, ""))
        os.environ[DISABLED] = " ".join(dict.fromkeys(filter(None, (*named, *_above_avx2()))))


def level_of_x86() -> int | None:
    """The level of an x86-64 Linux machine, from 1 to 4; None elsewhere."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return None
    flags = _flags()
    return max((n for n in LEVELS if all(LEVELS[m] <= flags for m in range(2, n + 1))), default=1)


def _flags() -> set[str]:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            found = re.search(r"^flags\s*:(.*)$", file.read(FIRST_PROCESSOR), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].split()) if found else set()


def _above_avx2() -> tuple[str, ...]:
    """The names that the installed numpy uses; importing it, or package metadata, is slow."""
    spec = find_spec("numpy")
    if spec is None or spec.origin is None:
        return ABOVE_AVX2
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    found = re.search(r"^version = \"(\d+)\.(\d+)", text, re.MULTILINE)
    is_old = found is not None and (int(found[1]), int(found[2])) < RENAMED_IN
    return ABOVE_AVX2_BEFORE if is_old else ABOVE_AVX2
