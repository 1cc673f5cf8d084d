"""Compare ways to keep a champion up to date, by their losses out of time.

One model per method and target is fitted on a first date. Then, step by step, each method gets the
labels that became known since (training clients only, as in a run), and predicts the snapshots of
all clients observed until the next step. Their labels become known later, so no label window used
for training overlaps one used for testing. All losses of a data set are means over the same rows,
those of amounts with the cap and mean of the first training rows.

Every row of the tables is compared with "never updated" of the same estimator, and with that of
LightGBM: the change in loss in percent, with a standard error clustered by client. Negative is
better. The error covers other clients, not another year. Seconds are those of learning one step's
labels, without computing features. No gate decides here. The feature extractor stays that of the
first date unless a method says otherwise, also in "full every step".

    python benchmarks/bench_updates.py                    # The Complete Journey, 16 weeks
    python benchmarks/bench_updates.py --quick            # 4 weeks
    python benchmarks/bench_updates.py --daily            # the same 16 weeks in daily steps
    python benchmarks/bench_updates.py --settings         # other settings of the update
    python benchmarks/bench_updates.py --chains --daily   # what an update starts from
    python benchmarks/bench_updates.py --online-retail FILE.parquet --cdnow FILE.parquet

Run it in the root of the repository, whose `params.yaml` holds the settings. The two files are UCI
Online Retail II (client_id, timestamp, invoice_id, text, quantity, amount, sheet) and the CDNOW
master data (client_id, date, quantity, amount), with a row for each line of an invoice.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

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

CHUNK = 20_000  # snapshots whose features are computed at once
CLEAR = 2.0  # a difference counts from this many standard errors


@dataclass(frozen=True)
class Method:
    """A way to keep a model up to date; other settings are as in `params.yaml`.

    It is fitted from scratch every `full_every` steps, with a feature extractor of that day if
    `fresh`, and updated at the other steps if `updates`. Every `restart_every` steps, an update
    starts from the first model and learns everything known since, instead of continuing from the
    previous update.
    """

    name: str
    estimator: str = "lightgbm"
    options: dict = field(default_factory=dict)
    replay: dict = field(default_factory=dict)
    updates: bool = True
    full_every: int | None = None
    fresh: bool = False
    restart_every: int | None = None


@dataclass(frozen=True)
class Case:
    """A data set with the steps through it, snapshot interval and horizons."""

    title: str
    rows: object  # a function from a connection to a relation with the canonical columns
    start: date
    step_days: int
    steps: int
    every_days: int
    horizons: tuple[int, int, int]


JOURNEY = Case(
    "The Complete Journey",
    partial(complete_journey.rows, minor_units=100),
    date(2017, 4, 1),
    7,
    16,
    7,
    (7, 28, 28),
)


def online_retail(path):
    """Use lines with a client; the second year's sheet starts before the first year's ends."""
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
    """Use every third client of the cohort of 1997, without text, in steps of 14 days."""
    sql = f"""
        select client_id::varchar as client_id, date::timestamp as timestamp,
            round(amount * 100)::bigint as amount_minor, quantity::double as quantity,
            null::varchar as text, concat(client_id, ' ', date) as invoice_id,
            date::date as ingested_on
        from read_parquet('{path}') where client_id % 3 = 0
    """
    return Case("CDNOW", lambda con: con.sql(sql), date(1997, 8, 13), 14, 16, 28, (28, 84, 84))


def update_methods(full_every):
    """Return all kinds of update, with full retrains every `full_every` steps where used."""
    nth = f"full every {full_every} steps"
    methods = [
        Method("never updated", updates=False),
        Method("continue"),
        Method("continue, no replay", replay={"replay_share": 0.0}),
        Method("refit leaves", options={"update": "refit"}),
        Method("full every step", full_every=1),
        Method(nth, full_every=full_every, updates=False),
        Method(f"{nth}, continue between", full_every=full_every),
        Method(f"{nth}, fresh extractor, continue between", full_every=full_every, fresh=True),
    ]
    # the forest gets text as components: with terms it would take longer than all others together
    for name, options in (
        ("random_forest", {"text": "components"}),
        ("linear", {}),
    ):
        methods += [
            Method(f"{name}, never updated", name, options, updates=False),
            Method(f"{name}, updated", name, options),
        ]
    return methods


def update_settings():
    """Vary LightGBM's update: what is replayed, how far level, trees and leaves move."""
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


def update_chains():
    """Vary what the updates of a champion that is not replaced start from."""
    chains = (
        ("from the champion each time", 1),
        ("chains of 7", 7),
        ("chains of 30", 30),
        ("continue", None),
    )
    return [
        Method("never updated", updates=False),
        *(Method(name, restart_every=steps) for name, steps in chains),
        Method("blend, never updated", "blend", updates=False),
        *(Method(f"blend, {name}", "blend", restart_every=steps) for name, steps in chains),
    ]


