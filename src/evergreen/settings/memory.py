"""How much memory the databases of a process may use: ``compute.memory``."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator

from evergreen.settings import paths

AUTO = "auto"
LARGEST_DEFAULT, SMALLEST = 8_000_000_000, 256_000_000
UNITS = {
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)},
}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]i?b)", re.IGNORECASE)
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def _size_or_auto(written: str) -> str:
    if written != AUTO and read_size(written) < SMALLEST:
        raise ValueError(f"must be at least {SMALLEST // 1_000_000}MB")
    return written


Memory = Annotated[str, AfterValidator(_size_or_auto)]


def read_size(text: str) -> int:
    """Read a size in bytes.

    >>> read_size("4GB"), read_size("512 MiB")
    (4000000000, 536870912)

    Raises
    ------
    ValueError
        If it is not a number and a unit.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be auto, or a size such as 4GB or 512MB")
    return int(float(match[1]) * UNITS[match[2].lower()])


def size_text(size: int) -> str:
    """A number of bytes as `read_size` reads it.

    >>> size_text(4_000_000_000), size_text(512_000_000)
    ('4GB', '512MB')
    """
    unit = "gb" if size >= UNITS["gb"] else "mb"
    return f"{size / UNITS[unit]:.3g}{unit.upper()}"


def limit(params: Path = paths.PARAMS) -> int:
    """The bytes that ``compute.memory`` allows in the repository of the working folder.

    It changes no result, so it is not passed along with what does: every process of a repository
    finds it here. Outside of a repository, it is the default.
    """
    try:
        status = params.stat()
    except OSError:
        return default_limit()
    return _limit_in(params.resolve(), status.st_mtime_ns, status.st_size)


@cache
def _limit_in(params: Path, _changed: int, _size: int) -> int:
    # a file with mistakes is refused where the settings are read
    with suppress(OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        written = yaml.safe_load(params.read_text(encoding="utf-8"))["compute"]["memory"]
        if written != AUTO:
            return read_size(written)
    return default_limit()


def default_limit() -> int:
    """Half of the machine's memory, in bytes, but not more than 8 GB."""
    return min(machine_memory() // 2, LARGEST_DEFAULT)


@cache
def machine_memory() -> int:
    """The memory of the machine in bytes, or of the container where that has less."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([installed, *_limits_of_cgroups()])


def _limits_of_cgroups() -> list[int]:
    """The limits of this process's control groups and of those above them, of both versions."""
    limits = []
    with suppress(OSError):
        for line in OWN_CGROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            inner = CGROUPS / controllers / group.lstrip("/")
            for folder in (inner, *inner.parents):
                with suppress(OSError, ValueError):  # "max", or hidden from this container
                    limits.append(int((folder / name).read_text(encoding="utf-8")))
    return limits
