"""Figures as files and as text: the same bytes for the same drawing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI: Final = 150
# Text stays text, and names within a picture follow from its content alone.
SVG: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "evergreen"}


def write_png(figure: Figure, path: Path) -> None:
    """Write a PNG of 150 dots per inch; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The version of matplotlib, which it would write, is no part of the picture.
    figure.savefig(path, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def svg(figure: Figure) -> str:
    """Render as SVG, which is sharp at any width."""
    file = io.StringIO()
    with mpl.rc_context(SVG):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
