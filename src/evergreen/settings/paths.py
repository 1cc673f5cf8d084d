"""Paths of the repository, relative to its root; those of stages are the same in ``dvc.yaml``."""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")
DVC_LOCK = Path("dvc.lock")
CONFIGS = Path("configs")

# Pinned inputs of a run.
RAW = Path("data/raw")
TRANSACTIONS = RAW / "transactions"
NOTES = RAW / "notes"
ATTRIBUTES = RAW / "attributes"
OUTCOMES = RAW / "outcomes"
PREDICTED_ELSEWHERE = RAW / "predictions"
PREDICTIONS = Path("data/predictions")
CHAMPION = Path("models/champion")
CHALLENGER = Path("models/challenger")
ROLLBACK = Path("models/rollback")

# What the stages write.
LABELS = Path("data/labels")
FEATURES_FULL = Path("data/features/full")
FEATURES_UPDATE = Path("data/features/update")
FEATURES_HOLDOUT = Path("data/features/holdout")
FEATURES_TODAY = Path("data/features/today")
FEATURES_RECENT = Path("data/features/recent")
EXTRACTOR = Path("models/extractor")
INCREMENTAL = Path("models/incremental")
FULL = Path("models/full")
CANDIDATES = {"incremental": INCREMENTAL, "full": FULL}
PRODUCTION = Path("models/production")
SCORED = Path("data/scored")

LABELS_REPORT = Path("reports/labels.json")
EVALUATION_REPORT = Path("reports/evaluation.json")
METRICS_REPORT = Path("reports/metrics.json")
COMPARISON_REPORT = Path("reports/comparison.json")
DRIFT_REPORT = Path("reports/drift.json")
DECISION_REPORT = Path("reports/decision.json")
PARAMETERS_USED = Path("reports/parameters")
PLOT_ROWS = Path("reports/plots")
FIGURES = Path("reports/figures")

# Outside the pipeline.
RELEASES = Path("releases")
CURRENT = RELEASES / "current"
HISTORY = Path("history")
FORGOTTEN = HISTORY / "forgotten"
PAGE = Path("reports/report.html")
PAGE_IN_MARKDOWN = Path("reports/report.md")
LOCK = Path(".dvc/tmp/evergreen.lock")
CACHE = Path(".cache/made")
SPILL = Path(".cache/spill")
HISTORY_PARTS = Path(".cache/history")
DIGESTS = HISTORY_PARTS / "digests.json"
REPLAYS = Path(".cache/replay")
SECONDS = Path(".cache/seconds")
FETCHED = Path(".dvc/tmp/evergreen-fetched")
VERIFIED = Path(".dvc/tmp/evergreen-verified.json")
QUARANTINE = Path("data/quarantine")
INGESTION_STATE = RAW / "taken-in.json"
HALF_INGESTED = RAW / "half-ingested"
WORK = Path(".dvc/tmp/ingest")
BUILD = Path("build")
CONTINUOUS = Path("models/continuous")
