"""What of a run stands under version control, with DVC and with git."""

from __future__ import annotations

from evergreen.settings import paths

INPUTS = (paths.RAW, paths.PREDICTIONS, paths.CHAMPION, paths.CHALLENGER)
"""The folders that a run reads and DVC pins."""
RECORDED = (
    str(paths.PARAMS),
    str(paths.DVC_LOCK),
    "data/raw.dvc",
    "data/predictions.dvc",
    "models/champion.dvc",
    "models/challenger.dvc",
    "data/.gitignore",
    "data/features/.gitignore",
    "models/.gitignore",
    "reports",
    ":(exclude)reports/replay*",
    "history",
)
"""What the commit of a run holds, as git takes it; a replay is evidence for another decision."""
CODE = ("src", "dvc.yaml", "requirements.lock")
"""What a run is made by, beside its data and its settings."""
NAMES_DATA = (str(paths.DVC_LOCK), "models/rollback.dvc")
"""Where a commit that changes one of these names data of its own."""
