"""Typed settings: what ``params.yaml`` may say, checked before anything runs."""

from __future__ import annotations

import difflib
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from evergreen.errors import SettingsError
from evergreen.settings import paths
from evergreen.settings.estimators import EstimatorName, EstimatorSettings, Kind
from evergreen.settings.languages import words_of_languages
from evergreen.settings.simulation import Simulation
from evergreen.settings.sources import (
    AttributesSource,
    ByTargetSource,
    NotesSource,
    TransactionsSource,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Label = Literal["purchase", "no_purchase", "net_spend"]
Analyzer = Literal["word", "char_wb"]
Mode = Literal["auto", "incremental", "full", "compare"]


def _day(value: object) -> object:
    """Take what YAML, or `dvc exp run -S`, makes of 2017-04-01."""
    if isinstance(value, str):
        return datetime.strptime(value, "%Y-%m-%d").date()
    return value.date() if isinstance(value, datetime) else value


Day = Annotated[date, BeforeValidator(_day)]
Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=3660)]

KIND_OF_LABEL: dict[Label, Kind] = {
    "purchase": "binary",
    "no_purchase": "binary",
    "net_spend": "regression",
}


class Section(BaseModel):
    """A part of the settings: immutable, and strict about names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FullRetrain(Section):
    """When extractor and full models were last fitted anew, and on how much history."""

    as_of: Day
    max_age_days: Days


class Data(Section):
    """What holds for the raw tables."""

    max_lag_days: Annotated[int, Field(ge=0, le=366)]
    minor_units: Annotated[int, Field(ge=1, le=10_000)]
    max_bad_share: Annotated[float, Field(ge=0, le=1)]


class Snapshots(Section):
    """How often a client is observed."""

    every_days: Days
    burn_in_days: Annotated[int, Field(ge=0, le=3660)]


class Holdout(Section):
    """Which clients are set aside for ever."""

    share: Annotated[float, Field(gt=0, le=0.5)]
    salt: Annotated[str, Field(min_length=1)]


class Target(Section):
    """One thing to predict for every client."""

    label: Label
    horizon_days: Days
    estimator: EstimatorName

    @property
    def kind(self) -> Kind:
        """``binary`` for yes or no, ``regression`` for an amount that is not negative."""
        return KIND_OF_LABEL[self.label]


def _known_languages(stop_words: str | list[str]) -> str | list[str]:
    if isinstance(stop_words, str):
        words_of_languages(stop_words.split())
    return stop_words


class Text(Section):
    """How texts become columns."""

    enabled: bool
    max_terms: Annotated[int, Field(ge=1, le=100_000)]
    min_clients: Annotated[int, Field(ge=1)]
    analyzer: Analyzer
    ngram_min: Annotated[int, Field(ge=1, le=8)]
    ngram_max: Annotated[int, Field(ge=1, le=8)]
    stop_words: Annotated[str | list[str], AfterValidator(_known_languages)]
    components: Annotated[int, Field(ge=1, le=512)]
    max_chars: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _possible_terms(self) -> Text:
        if self.ngram_min > self.ngram_max:
            raise ValueError(
                f"ngram_min is {self.ngram_min}, allowed: at most ngram_max, which is "
                f"{self.ngram_max}"
            )
        if self.stop_words and self.analyzer != "word":
            raise ValueError("stop_words are words, so they go with analyzer word only")
        return self


def _increasing(days: list[int]) -> list[int]:
    if not days or any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError("must be increasing and not empty, such as [7, 14, 28]")
    return days


class Features(Section):
    """Which columns the extractor makes."""

    windows_days: Annotated[list[Days], AfterValidator(_increasing)]
    support: Share
    btyd: bool
    attributes: bool
    text: Text


class Incremental(Section):
    """When and with what a champion is updated."""

    min_new_labels: Annotated[int, Field(ge=1)]
    replay_share: Annotated[float, Field(ge=0, le=100)]
    replay_days: Days
    max_updates: Annotated[int, Field(ge=1, le=10_000)]


class Schedule(Section):
    """When a full retrain is due."""

    full_after_days: Days
    full_after_labels: Annotated[int, Field(ge=1)]
    full_after_growth: Annotated[float, Field(ge=0, le=10)]


class Promotion(Section):
    """Who has the last word on what is served: the gate, or a person after it."""

    mode: Literal["auto", "review"]


class Source(Section):
    """Where new rows come from: a demo, or tables of one's own."""

    demo: Literal["complete-journey", "cdnow", "simulated"] | None = None
    simulation: Simulation = Simulation()
    transactions: TransactionsSource | None = None
    notes: NotesSource | None = None
    attributes: AttributesSource | None = None
    outcomes: ByTargetSource | None = None
    predictions: ByTargetSource | None = None

    @model_validator(mode="after")
    def _demo_or_own_tables(self) -> Source:
        if (self.demo is None) == (self.transactions is None):
            raise ValueError("either demo or transactions is to be given, and not both")
        others = (self.notes, self.attributes, self.outcomes, self.predictions)
        if self.demo is not None and any(others):
            raise ValueError("a demo brings all it has, so no other table can be given with it")
        return self

    @model_serializer(mode="wrap")
    def _what_is_used(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        used = {key: value for key, value in serialize(self).items() if value is not None}
        if self.demo is None:
            used.pop("simulation", None)
        return used


class Gate(Section):
    """How sure a challenger must be better, and on which rows that is judged."""

    alpha_incremental: Annotated[float, Field(gt=0, lt=0.5)]
    alpha_full: Annotated[float, Field(gt=0, lt=0.5)]
    window_days: Days
    target_rows: Annotated[int, Field(ge=1)]
    max_window_days: Days
    min_rows: Annotated[int, Field(ge=2)]
    min_clients: Annotated[int, Field(ge=2)]
    min_minority: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _window_within_maximum(self) -> Gate:
        if self.max_window_days < self.window_days:
            raise ValueError(
                f"max_window_days is {self.max_window_days}, "
                f"allowed: at least window_days, which is {self.window_days}"
            )
        return self


class Drift(Section):
    """When a champion has declined, or what it sees or says has drifted."""

    false_alarms: Annotated[float, Field(gt=0, lt=0.5)]
    tolerated_decline: Annotated[float, Field(ge=0, le=1)]
    max_distance: Share
    min_clients: Annotated[int, Field(ge=30)]


class Compute(Section):
    """Resources that are part of the promise of equal bytes."""

    threads: Annotated[int, Field(ge=1, le=256)]


class Settings(Section):
    """Everything that ``params.yaml`` says."""

    as_of: Day
    mode: Mode
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    full_retrain: FullRetrain
    data: Data
    snapshots: Snapshots
    holdout: Holdout
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    features: Features
    estimators: EstimatorSettings
    incremental: Incremental
    gate: Gate
    drift: Drift
    compute: Compute
    hold: dict[str, str]
    source: Source
    schedule: Schedule
    promotion: Promotion

    @property
    def windows_days(self) -> tuple[int, ...]:
        """The feature windows, with the horizons: what happened last period is a baseline."""
        horizons = {target.horizon_days for target in self.targets.values()}
        return tuple(sorted(horizons | set(self.features.windows_days)))

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
            *(f"{n}_probability" if t.kind == "binary" else n for n, t in self.targets.items()),
        ]  # fmt: skip
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise ValueError(
                f"targets would make the column {twice[0]!r} of predictions twice, allowed: "
                "names that differ from each other and from client_id, observed_on and release"
            )
        return self

    @model_validator(mode="after")
    def _held_are_targets(self) -> Settings:
        for name in self.hold:
            if name not in self.targets:
                raise ValueError(
                    f"hold names {name!r}, allowed: the targets {', '.join(self.targets)}"
                )
        return self

    @model_validator(mode="after")
    def _outcomes_are_of_targets(self) -> Settings:
        for table in (self.source.outcomes, self.source.predictions):
            for name in table.columns.targets if table else ():
                if name not in self.targets:
                    raise ValueError(
                        f"source names the target {name!r}, allowed: {', '.join(self.targets)}"
                    )
        return self

    @model_validator(mode="after")
    def _churn_looks_at_least_as_far_as_purchase(self) -> Settings:
        bought = {n: t.horizon_days for n, t in self.targets.items() if t.label == "purchase"}
        for name, target in self.targets.items():
            shorter = [n for n, days in bought.items() if target.horizon_days < days]
            if target.label == "no_purchase" and shorter:
                raise ValueError(
                    f"targets.{name}.horizon_days is {target.horizon_days}, allowed: at least "
                    f"{bought[shorter[0]]}, the horizon of targets.{shorter[0]}: "
                    "a client can't have churned before a purchase was due"
                )
        return self


