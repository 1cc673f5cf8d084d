"""How a champion is best kept up to date: losses out of time, by method of update.

One model per method and target is fitted as of a first date. Then, step by step, each method is
given the labels that became known since (training clients only, as in a run) and predicts the
snapshots observed from then to the next step, of all clients: their labels become known later, so
no label window that was learned from overlaps one that is judged. All losses of a data set are
means over the same rows, those of amounts with the cap and mean of the first training rows.

Every row of the tables is compared with "never updated" of the same estimator and with that of
LightGBM, in percent of its loss with a standard error clustered by client; less is better. The
error says how sure a figure is for other clients, not for another year. Seconds are those of
learning one step's labels, without the making of features. No gate decides here. The extractor
stays that of the first date but where a method says otherwise, also in "full every step".

    python benchmarks/bench_updates.py                 # The Complete Journey, 16 weeks
    python benchmarks/bench_updates.py --quick         # 4 weeks
    python benchmarks/bench_updates.py --daily         # the same 16 weeks in daily steps
    python benchmarks/bench_updates.py --settings      # other settings of the update
    python benchmarks/bench_updates.py --lines --daily # what an update goes on from
    python benchmarks/bench_updates.py --online-retail FILE.parquet --cdnow FILE.parquet

Run it in the root of the repository, whose `params.yaml` holds the settings. The two files are UCI
Online Retail II (client_id, timestamp, invoice_id, text, quantity, amount, sheet) and the CDNOW
master data (client_id, date, quantity, amount), a row each line of an invoice.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from evergreen.core.evaluation.decision import Minimum
from evergreen.core.evaluation.gate import Outcomes, decide
from evergreen.core.evaluation.losses import row_losses
from evergreen.core.events import label_selection
from evergreen.core.events.labels import create_labels
from evergreen.core.events.ledger import create_ledger, create_texts
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.events.snapshots import create_snapshots
from evergreen.core.features.extractor import fit_extractor
from evergreen.core.models import registry
from evergreen.ingestion import complete_journey
from evergreen.settings.loading import load_settings
from evergreen.store import tables

CHUNK = 20_000  # snapshots whose features are made at once
CLEAR = 2.0  # standard errors from which on a difference is called one


@dataclass(frozen=True)
class Method:
    """A way to keep a model up to date; what is left out is as in `params.yaml`.

    `full_every` steps it is fitted from scratch, with an extractor of that day if `fresh`; at the
    other steps it is updated if `updates`. Every `anew_every` steps an update begins with the first
    model and learns all that has become known since, instead of going on from the update before.
    """

    name: str
    estimator: str = "lightgbm"
    options: dict = field(default_factory=dict)
    replay: dict = field(default_factory=dict)
    updates: bool = True
    full_every: int | None = None
    fresh: bool = False
    anew_every: int | None = None


@dataclass(frozen=True)
class Case:
    """A data set, where the steps through it begin, and what is asked of it."""

    title: str
    rows: object  # from a connection to a relation with the canonical columns
    start: date
    step_days: int
    steps: int
    every_days: int
    horizons: tuple[int, int, int]


JOURNEY = Case(
    "The Complete Journey", complete_journey.rows, date(2017, 4, 1), 7, 16, 7, (7, 28, 28)
)


def online_retail(path):
    """Lines with a client; the second year's sheet begins before the first year's ends."""
    sql = f"""
        select client_id::varchar as client_id, timestamp, round(amount * 100)::bigint
            as amount_minor, quantity::double as quantity, text, invoice_id,
            timestamp::date as ingested_on
        from read_parquet('{path}')
        where client_id is not null and (sheet = 1 or timestamp >= '2010-12-10')
    """
    return Case(
        "Online Retail II", lambda con: con.sql(sql), date(2010, 9, 18), 28, 12, 28, (28, 84, 84)
    )


def cdnow(path):
    """Every third client of a cohort of 1997, without text, in steps of 14 days: it is short."""
    sql = f"""
        select client_id::varchar as client_id, date::timestamp as timestamp,
            round(amount * 100)::bigint as amount_minor, quantity::double as quantity,
            null::varchar as text, concat(client_id, ' ', date) as invoice_id,
            date::date as ingested_on
        from read_parquet('{path}') where client_id % 3 = 0
    """
    return Case("CDNOW", lambda con: con.sql(sql), date(1997, 8, 13), 14, 16, 28, (28, 84, 84))


def kinds(every):
    """Every kind of update, with full retrains each so many steps where it has any."""
    nth = f"full every {every} steps"
    methods = [
        Method("never updated", updates=False),
        Method("continue"),
        Method("continue, no replay", replay={"replay_share": 0.0}),
        Method("refit leaves", options={"update": "refit"}),
        Method("full every step", full_every=1),
        Method(f"{nth}", full_every=every, updates=False),
        Method(f"{nth}, continue between", full_every=every),
        Method(f"{nth}, fresh extractor, continue between", full_every=every, fresh=True),
    ]
    # the forest takes text in few columns here: on terms it costs more than all others together
    for name, options in (
        ("random_forest", {"text": "components"}),
        ("linear", {}),
    ):
        methods += [
            Method(f"{name}, never updated", name, options, updates=False),
            Method(f"{name}, updated", name, options),
        ]
    return methods


def settings_of_update():
    """Settings of LightGBM's update: what is replayed, how far level, trees and leaves move."""
    methods = [Method("never updated", updates=False), Method("continue")]
    for share, days in ((0.0, 90), (1.0, 28), (1.0, 90), (3.0, 365)):
        replay = {"replay_share": share, "replay_days": days}
        methods.append(Method(f"replay {share:g} of {days} days", replay=replay))
    for penalty in (10.0, 30.0, 300.0, 1e6):
        options = {"update_level_penalty": penalty}
        methods.append(Method(f"level penalty {penalty:g}", options=options))
    for rounds, rate in ((1, 0.001), (5, 0.02), (20, 0.02), (10, 0.05), (20, 0.05)):
        options = {"update_rounds": rounds, "update_learning_rate": rate}
        methods.append(Method(f"{rounds} rounds at {rate}", options=options))
    for decay in (0.8, 0.9, 0.95, 0.98):
        options = {"update": "refit", "refit_decay": decay}
        methods.append(Method(f"refit, decay {decay}", options=options))
    return methods