class History:
    """A data set as a database, with its labels, the test labels of each step, and features.

    The place of a label is the position of its snapshot among all snapshots in order of time.
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
        """Return by target and step the labels of snapshots observed from it to the next."""
        edges = pd.to_datetime(self.dates)
        step = edges.searchsorted(labels["observed_on"], side="right") - 1
        return dict(iter(labels[step > 0].groupby(["target", step[step > 0]])))

    def to_train(self, name, day):
        """Return the labels of a full retrain on that day, as `featurize` selects them."""
        max_age_days = self.settings.full_retrain.max_age_days
        return label_selection.to_train(self.labels[name], by=day, max_age_days=max_age_days)

    def matrix(self, labels, epoch, form):
        """Return the features of some labels, from the extractor of a day."""
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
    """Create all tables of a run, over the whole history."""
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
    """Fit the extractor as `featurize` does on that day."""
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
    """Fit a model on the labels known by a day; return it with the seconds it took."""
    model = build(history, name, method)
    labels = history.to_train(name, day)
    X = history.matrix(labels, epoch, model.settings.text)
    started = time.perf_counter()
    return model.fit(X, labels["label"]), time.perf_counter() - started


def first_fit(history, name, method):
    """Return the first model, common to an estimator's methods, with this method's settings."""
    key = name, method.estimator
    if key not in history.fitted:
        start = history.dates[0]
        history.fitted[key], _ = fit(history, name, method, start, start)
    model = copy.copy(history.fitted[key])
    model.settings = build(history, name, method).settings
    return model


def update(history, name, method, *, model, step, epoch):
    """Update a model with the labels known since the last step; return it with the seconds."""
    since = step - 1
    if method.restart_every and step % method.restart_every == 0:
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
    """Return a method's predictions for all test labels of a target, and its seconds per step."""
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
        """Return the judge of a target, with all its test labels."""
        steps = range(1, len(history.dates) - 1)
        first = history.to_train(name, history.dates[0])["label"]
        return cls(
            history.settings.targets[name].kind,
            pd.concat([history.tests[name, step] for step in steps]),
            LossScale.of_labels(first),
        )

    def loss(self, predicted):
        """Return the mean loss of predictions."""
        return float(row_losses(self.kind, self.tests["label"], predicted, self.scale).mean())

    def change(self, old, new):
        """Return the relative change in loss and its standard error, in percent."""
        decision = decide(
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
        if decision.interval is None:
            return 0.0, 0.0
        margin = decision.gain - decision.interval[0]
        return -100 * decision.gain, -100 * margin / stdtrit(decision.clients - 1, decision.alpha)


def compare(history, methods):
    """Print the table of a data set, and return its conclusions."""
    print(
        "| target | method | loss | % of never updated | % of LightGBM never updated | s per step |"
    )
    print("|---|---|---|---|---|---|")
    sentences = []
    for name in history.settings.targets:
        judge, predicted, still = Judge.of(history, name), {}, {}
        for method in methods:
            predicted[method.name], seconds = follow(history, name, method)
            basis = still.setdefault(method.estimator, predicted[method.name])
            both = (judge.change(old, predicted[method.name]) for old in (basis, still["lightgbm"]))
            cells = [f"{judge.loss(predicted[method.name]):.4f}", *map(signed, both)]
            print("|", " | ".join([name, method.name, *cells, f"{seconds:.2f}"]), "|", flush=True)
        sentences.append(f"- {name}: {verdict(judge, predicted)}")
    return sentences


def signed(change):
    return "" if change == (0.0, 0.0) else f"{change[0]:+.2f} ± {change[1]:.2f}"


def verdict(judge, predicted):
    """Say whether updating helps, alone and between full retrains."""
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
        return f"helps ({signed(change)} %)"
    harms = change[0] > CLEAR * change[1]
    return f"{'harms' if harms else 'makes no clear difference'} ({signed(change)} %)"


def run(case, settings, methods, *, held_out_only=False):
    started = time.perf_counter()
    history = History(case, settings, held_out_only=held_out_only)
    print(f"\n## {case.title}\n")
    print(f"{case.steps} steps of {case.step_days} days from {case.start}.", end=" ")
    for name in history.settings.targets:
        judge, first = Judge.of(history, name), history.to_train(name, history.dates[0])
        print(f"{name}: first fit on {len(first):,} labels, {len(judge.tests):,} tested.", end=" ")
    print("\n")
    sentences = compare(history, methods)
    print("\n" + "\n".join(sentences))
    print(f"\n{time.perf_counter() - started:.0f} s in total.")


def cases(arguments):
    selected = [] if arguments.skip_complete_journey else [JOURNEY]
    selected += [online_retail(arguments.online_retail)] if arguments.online_retail else []
    selected += [cdnow(arguments.cdnow)] if arguments.cdnow else []
    for case in selected:
        if arguments.daily:
            case = replace(case, step_days=1, steps=case.steps * case.step_days)  # noqa: PLW2901
        yield replace(case, steps=4) if arguments.quick else case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--online-retail", metavar="FILE", help="Parquet file of the data set")
    parser.add_argument("--cdnow", metavar="FILE", help="Parquet file of the data set")
    for flag, meaning in (
        ("--quick", "4 steps"),
        ("--daily", "daily steps, with full retrains every 7"),
        ("--settings", "settings of LightGBM's update, instead of kinds of update"),
        ("--chains", "what an update starts from, instead of kinds of update"),
        ("--held-out-only", "test on held-out clients only"),
        ("--skip-complete-journey", "only data sets given as files"),
    ):
        parser.add_argument(flag, action="store_true", help=meaning)
    arguments = parser.parse_args()
    methods = (
        update_settings() if arguments.settings else update_methods(7 if arguments.daily else 4)
    )
    if arguments.chains:
        methods = update_chains()
    elif arguments.daily:  # the others take too long in that many steps
        methods = [m for m in methods if m.estimator == "lightgbm" and m.full_every != 1]
    settings = load_settings()
    for case in cases(arguments):
        run(case, settings, methods, held_out_only=arguments.held_out_only)


if __name__ == "__main__":
    main()
