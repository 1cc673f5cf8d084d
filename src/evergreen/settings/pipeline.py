"""Everything that ``params.yaml`` can set, as one typed model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from evergreen.settings.base import Day, Days, Section, Share, SparseSection
from evergreen.settings.currencies import CODES, currency_code
from evergreen.settings.estimators import EstimatorSettings
from evergreen.settings.features import FeatureSettings
from evergreen.settings.memory import AUTO, Memory
from evergreen.settings.names import (
    KIND_OF_LABEL,
    Backend,
    EstimatorName,
    Kind,
    Label,
    Mode,
    prediction_column,
)
from evergreen.settings.sources import Source


class FullRetrain(Section):
    """The last full retrain, and how much history it learns from."""

    as_of: Day = Field(
        description="Date of the last full retrain; the feature extractor and the full models "
        "are fitted as of this date"
    )
    max_age_days: Days = Field(
        365, description="Age of the oldest labels to train on, in days before that date"
    )
    max_rows: int = Field(
        200_000,
        ge=1000,
        description="Largest number of labels of a target to train on; more are drawn at random, "
        "by a hash of client and day",
    )


def _one_currency(written: str | None) -> str | None:
    code = None if written is None else currency_code(written)
    if written is not None and code not in CODES:
        raise ValueError("must be a code of ISO 4217, such as EUR")
    return code


class Data(SparseSection):
    """What is expected of the raw data."""

    max_lag_days: int = Field(
        0,
        ge=0,
        le=366,
        description="Days before `as_of` that may lack data; labels that need these days wait",
    )
    minor_units: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Minor units in one major unit of the currency, such as 100 cents in a euro",
    )
    currency: Annotated[str | None, AfterValidator(_one_currency)] = Field(
        None,
        description="Currency of the amounts to keep, as a code of ISO 4217; rows in others are "
        "excluded",
    )
    max_bad_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest acceptable share of bad rows; a source with more is not ingested",
    )


def _check_cap(max_rows: int, **minimum: int) -> None:
    for name, needed in minimum.items():
        if max_rows < needed:
            raise ValueError(f"max_rows is {max_rows}, allowed: at least {name}, which is {needed}")


class Snapshots(Section):
    """How often clients are observed."""

    every_days: Days = Field(
        7, description="Days between two snapshots of a client; clients are spread over these days"
    )
    burn_in_days: int = Field(
        7, ge=0, le=3660, description="Days at the start of the history without snapshots"
    )


class Holdout(Section):
    """Which clients are never trained on, so that models can be judged on them."""

    share: float = Field(
        0.25, gt=0, le=0.5, description="Share of clients held out, chosen by a hash of their id"
    )
    salt: str = Field(
        "evergreen",
        min_length=1,
        description="Any word; a different one holds out different clients and needs a new model "
        "lineage",
    )


class Target(Section):
    """One thing to predict for every client."""

    label: Label = Field(
        description="What is predicted: the probability of a purchase, the probability of no "
        "purchase, or the net spend"
    )
    horizon_days: Days = Field(
        description="Length of the predicted period, in days from the snapshot on"
    )
    estimator: EstimatorName = Field(
        "blend",
        description="Which estimator to train; blend combines lightgbm, linear and "
        "buy-till-you-die models",
    )

    @property
    def kind(self) -> Kind:
        """``binary`` for yes or no, ``regression`` for an amount that is not negative."""
        return KIND_OF_LABEL[self.label]


class Incremental(Section):
    """How the model in production is updated with new labels."""

    min_new_labels: int = Field(
        50,
        ge=1,
        description="Minimum number of new labels for an update; fewer wait for a later run",
    )
    replay_share: float = Field(
        1.0, ge=0, le=100, description="Number of older labels to replay for each new label"
    )
    replay_days: Days = Field(
        90, description="Replayed labels became known at most this many days before the new ones"
    )
    max_updates: int = Field(
        30,
        ge=1,
        le=10_000,
        description="Maximum number of updates in a row; then a full retrain is due",
    )
    max_rows: int = Field(
        100_000,
        ge=1,
        description="Largest number of labels of a target to update with, replayed ones included; "
        "more are drawn at random, by a hash of client and day",
    )

    @model_validator(mode="after")
    def _room_for_enough_labels(self) -> Incremental:
        _check_cap(self.max_rows, min_new_labels=self.min_new_labels)
        return self


class Gate(Section):
    """When a candidate replaces the model in production, and on which rows the two are compared."""

    alpha_incremental: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="Acceptable chance of promoting an incremental candidate that is no better",
    )
    alpha_full: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Acceptable chance of promoting a full candidate that is no better",
    )
    window_days: Days = Field(
        14, description="Models are compared on labels that became known within this many days"
    )
    target_rows: int = Field(
        5000, ge=1, description="With fewer rows than this, the window is extended backwards"
    )
    max_window_days: Days = Field(56, description="Longest window, in days")
    min_rows: int = Field(
        500, ge=2, description="With fewer held-out rows, the model in production stays"
    )
    min_clients: int = Field(
        200, ge=2, description="With fewer held-out clients, the model in production stays"
    )
    min_minority: int = Field(
        50,
        ge=1,
        description="With fewer labels of the minority class, the model in production stays",
    )
    max_rows: int = Field(
        200_000,
        ge=2,
        description="Largest number of labels of a target to compare models on; with more, the "
        "clients are drawn at random, by a hash",
    )

    @model_validator(mode="after")
    def _room_for_the_minimum(self) -> Gate:
        _check_cap(
            self.max_rows,
            min_rows=self.min_rows,
            min_clients=self.min_clients,
            min_minority=self.min_minority,
        )
        return self

    @model_validator(mode="after")
    def _window_within_maximum(self) -> Gate:
        if self.max_window_days < self.window_days:
            raise ValueError(
                f"max_window_days is {self.max_window_days}, "
                f"allowed: at least window_days, which is {self.window_days}"
            )
        return self


class DriftSettings(Section):
    """What makes a full retrain due early; see drift.md."""

    false_alarms: float = Field(
        0.05, gt=0, lt=0.5, description="Acceptable chance of any false alert in 100 runs"
    )
    tolerated_decline: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share by which the live loss may exceed the expected loss without an alert",
    )
    max_distance: Share = Field(
        0.15,
        description="Largest acceptable distance of today's inputs and predictions from training: "
        "0 is the same distribution, 1 no overlap",
    )
    min_clients: int = Field(
        100, ge=30, description="With fewer active clients, drift is not checked"
    )
    max_rows: int = Field(
        50_000,
        ge=30,
        description="Largest number of recent snapshots to check; more are drawn at random, by a "
        "hash of client and day",
    )

    @model_validator(mode="after")
    def _room_for_the_minimum(self) -> DriftSettings:
        _check_cap(self.max_rows, min_clients=self.min_clients)
        return self


class Compute(SparseSection):
    """Resources of a run."""

    threads: int = Field(
        2,
        ge=1,
        le=256,
        description="Number of threads; results are equal byte for byte only for equal numbers",
    )
    memory: Memory = Field(
        AUTO,
        description="Most memory that the databases of a process use, such as 4GB; what needs more "
        "is spilled to disk, with the same results. auto is half of the machine's memory, at most "
        "8GB",
    )
    backend: Backend = Field(
        "loky",
        description="Where features are computed, bucket by bucket of clients: loky in processes "
        "of this machine, dask or ray on a cluster that is there already; the results are the same",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Number of workers; without it, one process of this machine, or all that the "
        "cluster has",
    )
    address: str | None = Field(
        None, description="Address of the cluster's scheduler, such as tcp://10.0.0.5:8786"
    )

    storage: str | None = Field(
        None,
        description="Folder or address, such as s3://bucket/history, to which parts of the history "
        "are copied for machines that don't share this repository's folder",
    )

    @model_validator(mode="after")
    def _check_address(self) -> Compute:
        if (self.backend == "loky") == (self.address is not None):
            raise ValueError(
                "address names the cluster of a dask or ray backend: set both, or neither of them"
            )
        return self


class Schedule(Section):
    """When a full retrain is due in mode auto."""

    full_after_days: Days = Field(
        7, description="A full retrain is due this many days after the last one"
    )
    full_after_labels: int = Field(
        1000,
        ge=1,
        description="A full retrain is also due once a target has this many new labels; see also "
        "full_after_growth",
    )
    full_after_growth: float = Field(
        0.1,
        ge=0,
        le=10,
        description="The new labels must also be at least this share of those that the last full "
        "retrain learned from",
    )


class Promotion(Section):
    """Who approves what the gate promotes."""

    mode: Literal["auto", "review"] = Field(
        "auto",
        description="auto serves a promoted model at once, review waits for manual approval",
    )


class Settings(Section):
    """The settings of an Evergreen repository."""

    as_of: Day = Field(description="Date of the run, which uses only what was known before it")
    mode: Mode = Field(
        "auto",
        description="What to train: whatever is due (auto), incremental, full, or nothing "
        "(compare)",
    )
    seed: int = Field(ge=0, lt=2**31, description="Seed of all random choices")
    full_retrain: FullRetrain
    data: Data
    snapshots: Snapshots
    holdout: Holdout
    targets: dict[str, Target] = Field(
        min_length=1, description="What to predict, by name; add an entry to predict more"
    )
    features: FeatureSettings
    estimators: EstimatorSettings
    incremental: Incremental
    gate: Gate
    drift: DriftSettings
    compute: Compute
    hold: dict[str, str] = Field(
        description="Targets whose model stays in production whatever the gate decides, each with "
        "the reason"
    )
    source: Source
    schedule: Schedule
    promotion: Promotion

    @model_validator(mode="after")
    def _dates_in_order(self) -> Settings:
        if self.full_retrain.as_of > self.as_of:
            raise ValueError(
                f"full_retrain.as_of is {self.full_retrain.as_of}, "
                f"allowed: at most as_of, which is {self.as_of}"
            )
        return self

    @model_validator(mode="after")
    def _target_names_are_usable(self) -> Settings:
        for name in self.targets:
            if not (name.isascii() and name.isidentifier() and name.islower()):
                raise ValueError(
                    f"targets has the name {name!r}, allowed: lower-case letters, digits and "
                    "underscores, as it names columns and folders"
                )
        columns = [
            "client_id", "observed_on", "release",
            *(prediction_column(name, target.kind) for name, target in self.targets.items()),
        ]  # fmt: skip
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise ValueError(
                f"targets would make the column {twice[0]!r} of predictions twice, allowed: "
                "names that differ from each other and from client_id, observed_on and release"
            )
        return self

    @model_validator(mode="after")
    def _names_are_of_targets(self) -> Settings:
        tables = [table for table in (self.source.outcomes, self.source.predictions) if table]
        named = [("hold", name) for name in self.hold]
        named += [("source", name) for table in tables for name in table.columns.targets]
        for section, name in named:
            if name not in self.targets:
                raise ValueError(
                    f"{section} names the target {name!r}, allowed: {', '.join(self.targets)}"
                )
        return self

    @model_validator(mode="after")
    def _amounts_are_known_where_spend_is_predicted(self) -> Settings:
        tables = self.source.transaction_tables.values()
        constant = [t.columns is not None and isinstance(t.columns.amount, float) for t in tables]
        if any(constant) and not all(constant):
            raise ValueError("one table has a number as its amount, so all tables need one")
        spend = [name for name, target in self.targets.items() if target.kind == "regression"]
        if any(constant) and spend:
            raise ValueError(
                f"the amount of transactions is a number, so no spend is known: remove "
                f"{' and '.join(f'targets.{name}' for name in spend)}"
            )
        return self

    @model_validator(mode="after")
    def _churn_horizon_covers_purchase(self) -> Settings:
        horizons = {n: t.horizon_days for n, t in self.targets.items() if t.label == "purchase"}
        for name, target in self.targets.items():
            shorter = [n for n, days in horizons.items() if target.horizon_days < days]
            if target.label == "no_purchase" and shorter:
                raise ValueError(
                    f"targets.{name}.horizon_days is {target.horizon_days}, allowed: at least "
                    f"{horizons[shorter[0]]}, the horizon of targets.{shorter[0]}: "
                    "a client can't have churned before a purchase was due"
                )
        return self
