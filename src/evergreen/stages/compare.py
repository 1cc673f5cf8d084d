"""Stage ``compare``: score champion, challengers and baselines on the same held-out rows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pandas as pd

from evergreen.core.evaluation import (
    comparison,
    curves,
    gate,
    slices,
)
from evergreen.core.evaluation.baselines import Baseline, columns_of, predict_baseline
from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.core.evaluation.model_names import CHAMPION, FULL, INCREMENTAL
from evergreen.core.events.loss_scale import UNSCALED
from evergreen.core.monitoring.decline import relative_loss
from evergreen.errors import ModelError
from evergreen.plots import target_figures
from evergreen.settings import paths
from evergreen.stages.runner import main
from evergreen.store import files, matrices, models
from evergreen.store.releases import load_release
from evergreen.store.rounding import rounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from evergreen.core.evaluation.comparison import Comparison
    from evergreen.settings.pipeline import Settings
    from evergreen.store.models import Model


class Contest(NamedTuple):
    """Who takes part for one target, and the rows on which they are judged."""

    labels: pd.DataFrame
    champion: Model | None
    challengers: dict[str, Model]
    absent: dict[str, str]
    full: Model | None

    @property
    def trained(self) -> Model | None:
        """The model that vouches for the labels' cap and mean."""
        return self.champion or self.full

    @property
    def baselines(self) -> dict[str, Baseline]:
        """Fitted at the last full retrain, whether or not it takes part."""
        return self.full.manifest.baselines if self.full else {}


class Judged(NamedTuple):
    """What was found for each target: the report, the metrics of every model, what they said."""

    report: dict[str, Any]
    metrics: dict[str, Any]
    scored: dict[str, curves.Scored]
    contests: dict[str, Contest]


def run(settings: Settings) -> Iterator[str]:
    """Write ``reports/evaluation.json``, ``reports/comparison.json``, plot rows and pictures."""
    judged = judge(settings)
    for name, found in judged.report.items():
        yield f"{name}: {found['verdict']}"
        yield from (f"{name}: warning: {warning}" for warning in found["warnings"])
    _draw(judged)
    yield f"pictures: {paths.FIGURES}"


def judge(settings: Settings) -> Judged:
    """Judge the candidates of each target; write ``evaluation.json`` and ``comparison.json``."""
    threads = settings.compute.threads
    champions = load_release(paths.CHAMPION, threads=threads).models
    judged = Judged({}, {}, {}, {})
    for name, target in settings.targets.items():
        contest = _contest(settings, name, champions.get(name))
        predictions = predict_all(contest)
        outcome = _compare(settings, name, contest, predictions)
        judged.metrics[name] = rounded(outcome.metrics)
        judged.report[name] = {"loss": LOSS_NAME[target.kind]} | _report(
            contest, outcome, predictions
        )
        y, clients = contest.labels["label"].to_numpy(), contest.labels["client_id"]
        judged.scored[name] = curves.Scored(target.kind, y, clients, predictions)
        judged.contests[name] = contest
    files.write_json(judged.metrics, paths.EVALUATION_REPORT)
    files.write_json(judged.report, paths.COMPARISON_REPORT)
    return judged


def _contest(settings: Settings, name: str, champion: Model | None) -> Contest:
    if champion is not None:
        _check_champion(settings, name, champion)
    found, absent = {}, {}
    for candidate, folder in paths.CANDIDATES.items():
        skipped = files.read_json(folder / models.SKIPPED, next_step="dvc repro")
        if name in skipped:
            absent[candidate] = skipped[name]
        else:
            found[candidate] = models.load_model(folder / name, threads=settings.compute.threads)
    full = found.get(FULL)
    if full is not None and settings.full_retrain.as_of != settings.as_of:
        del found[FULL]
        absent[FULL] = "no_new_candidate"
    labels = matrices.read_labels(paths.FEATURES_HOLDOUT, name)
    return Contest(labels, champion, found, absent, full)


def _check_champion(settings: Settings, name: str, champion: Model) -> None:
    """Refuse a champion that predicts something else, or was trained on held-out clients."""
    target, manifest = settings.targets[name], champion.manifest
    expected = {
        "label": target.label,
        "horizon_days": target.horizon_days,
        "holdout": settings.holdout.model_dump(),
    }
    for field, value in expected.items():
        found = getattr(manifest, field)
        if found != value:
            raise ModelError(
                f"the champion of {name} was trained with {field} {found!r}, {paths.PARAMS} says "
                f"{value!r}: the two can't be compared",
                f"set {paths.PARAMS} back, or start a new lineage: evergreen pin --new-lineage",
            )


def predict_all(contest: Contest) -> dict[str, np.ndarray]:
    """What every model and baseline says, in the order in which they are shown."""
    reigning = {} if contest.champion is None else {CHAMPION: contest.champion}
    known = reigning | contest.challengers
    features = _features(contest, known)
    made = {name: model.predict(features[_extractor(model)]) for name, model in known.items()}
    if contest.full is not None:
        columns = features[_extractor(contest.full)]
        made |= {name: predict_baseline(b, columns) for name, b in contest.baselines.items()}
    return made


