"""Fitted scikit-learn models as bytes: pickled once, right after fitting, and never again.

A model that was unpickled and is pickled again gives other bytes: the memory between the fields
of a tree's nodes is zero in a new tree and arbitrary in one that was read, and whether two equal
strings are one object depends on where they come from. So a part of an estimator is its bytes;
saving writes them, and a further part is a further file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

import joblib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Pickled:
    """A fitted model, as the bytes of its joblib file."""

    data: bytes

    @classmethod
    def of(cls, model: object) -> Self:
        """Pickle a model that has just been fitted."""
        buffer = BytesIO()
        joblib.dump(model, buffer)
        return cls(buffer.getvalue())

    @cached_property
    def model(self) -> Any:  # noqa: ANN401 - scikit-learn has no types
        """The model; unpickling runs code, so only from files that were checked."""
        return joblib.load(BytesIO(self.data))


def write(parts: Sequence[Pickled], folder: Path) -> None:
    """Write ``model.joblib``, and ``update-00001.joblib`` and so on for the parts after it.

    Files of that name that an estimator with more parts has left there are removed.
    """
    for left_over in folder.glob("update-*.joblib"):
        left_over.unlink()
    for number, part in enumerate(parts):
        (folder / _file(number)).write_bytes(part.data)


def read(folder: Path) -> tuple[Pickled, ...]:
    """Read what `write` has written."""
    files = [folder / _file(0), *sorted(folder.glob("update-*.joblib"))]
    return tuple(Pickled(path.read_bytes()) for path in files)


def _file(number: int) -> str:
    return f"update-{number:05}.joblib" if number else "model.joblib"
