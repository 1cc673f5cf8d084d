"""Figures for reports: few digits, so that a diff shows what has changed."""

from __future__ import annotations

from typing import Any


def rounded(value: Any, digits: int = 6) -> Any:  # noqa: ANN401 - as wide as JSON
    """The same JSON value with few significant digits, so that a diff shows what changed."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {name: rounded(item, digits) for name, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value
