"""Evergreen: reproducible continuous training for a retailer's client models."""

import os

# Before any OpenMP library is loaded: waiting threads are to sleep. Where they spin, a fit of one
# second takes a minute on a machine that is busy elsewhere.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
