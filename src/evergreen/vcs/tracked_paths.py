"""The paths of a run that are under version control, with DVC and with git."""

from __future__ import annotations

from evergreen.settings import paths
from evergreen.vcs.dvc_internals import pin_file

INPUTS = (paths.RAW, paths.PREDICTIONS, paths.CHAMPION, paths.CHALLENGER)
"""The folders that a run reads and DVC pins."""
PINS = tuple(str(pin_file(path)) for path in INPUTS)
ROLLBACK_PIN = str(pin_file(paths.ROLLBACK))
RECORDED = (
    str(paths.PARAMS),
    str(paths.DVC_LOCK),
    *PINS,
    "data/.gitignore",
    "data/features/.gitignore",
    "models/.gitignore",
    "reports",
    ":(exclude)reports/replay*",
    "history",
)
"""What the commit of a run contains, as git pathspecs; a replay is not part of a run."""
RUN_FILES = ("params.yaml", "dvc.lock", "data", "models", "reports", "history")
"""What a run, a rollback or a decision changes, as git pathspecs."""
CODE = ("src", "dvc.yaml", "requirements.lock")
"""The code of a run."""
NAMES_DATA = (str(paths.DVC_LOCK), ROLLBACK_PIN)
"""Files that name data of a run; a commit that changes one of them has data of its own."""
