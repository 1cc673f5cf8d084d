"""Verify a release: ``python -m evergreen.lifecycle.verify FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from evergreen.errors import EvergreenError
from evergreen.store.releases import load_release


def verify(folder: Path) -> None:
    """Check every file of a release and predict its golden rows.

    Raises
    ------
    ModelError
        If a file differs from its manifest, or a prediction from that at training.
    """
    for model in load_release(folder).models.values():
        model.check_golden_rows()


if __name__ == "__main__":
    try:
        verify(Path(sys.argv[1]))
    except EvergreenError as error:
        sys.exit(str(error))
