"""Stage ``compare``: score champion, challengers and baselines on the same held-out rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evergreen.core.evaluation import comparison, curves, slices
from evergreen.core.evaluation.baselines import Baseline, columns_of, predict_baseline
from evergreen.core.evaluation.decision import Minimum
from evergreen.core.evaluation.losses import Kind, Outcomes
from evergreen.core.evaluation.model_names import CHAMPION, FULL, INCREMENTAL
from evergreen.core.events.loss_scale import UNSCALED
from evergreen.core.monitoring.decline import expected_loss
from evergreen.errors import ModelError
from evergreen.plots import target_figures
from evergreen.plots.figures import write_png
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import files, matrices, models
from evergreen.store.progress import each
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    import pandas as pd


class Contest(NamedTuple):
    """The models that are compared for one target, and the rows on which they are judged."""

    kind: Kind
    labels: pd.DataFrame
    champion: models.Model | None
    challengers: dict[str, models.Model]
    absent: dict[str, str]
    full: models.Model | None

    @property
    def trained(self) -> models.Model | None:
        """The model whose training labels give the scale of the loss."""
        return self.champion or self.full

    @property
    def baselines(self) -> dict[str, Baseline]:
        """Fitted at the last full retrain, whether or not it is a candidate of this run."""
        return self.full.manifest.baselines if self.full else {}

    def outcomes(self, trained: models.Model | None) -> Outcomes:
        """The outcomes of the rows, the loss on the scale of a model's training labels."""
        scale = trained.manifest.scale if trained else UNSCALED
        return Outcomes(self.kind, self.labels["label"], self.labels["client_id"], scale)


class Judged(NamedTuple):
    """By target: the report, the metrics of every model, their predictions, and the models."""

    report: dict[str, Any]
    metrics: dict[str, Any]
    scored: dict[str, curves.ScoredRows]
    contests: dict[str, Contest]


def run(settings: Settings) -> Iterator[str]:
    """Write ``reports/evaluation.json``, ``reports/comparison.json``, plot rows and pictures."""
    judged = judge(settings)
    for name, report in judged.report.items():
        yield f"{name}: {report['verdict']}"
        yield from (f"{name}: warning: {warning}" for warning in report["warnings"])
    _draw(judged)
    yield f"pictures: {paths.FIGURES}"


def judge(settings: Settings) -> Judged:
    """Judge the candidates of each target; write ``evaluation.json`` and ``comparison.json``."""
    champions = load_release(paths.CHAMPION, threads=settings.compute.threads).models
    judged = Judged({}, {}, {}, {})
    for name in each("compare", settings.targets):
        contest = _contest(settings, name, champions.get(name))
        outcomes, predictions = contest.outcomes(contest.trained), predict_all(contest)
        compared = comparison.compare(
            outcomes,
            champion=predictions.get(CHAMPION),
            challengers={challenger: predictions[challenger] for challenger in contest.challengers},
            baselines={baseline: predictions[baseline] for baseline in contest.baselines},
            alphas={
                INCREMENTAL: settings.gate.alpha_incremental,
                FULL: settings.gate.alpha_full,
            },
            minimum=Minimum.of(settings.gate),
        )
        judged.metrics[name] = files.rounded(compared.metrics)
        judged.report[name] = files.rounded(_report(contest, compared, predictions))
        judged.scored[name] = curves.ScoredRows(outcomes, predictions)
        judged.contests[name] = contest
    files.write_json(judged.metrics, paths.EVALUATION_REPORT)
    files.write_json(judged.report, paths.COMPARISON_REPORT)
    return judged


def _contest(settings: Settings, name: str, champion: models.Model | None) -> Contest:
    if champion is not None:
        _check_champion(settings, name, champion)
    challengers, absent = {}, {}
    for candidate, folder in paths.CANDIDATES.items():
        skipped = files.read_json(folder / models.SKIPPED, next_step="dvc repro")
        if name in skipped:
            absent[candidate] = skipped[name]
        else:
            challengers[candidate] = models.load_model(
                folder / name, threads=settings.compute.threads
            )
    full = challengers.get(FULL)
    if full is not None and settings.full_retrain.as_of != settings.as_of:
        del challengers[FULL]
        absent[FULL] = "no_new_candidate"
    labels = matrices.read_labels(paths.FEATURES_HOLDOUT, name)
    kind = settings.targets[name].kind
    return Contest(kind, labels, champion, challengers, absent, full)