def lines_of_updates():
    """What a champion that is not replaced is updated from, day by day."""
    lines = (
        ("from the champion each time", 1),
        ("in lines of 7", 7),
        ("in lines of 30", 30),
        ("continue", None),
    )
    return [
        Method("never updated", updates=False),
        *(Method(name, anew_every=steps) for name, steps in lines),
        Method("blend, never updated", "blend", updates=False),
        *(Method(f"blend, {name}", "blend", anew_every=steps) for name, steps in lines),
    ]


class History:
    """A data set as a database, with its labels, the tests of each step, and features by place.

    The place of a label is that of its snapshot among all snapshots in order of time.
    """

    def __init__(self, case, settings, *, held_out_only=False):
        self.settings = settings_for(case, settings)
        self.con = open_database(case, self.settings)
        self.dates = [case.start + timedelta(case.step_days * k) for k in range(case.steps + 2)]
        labels = self.con.sql(
            f"select * from labels where observed_on < date '{self.dates[-1]}'"
            " order by target, observed_on, client_id, known_on"
        ).df()
        self.snapshots = label_selection.snapshots_of(labels)
        places = self.snapshots.assign(place=np.arange(len(self.snapshots)))
        labels = labels.merge(places, on=label_selection.KEYS)
        self.labels = dict(iter(labels.groupby("target")))
        final = labels[labels["superseded_on"].isna()]
        self.tests = self._tests(final[final["holdout"]] if held_out_only else final)
        self.features, self.fitted = {}, {}

    def _tests(self, labels):
        """By target and step: the labels of the snapshots observed from it to the next."""
        edges = pd.to_datetime(self.dates)
        step = edges.searchsorted(labels["observed_on"], side="right") - 1
        return dict(iter(labels[step > 0].groupby(["target", step[step > 0]])))

    def to_train(self, name, day):
        """What `featurize` would give a full retrain as of that day."""
        max_age_days = self.settings.full_retrain.max_age_days
        return label_selection.to_train(self.labels[name], by=day, max_age_days=max_age_days)

    def matrix(self, labels, epoch, form):
        """The features of some labels as the extractor of a day makes them."""
        if (epoch, form) not in self.features:
            self._make_features(epoch)
        return self.features[epoch, form].iloc[labels["place"].to_numpy()]

    def _make_features(self, epoch):
        extractor = fitted_extractor(self, epoch)
        fresh = epoch != self.dates[0]
        forms = ("components",) if fresh else ("components", "terms")
        parts = [
            extractor.transform(self.con, self.snapshots[k : k + CHUNK], text=forms)
            for k in range(0, len(self.snapshots), CHUNK)
        ]
        for form in forms:
            columns = extractor.columns(form)
            self.features[epoch, form] = pd.concat([part[columns] for part in parts])


def settings_for(case, settings):
    targets = {
        name: target.model_copy(update={"horizon_days": days})
        for (name, target), days in zip(settings.targets.items(), case.horizons, strict=True)
    }
    snapshots = settings.snapshots.model_copy(update={"every_days": case.every_days})
    return settings.model_copy(update={"targets": targets, "snapshots": snapshots})


