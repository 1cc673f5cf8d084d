"""The responses of the server, for its OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from evergreen.serving.http.score_cache import CachedScores
    from evergreen.serving.release import ServedRelease


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Prediction(BaseModel):
    """A client, and a number for each target: purchase_probability, churn_probability, clv ..."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"additionalProperties": {"type": "number"}}
    )

    client_id: str


class Predictions(BaseModel):
    """Predictions of one release, in the order of the request."""

    release: str
    as_of: str = Field(json_schema_extra={"format": "date"})
    predictions: list[Prediction]
    notices: list[str]


class Health(BaseModel):
    """The process is alive."""

    status: str


class RefusedRelease(BaseModel):
    """A published release that can't be used, and why."""

    release: str
    reason: str


class CachedScoresInfo(BaseModel):
    """The scores that answer requests by id alone: of which date, by which release."""

    as_of: str
    release: str


class Ready(BaseModel):
    """What is served, and why nothing newer is."""

    release: str
    refused: RefusedRelease | None
    known_clients: CachedScoresInfo | None
    known_clients_problem: str | None

    @classmethod
    def of(
        cls,
        release: ServedRelease,
        refused: RefusedRelease | None,
        scores: CachedScores | None,
        problem: str | None,
    ) -> Ready:
        """The state of a server."""
        return cls(
            release=release.version,
            refused=refused,
            known_clients=None
            if scores is None
            else CachedScoresInfo(as_of=str(scores.as_of), release=scores.release.version),
            known_clients_problem=problem,
        )


class TargetInfo(BaseModel):
    """A target: its column in the predictions, its model, and its columns in feature rows."""

    column: str
    kind: str
    horizon_days: int
    model: str
    trained_through: str
    extractor: str
    features: list[str]


class ReleaseInfo(BaseModel):
    """The release in use."""

    release: str
    targets: dict[str, TargetInfo]

    @classmethod
    def of(cls, release: ServedRelease) -> ReleaseInfo:
        """The description of a release."""
        return cls(
            release=release.version,
            targets={
                target: TargetInfo(
                    column=release.column_of(target),
                    kind=model.manifest.kind,
                    horizon_days=model.manifest.horizon_days,
                    model=model.manifest.version,
                    trained_through=model.manifest.trained_through,
                    extractor=model.manifest.extractor,
                    features=list(model.estimator.columns),
                )
                for target, model in release.models.items()
            },
        )


def with_body(description: dict[str, Any], body: type[BaseModel]) -> dict[str, Any]:
    """An OpenAPI description with the schema of a body that a route parses itself."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    schemas |= parts | {body.__name__: schema}
    return description
