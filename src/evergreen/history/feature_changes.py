"""Which features the models of a run use that the models before did not, and vice versa."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evergreen.settings import paths
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from evergreen.store.models import Model

CHANGES_SHOWN = 10


def features_changed(targets: Iterable[str]) -> dict[str, list[str]]:
    """The features that came (``+``) and went (``-``) with the new model of each target.

    Features are columns, and the words and levels they are made from. Targets without a new model,
    or without such a change, are left out.
    """
    before, after = load_release(paths.CHAMPION).models, load_release(paths.PRODUCTION).models
    changed = {
        name: _difference(before[name], after[name])
        for name in targets
        if name in before and name in after
    }
    return {name: lines for name, lines in changed.items() if lines}


def _difference(before: Model, after: Model) -> list[str]:
    old, new = (model.extractor.reads(model.manifest.text_form) for model in (before, after))
    return [f"- {read}" for read in sorted(old - new)] + [f"+ {read}" for read in sorted(new - old)]


def in_one_line(changed: list[str]) -> str:
    """The first changes, and the number of further ones."""
    more = f", and {len(changed) - CHANGES_SHOWN} more" if len(changed) > CHANGES_SHOWN else ""
    return ", ".join(changed[:CHANGES_SHOWN]) + more
