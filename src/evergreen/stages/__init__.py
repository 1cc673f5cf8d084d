"""The six DVC stages: each reads files, calls the core, writes files.

A stage is a process of its own, and this is the first of it that runs. Idle OpenMP threads are told
to sleep: where they spin, a fit of one second takes a minute on a machine that is busy elsewhere.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