def open_database(case, settings):
    """All tables of a run, over the whole history."""
    con = tables.connect(settings.compute.threads)
    case.rows(con).create("transactions")
    con.register("notes", tables.NOTES.empty_table())
    con.execute(
        "create table outcomes (target varchar, client_id varchar, observed_on date,"
        " value double, ingested_on date)"
    )
    create_ledger(con)
    create_texts(con, max_chars=settings.features.text.max_chars)
    [(end,)] = con.sql("select max(ingested_on) + 1 from transactions").fetchall()
    create_snapshots(
        con,
        as_of=end,
        every_days=case.every_days,
        burn_in_days=settings.snapshots.burn_in_days,
        holdout_share=settings.holdout.share,
        holdout_salt=settings.holdout.salt,
    )
    targets = {name: (t.label, t.horizon_days) for name, t in settings.targets.items()}
    create_labels(con, targets=targets, complete_until=end, minor_units=settings.data.minor_units)
    return con


def fitted_extractor(history, day):
    """The extractor as `featurize` would fit it on that day."""
    settings = history.settings
    trained = pd.concat([history.to_train(name, day) for name in settings.targets])
    return fit_extractor(
        history.con,
        label_selection.snapshots_of(trained),
        fitted_on=day,
        features=settings.features.model_copy(update={"attributes": False}),
        horizons_days=[target.horizon_days for target in settings.targets.values()],
        minor_units=settings.data.minor_units,
        seed=settings.seed,
    )


def build(history, name, method):
    options = history.settings.estimators.of(method.estimator).model_dump() | method.options
    return registry.build(
        method.estimator,
        history.settings.targets[name].kind,
        options,
        seed=history.settings.seed,
        threads=history.settings.compute.threads,
    )


def fit(history, name, method, day, epoch):
    """A model from scratch on the labels known by a day, and the seconds that it took."""
    model = build(history, name, method)
    labels = history.to_train(name, day)
    X = history.matrix(labels, epoch, model.settings.text)
    started = time.perf_counter()
    return model.fit(X, labels["label"]), time.perf_counter() - started


def first_fit(history, name, method):
    """The model that all methods of one estimator begin with, with the method's own settings."""
    key = name, method.estimator
    if key not in history.fitted:
        start = history.dates[0]
        history.fitted[key], _ = fit(history, name, method, start, start)
    model = copy.copy(history.fitted[key])
    model.settings = build(history, name, method).settings
    return model


def update(history, name, method, *, model, step, epoch):
    """The model with what became known since the last step, and the seconds that it took."""
    since = step - 1
    if method.anew_every and step % method.anew_every == 0:
        model, since = first_fit(history, name, method), 0
    options = history.settings.incremental.model_dump() | method.replay
    labels = label_selection.to_update(
        history.labels[name],
        by=history.dates[step],
        after=history.dates[since],
        replay_share=options["replay_share"],
        replay_days=options["replay_days"],
        seed=history.settings.seed,
    )
    X, y = history.matrix(labels, epoch, model.settings.text), labels["label"]
    replay = labels["replay"].to_numpy()
    started = time.perf_counter()
    updated = model.update(X[~replay], y[~replay], X[replay], y[replay])
    return updated, time.perf_counter() - started


def follow(history, name, method):
    """A method's predictions of all tests of a target, and its seconds per step."""
    model, epoch = first_fit(history, name, method), history.dates[0]
    predicted, total = [], 0.0
    steps = range(1, len(history.dates) - 1)
    for step in steps:
        seconds = 0.0
        if method.full_every and step % method.full_every == 0:
            day = history.dates[step]
            epoch = day if method.fresh else epoch
            model, seconds = fit(history, name, method, day, epoch)
        elif method.updates:
            model, seconds = update(history, name, method, model=model, step=step, epoch=epoch)
        total += seconds
        test = history.tests[name, step]
        predicted.append(model.predict(history.matrix(test, epoch, model.settings.text)))
    return np.concatenate(predicted), total / len(steps)


@dataclass(frozen=True)
class Judge:
    """The rows on which all methods of a target are compared."""

    kind: str
    tests: pd.DataFrame
    scale: LossScale

    @classmethod
    def of(cls, history, name):
        """All tests of a target."""
        steps = range(1, len(history.dates) - 1)
        first = history.to_train(name, history.dates[0])["label"]
        return cls(
            history.settings.targets[name].kind,
            pd.concat([history.tests[name, step] for step in steps]),
            LossScale.of_labels(first),
        )

    def loss(self, predicted):
        """The mean loss of some predictions."""
        return float(row_losses(self.kind, self.tests["label"], predicted, self.scale).mean())

    def change(self, old, new):
        """The relative change of the loss and its standard error, in percent."""
        found = decide(
            Outcomes(
                self.kind,
                self.tests["label"].to_numpy(),
                self.tests["client_id"].to_numpy(),
                self.scale,
            ),
            old,
            new,
            minimum=Minimum(rows=2, minority=1, clients=2),
        )
        if found.interval is None:
            return 0.0, 0.0
        margin = found.gain - found.interval[0]
        return -100 * found.gain, -100 * margin / stdtrit(found.clients - 1, found.alpha)


