"""Time the stage ``compare`` on 50,000 held-out rows per target, and the report of a run.

Run in the repository after `make demo`. The held-out clients of the last run are copied under new
ids until there are enough rows. Champion, candidates and baselines predict them, and the stage
writes metrics, verdicts, curves, slices and pictures. For comparison: the intervals of the slices
by a bootstrap of clients instead of the formula, and the panels of the page as PNG.
"""

import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.core.evaluation import slices
from evergreen.core.evaluation.losses import row_losses
from evergreen.plots import target_figures
from evergreen.plots.figures import write_png
from evergreen.report import evaluation_sections, page, report_data
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.stages import compare
from evergreen.store import tables

ROWS, RESAMPLES = 50_000, 200
COMPARE_SECONDS, PAGE_SECONDS = 3.0, 2.0
MODELS = (paths.CHAMPION, paths.INCREMENTAL, paths.FULL)


def enlarge(scratch, root):
    """Write the inputs of ``compare`` to another folder, with copies of all held-out clients."""
    shutil.copy(root / paths.PARAMS, scratch)
    (scratch / "models").mkdir()
    for folder in MODELS:
        (scratch / folder).symlink_to(root / folder)
    labels = pq.read_table(root / paths.FEATURES_HOLDOUT / "labels.parquet")
    fewest = pd.Series(labels["target"].to_pylist()).value_counts().min()
    times = -(-ROWS // int(fewest))
    held_out = root / paths.FEATURES_HOLDOUT
    for path in sorted(held_out.rglob("*.parquet")):
        table = pq.read_table(path)
        place = table.schema.get_field_index("client_id")
        ids = table["client_id"].to_pylist()
        copies = [
            table.set_column(
                place, table.schema.field(place), pa.array([f"{client}-{k}" for client in ids])
            )
            for k in range(times)
        ]
        place_of_copy = scratch / paths.FEATURES_HOLDOUT / path.relative_to(held_out)
        tables.write(pa.concat_tables(copies), place_of_copy)


def seconds(work, rounds=3):
    taken = []
    for _ in range(rounds):
        started = perf_counter()
        work()
        taken.append(perf_counter() - started)
    return min(taken)


def slices_by_formula(judged):
    return compare.slice_table(judged)


def slices_by_bootstrap(judged):
    """Compute the same gains, with intervals from a bootstrap of clients."""
    rng = np.random.default_rng(0)
    for name, contest in judged.contests.items():
        scored, outcomes = judged.scored[name], judged.scored[name].outcomes
        losses = {
            model: row_losses(outcomes.kind, outcomes.y_true, predicted, outcomes.scale)
            for model, predicted in scored.predictions.items()
        }
        known = compare.features_of(contest, contest.trained, list(slices.READ))
        for band in slices.bands(known):
            codes, ids = pd.factorize(outcomes.clients[band.inside])
            old = np.bincount(codes, losses[judged.report[name]["opponent"]][band.inside])
            for challenger in contest.challengers if len(ids) else ():
                new = np.bincount(codes, losses[challenger][band.inside])
                drawn = rng.integers(len(ids), size=(RESAMPLES, len(ids)))
                gains = [1 - new[d].sum() / old[d].sum() for d in drawn]
                np.quantile(gains, [0.025, 0.975])


def time_compare(root):
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        enlarge(Path(folder), root)
        settings = load_settings()
        taken = seconds(lambda: list(compare.run(settings)))
        judged = compare.judge(settings)
        predicted = seconds(
            lambda: [compare.predict_all(contest) for contest in judged.contests.values()]
        )
        formula = seconds(lambda: slices_by_formula(judged))
        bootstrap = seconds(lambda: slices_by_bootstrap(judged), rounds=1)
    sizes = {name: len(scored.outcomes.clients) for name, scored in judged.scored.items()}
    rows = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    verdict = "met" if taken < COMPARE_SECONDS else "missed"
    print(f"compare, rows {rows}: {taken:.2f} s (goal {COMPARE_SECONDS} s: {verdict})")
    models = sum(len(scored.predictions) for scored in judged.scored.values())
    print(f"of which predicting with {models} models and baselines: {predicted:.2f} s")
    print(
        f"slices: {formula:.3f} s; by {RESAMPLES} resamples of clients {bootstrap:.2f} s, "
        f"{bootstrap / formula:.0f} times as long"
    )


def panels_as_png(data):
    for name, values in data.metrics.items():
        figure = target_figures.draw_target(
            name,
            data.settings.targets[name].kind,
            data.curves,
            subtitle=data.record.targets[name].verdict,
            auc={model: metrics.get("roc_auc") for model, metrics in values.items()},
        )
        write_png(figure, Path(tempfile.gettempdir()) / f"bench-report-{name}.png")


def time_page():
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"
        taken = seconds(lambda: page.write_report(settings, out, out.with_suffix(".md")))
        size = out.stat().st_size
    data = report_data.read_report_data(settings)
    drawn = seconds(
        lambda: [evaluation_sections.models_section(data, name) for name in data.metrics]
    )
    png = seconds(lambda: panels_as_png(data))
    verdict = "met" if taken < PAGE_SECONDS else "missed"
    print(f"report: {taken:.2f} s, {size / 1000:,.0f} kB (goal {PAGE_SECONDS} s: {verdict})")
    print(f"its panels as SVG {drawn:.2f} s; as PNG {png:.2f} s, {png / drawn:.1f} times as long")


def main():
    if not paths.DECISION_REPORT.is_file():
        sys.exit("run `make demo` first")
    time_compare(Path.cwd())
    time_page()


if __name__ == "__main__":
    main()