def _check_champion(settings: Settings, name: str, champion: models.Model) -> None:
    """Refuse a champion that predicts something else, or was trained on held-out clients."""
    target, manifest = settings.targets[name], champion.manifest
    expected = {
        "label": target.label,
        "horizon_days": target.horizon_days,
        "holdout": settings.holdout.model_dump(),
    }
    for field, value in expected.items():
        trained_with = getattr(manifest, field)
        if trained_with != value:
            raise ModelError(
                f"the champion of {name} was trained with {field} {trained_with!r}, but "
                f"{paths.PARAMS} has {value!r}: challengers can't be compared with it",
                f"restore {paths.PARAMS}, or start a new lineage: evergreen pin --new-lineage",
            )


def predict_all(contest: Contest) -> dict[str, np.ndarray]:
    """Predict the held-out rows with every model and baseline: float64 (n,) by name."""
    champion = {} if contest.champion is None else {CHAMPION: contest.champion}
    trained = champion | contest.challengers
    features = _features(contest, trained)
    predictions = {
        name: model.predict(features[_extractor(model)]) for name, model in trained.items()
    }
    if contest.full is not None:
        columns = features[_extractor(contest.full)]
        predictions |= {
            name: predict_baseline(baseline, columns)
            for name, baseline in contest.baselines.items()
        }
    return predictions


def _features(contest: Contest, trained: dict[str, models.Model]) -> dict[str, pd.DataFrame]:
    """The held-out rows by extractor: read and matched once for all models that share it."""
    columns: dict[str, list[str]] = {}
    models = list(trained.values())
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


def _extractor(model: models.Model) -> str:
    return model.manifest.extractor


def features_of(contest: Contest, model: models.Model, columns: list[str]) -> pd.DataFrame:
    """Read columns of the held-out rows as the feature extractor of a model made them."""
    digest = model.manifest.extractor
    return matrices.features_of(contest.labels, paths.FEATURES_HOLDOUT, digest, columns)


def _report(
    contest: Contest, compared: comparison.Comparison, predictions: dict[str, np.ndarray]
) -> dict[str, Any]:
    trained = contest.challengers | ({CHAMPION: contest.champion} if contest.champion else {})
    return comparison.report(
        compared,
        contest.labels,
        versions={name: model.manifest.version for name, model in trained.items()},
        expected_losses={
            name: expected_loss(contest.outcomes(model), predictions[name])
            for name, model in contest.challengers.items()
        },
        absent=contest.absent,
    )


def _draw(judged: Judged) -> None:
    rows = curves.plot_rows(judged.scored)
    shutil.rmtree(paths.PLOT_ROWS, ignore_errors=True)
    shutil.rmtree(paths.FIGURES, ignore_errors=True)
    for name, table in (rows._asdict() | {"slices": slice_table(judged)}).items():
        files.write_csv(table, paths.PLOT_ROWS / f"{name}.csv")
    for name, contest in judged.contests.items():
        figure = target_figures.draw_target(
            name,
            contest.kind,
            rows,
            subtitle=judged.report[name]["verdict"],
            auc={model: values.get("roc_auc") for model, values in judged.metrics[name].items()},
        )
        write_png(figure, paths.FIGURES / f"{name}.png")


def slice_table(judged: Judged) -> pd.DataFrame:
    """The rows of `evergreen.core.evaluation.slices.slice_rows` of all targets."""
    return slices.table(
        {
            name: slices.slice_rows(
                judged.scored[name],
                _slicing_features(contest, contest.trained),
                reference=judged.report[name]["opponent"],
                challengers=tuple(contest.challengers),
            )
            for name, contest in judged.contests.items()
            if contest.trained is not None
        }
    )


def _slicing_features(contest: Contest, trained: models.Model) -> pd.DataFrame:
    columns = [name for name in slices.READ if name in trained.manifest.features]
    return features_of(contest, trained, columns)


if __name__ == "__main__":
    main(run)