def compare(history, methods):
    """Print the table of a data set, and return its sentences."""
    print("| target | method | loss | % by updating | % of LightGBM never updated | s per step |")
    print("|---|---|---|---|---|---|")
    sentences = []
    for name in history.settings.targets:
        judge, predicted, still = Judge.of(history, name), {}, {}
        for method in methods:
            predicted[method.name], seconds = follow(history, name, method)
            own = still.setdefault(method.estimator, predicted[method.name])
            both = (judge.change(old, predicted[method.name]) for old in (own, still["lightgbm"]))
            cells = [f"{judge.loss(predicted[method.name]):.4f}", *map(signed, both)]
            print("|", " | ".join([name, method.name, *cells, f"{seconds:.2f}"]), "|", flush=True)
        sentences.append(f"- {name}: {verdict(judge, predicted)}")
    return sentences


def signed(change):
    return "" if change == (0.0, 0.0) else f"{change[0]:+.2f} ± {change[1]:.2f}"


def verdict(judge, predicted):
    """In one sentence: whether updating brings anything, alone and between full retrains."""
    changes = {name: judge.change(predicted["never updated"], p) for name, p in predicted.items()}
    best = min(changes, key=lambda name: changes[name][0])
    words = [f"an update each step {effect(changes['continue'])}"]
    for name in predicted:
        plain = name.removesuffix(", continue between")
        if plain != name and plain in predicted:
            between = judge.change(predicted[plain], predicted[name])
            words.append(f"added to {plain} it {effect(between)}")
    words.append(f"the best method is {best} ({signed(changes[best])} %)")
    return "; ".join(words) + "."


def effect(change):
    if change[0] < -CLEAR * change[1]:
        return f"brings something ({signed(change)} %)"
    return (
        f"{'does harm' if change[0] > CLEAR * change[1] else 'brings nothing'} ({signed(change)} %)"
    )


def run(case, settings, methods, *, held_out_only=False):
    started = time.perf_counter()
    history = History(case, settings, held_out_only=held_out_only)
    print(f"\n## {case.title}\n")
    print(f"{case.steps} steps of {case.step_days} days from {case.start}.", end=" ")
    for name in history.settings.targets:
        judge, first = Judge.of(history, name), history.to_train(name, history.dates[0])
        print(f"{name}: first fit on {len(first):,} labels, {len(judge.tests):,} judged.", end=" ")
    print("\n")
    sentences = compare(history, methods)
    print("\n" + "\n".join(sentences))
    print(f"\n{time.perf_counter() - started:.0f} s in all.")


def cases(arguments):
    found = [] if arguments.skip_complete_journey else [JOURNEY]
    found += [online_retail(arguments.online_retail)] if arguments.online_retail else []
    found += [cdnow(arguments.cdnow)] if arguments.cdnow else []
    for case in found:
        chosen = case
        if arguments.daily:
            chosen = replace(chosen, step_days=1, steps=case.steps * case.step_days)
        yield replace(chosen, steps=4) if arguments.quick else chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--online-retail", metavar="FILE", help="Parquet file of the data set")
    parser.add_argument("--cdnow", metavar="FILE", help="Parquet file of the data set")
    for flag, meaning in (
        ("--quick", "4 steps"),
        ("--daily", "steps of a day, and full retrains each 7"),
        ("--settings", "settings of LightGBM's update instead of kinds of update"),
        ("--lines", "what an update goes on from instead of kinds of update"),
        ("--held-out-only", "judge on held-out clients alone"),
        ("--skip-complete-journey", "only the data sets given by file"),
    ):
        parser.add_argument(flag, action="store_true", help=meaning)
    arguments = parser.parse_args()
    methods = settings_of_update() if arguments.settings else kinds(7 if arguments.daily else 4)
    if arguments.lines:
        methods = lines_of_updates()
    elif arguments.daily:  # the others cost too much in so many steps
        methods = [m for m in methods if m.estimator == "lightgbm" and m.full_every != 1]
    settings = load_settings()
    for case in cases(arguments):
        run(case, settings, methods, held_out_only=arguments.held_out_only)


if __name__ == "__main__":
    main()
