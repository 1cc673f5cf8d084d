"""Pages: HTML that needs no network, and Markdown."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from evergreen.store import files


def page(template: str, **content: Any) -> str:  # noqa: ANN401 - as templates
    """Render a template of the package; values are escaped in HTML."""
    templates = Environment(
        loader=PackageLoader("evergreen", "templates"),
        autoescape=select_autoescape(["html.jinja"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(template).render(**content).rstrip() + "\n"


def write_page(path: Path, template: str, **content: Any) -> None:  # noqa: ANN401 - as templates
    """Render a template to a file."""
    files.write_text(page(template, **content), path)


def embedded(picture: Path) -> str:
    """Encode a PNG as a data URL, for a page in a single file."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")


def embedded_svg(drawing: str) -> str:
    """Encode an SVG as a data URL, so that its ids can't clash with those of others."""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode("ascii")