def load_settings(path: Path = paths.PARAMS) -> Settings:
    """Read and check the settings.

    Raises
    ------
    SettingsError
        With the path of each offending key, its value and what is allowed.
    """
    return parse_settings(_read_yaml(path), source=str(path))


def parse_settings(values: object, *, source: str = "params.yaml") -> Settings:
    """Check settings that have been read already; see `load_settings`."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise SettingsError(
            f"{source} is not valid:\n  " + "\n  ".join(lines),
            f"edit {source}; `git diff {source}` shows what has changed",
        ) from None


def with_simulation(settings: Settings, chosen: Mapping[str, object]) -> Settings:
    """The settings with some of ``source.simulation`` chosen otherwise.

    Raises
    ------
    SettingsError
        With each value that is not allowed.
    """
    values = settings.model_dump()
    values["source"]["simulation"] = settings.source.simulation.model_dump() | dict(chosen)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise SettingsError(
            "this can't be simulated:\n  " + "\n  ".join(lines), "evergreen simulate --help"
        ) from None


def _read_yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} was expected in the current folder, and is not there",
            "change to the root of the repository",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not readable as YAML: {error}", f"edit {path}") from None


def _explain(item: Any) -> str:  # noqa: ANN401 - pydantic's own error record
    key = ".".join(str(part) for part in item["loc"]) or "(as a whole)"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggestion(item['loc'])}"
    if item["type"] == "missing":
        return f"{key}: missing"
    if key == "(as a whole)" or item["type"] == "value_error":
        return message if key == "(as a whole)" else f"{key}: found {item['input']!r}; {message}"
    return f"{key}: found {item['input']!r}; {message[0].lower()}{message[1:]}"


def _suggestion(location: tuple[str | int, ...]) -> str:
    """The nearest key that exists where an unknown one was found."""
    model: Any = Settings
    for part in location[:-1]:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        annotation = field.annotation if field is not None else None
        model = Target if part == "targets" or model is Target else _section_of(annotation)
    known = list(getattr(model, "model_fields", {}))
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f", did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _section_of(annotation: Any) -> Any:  # noqa: ANN401 - whatever a field is annotated with
    """The section among the alternatives of a field that may be left out."""
    alternatives = getattr(annotation, "__args__", ())
    return next((one for one in alternatives if hasattr(one, "model_fields")), annotation)