def _features(contest: Contest, known: dict[str, Model]) -> dict[str, pd.DataFrame]:
    """The held-out rows by extractor: read and matched once for all models that share it."""
    columns: dict[str, list[str]] = {}
    models = list(known.values())
    for model in models:
        columns.setdefault(_extractor(model), []).extend(model.manifest.features)
    if contest.full is not None:
        models.append(contest.full)
        columns.setdefault(_extractor(contest.full), []).extend(columns_of(contest.baselines))
    by_extractor = {_extractor(model): model for model in models}
    return {
        extractor: features_of(contest, model, list(dict.fromkeys(columns[extractor])))
        for extractor, model in by_extractor.items()
    }


def _extractor(model: Model) -> str:
    return model.manifest.extractor


def features_of(contest: Contest, model: Model, columns: list[str]) -> pd.DataFrame:
    """Some columns of the held-out rows of a contest, as a model's own extractor made them."""
    table = matrices.read_features(paths.FEATURES_HOLDOUT, model.manifest.extractor, columns)
    return matrices.with_features(contest.labels, table)


def _compare(
    settings: Settings, name: str, contest: Contest, predictions: dict[str, np.ndarray]
) -> Comparison:
    limits, trained = settings.gate, contest.trained
    return comparison.compare(
        settings.targets[name].kind,
        contest.labels["label"],
        contest.labels["client_id"],
        champion=predictions.get(CHAMPION),
        challengers={challenger: predictions[challenger] for challenger in contest.challengers},
        baselines={baseline: predictions[baseline] for baseline in contest.baselines},
        alphas={
            INCREMENTAL: limits.alpha_incremental,
            FULL: limits.alpha_full,
        },
        scale=trained.manifest.scale if trained else UNSCALED,
        minimum=gate.Minimum(
            rows=limits.min_rows, minority=limits.min_minority, clients=limits.min_clients
        ),
    )


def _expected_loss(
    model: Model, labels: pd.DataFrame, predicted: np.ndarray
) -> dict[str, Any] | None:
    """What a model's live predictions will be compared with, should it be promoted."""
    manifest = model.manifest
    found = relative_loss(
        manifest.kind,
        labels["label"],
        predicted,
        labels["client_id"],
        scale=manifest.scale,
    )
    return None if isinstance(found, str) else rounded(found.to_dict())


def _report(
    contest: Contest, outcome: Comparison, predictions: dict[str, np.ndarray]
) -> dict[str, Any]:
    labels, champion = contest.labels, contest.champion
    expected = {
        name: _expected_loss(model, labels, predictions[name])
        for name, model in contest.challengers.items()
    }
    verdicts = {name: decision.explain() for name, decision in outcome.decisions.items()}
    return {
        "rows": len(labels),
        "clients": int(labels["client_id"].nunique()),
        "known_from": str(labels["known_on"].min().date()) if len(labels) else None,
        "known_through": str(labels["known_on"].max().date()) if len(labels) else None,
        "champion": champion.manifest.version if champion else None,
        "opponent": outcome.opponent,
        "candidates": {
            name: rounded(outcome.decisions[name].to_dict())
            | {"version": model.manifest.version, "explanation": verdicts[name]}
            | {"expected_loss": expected.get(name)}
            for name, model in contest.challengers.items()
        },
        "absent": contest.absent,
        "warnings": list(outcome.warnings),
        "winner": outcome.winner,
        "verdict": _verdict(outcome, verdicts, contest.absent),
    }


def _verdict(outcome: Comparison, verdicts: dict[str, str], absent: dict[str, str]) -> str:
    if outcome.winner is not None:
        return f"{outcome.winner} {verdicts[outcome.winner]}"
    if not verdicts:
        return f"kept: no candidate ({'; '.join(f'{n}: {why}' for n, why in absent.items())})"
    kept = {name: verdict.removeprefix("kept: ") for name, verdict in verdicts.items()}
    return "; ".join(f"{name} not promoted: {why}" for name, why in kept.items())


def _draw(judged: Judged) -> None:
    rows = curves.plot_rows(judged.scored)
    shutil.rmtree(paths.PLOT_ROWS, ignore_errors=True)
    shutil.rmtree(paths.FIGURES, ignore_errors=True)
    for name, table in (rows._asdict() | {"slices": slice_table(judged)}).items():
        files.write_csv(table, paths.PLOT_ROWS / f"{name}.csv")
    for name, one in judged.scored.items():
        target_figures.draw_target(
            paths.FIGURES / f"{name}.png",
            target=name,
            kind=one.kind,
            **rows._asdict(),
            subtitle=judged.report[name]["verdict"],
            auc={model: values.get("roc_auc") for model, values in judged.metrics[name].items()},
        )


def slice_table(judged: Judged) -> pd.DataFrame:
    """The rows of `evergreen.core.evaluation.slices.slice_rows` of all targets."""
    made = [
        _slices_of(contest, judged.scored[name], judged.report[name]["opponent"]).assign(
            target=name
        )
        for name, contest in judged.contests.items()
        if contest.trained is not None
    ]
    none = pd.DataFrame(columns=["target", *slices.COLUMNS])
    table = pd.concat(made, ignore_index=True) if made else none
    return table[["target", *slices.COLUMNS]].round(6)


def _slices_of(contest: Contest, scored: curves.Scored, opponent: str) -> pd.DataFrame:
    trained = cast("Model", contest.trained)
    columns = [name for name in slices.READ if name in trained.manifest.features]
    return slices.slice_rows(
        scored,
        features_of(contest, trained, columns),
        reference=opponent,
        challengers=tuple(contest.challengers),
        scale=trained.manifest.scale,
    )


if __name__ == "__main__":
    main(run)
