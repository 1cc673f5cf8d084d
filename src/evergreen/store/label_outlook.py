"""Which labels the gate would have with each horizon, counted before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evergreen.core.events.label_selection import Window
from evergreen.core.events.snapshots import create_snapshots, held_out, observed_within
from evergreen.core.wording import plural
from evergreen.settings import paths
from evergreen.settings.names import KIND_OF_LABEL
from evergreen.store import tables
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    from evergreen.settings.names import Label
    from evergreen.settings.pipeline import Gate, Settings

HORIZONS_DAYS = (7, 14, 28, 56, 91, 182, 364)
"""Other horizons to try."""


@dataclass(frozen=True)
class GateLabels:
    """The labels of held-out clients on which the gate would judge a model.

    Attributes
    ----------
    positive
        How many are 1, or amounts above 0.
    """

    label: Label
    horizon_days: int
    rows: int = 0
    clients: int = 0
    positive: int = 0

    @property
    def rate(self) -> str:
        """The share of positive labels, such as ``4.1 %``."""
        return f"{self.positive / self.rows if self.rows else 0:.1%}".replace("%", " %")

    def lacks(self, gate: Gate) -> list[str]:
        """What is below the minimum of the gate."""
        minority = self.positive
        if KIND_OF_LABEL[self.label] == "binary":
            minority = min(self.positive, self.rows - self.positive)
        of_class = "of the minority class"
        counts = (
            (plural(self.rows, "label"), self.rows, gate.min_rows),
            (plural(self.clients, "client"), self.clients, gate.min_clients),
            (
                plural(minority, f"label {of_class}", f"labels {of_class}"),
                minority,
                gate.min_minority,
            ),
        )
        return [
            f"{text}, {needed:,} are needed" for text, count, needed in counts if count < needed
        ]


@dataclass(frozen=True)
class Outlook:
    """Whether the gate can judge a target.

    Attributes
    ----------
    labels
        With the horizon of the settings.
    lacking
        What is below the minimum of the gate.
    enough
        The labels with other horizons, where nothing is.
    """

    target: str
    labels: GateLabels
    lacking: list[str]
    enough: list[GateLabels]

    def __str__(self) -> str:
        """For example ``purchase in 7 days: 0.5 % of 5,175 labels``, and what is lacking."""
        labels = self.labels
        counts = f"{labels.rate} of {plural(labels.rows, 'label')}" if labels.rows else "no label"
        days = plural(labels.horizon_days, "day")
        lacking = f" ({'; '.join(self.lacking)})" if self.lacking else ""
        return f"{self.target} in {days}: {counts}{lacking}"

    @property
    def way_out(self) -> str | None:
        """What to do about it, if something is lacking."""
        if not self.lacking:
            return None
        horizons = [f"{labels.horizon_days} ({labels.rate})" for labels in self.enough]
        if not horizons:
            return "wait for more data: no horizon that the history allows gives enough labels"
        return f"set targets.{self.target}.horizon_days to {' or '.join(horizons)}"


def outlook_sentence(settings: Settings) -> str:
    """What to expect of the next run where nothing was released, for a line after the verdicts."""
    if not tables.partitions(paths.TRANSACTIONS):
        return "the next run tries again"
    targets = label_outlook(settings)
    return "; ".join(
        f"{target}: {target.way_out}" if target.way_out else str(target) for target in targets
    )


def label_outlook(settings: Settings) -> list[Outlook]:
    """Count the labels of each target as the gate would see them on the day of the run.

    The labels are computed from transactions alone: outcomes from elsewhere are not considered.

    Raises
    ------
    DataError
        As `evergreen.store.raw_history.open_history`.
    """
    labels = _count(settings)
    horizons = sorted({days for _, days in labels})
    outlooks = []
    for name, target in settings.targets.items():
        own = labels[target.label, target.horizon_days]
        others = [labels[target.label, days] for days in horizons]
        enough = [other for other in others if not other.lacks(settings.gate)]
        outlooks.append(Outlook(name, own, own.lacks(settings.gate), enough))
    return outlooks


def _count(settings: Settings) -> dict[tuple[Label, int], GateLabels]:
    """The labels by rule and horizon."""
    con, complete_until = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
    )
    every = settings.snapshots.every_days
    create_snapshots(con, every_days=every, burn_in_days=settings.snapshots.burn_in_days)
    own = {target.horizon_days for target in settings.targets.values()}
    horizons = sorted({*HORIZONS_DAYS, *own})
    window = Window.of(settings.gate)
    held = held_out(settings.holdout.share, settings.holdout.salt)
    observed = (
        (
            days,
            observed_within(
                f"$as_of::date - {days} - {window.max_days} + 1",
                f"$complete_until::date - {days}",
                every,
            ),
        )
        for days in horizons
    )
    counts = con.execute(
        _COUNT.format(
            held_out=" union all ".join(
                f"select {days} as horizon, client_id, {day} as observed_on "
                f"from clients where {held}"
                for days, day in observed
            )
        ),
        {
            "as_of": settings.as_of,
            "complete_until": complete_until,
            "days": window.days,
            "target_rows": window.target_rows,
            "max_days": window.max_days,
        },
    ).fetchall()
    labels: dict[tuple[Label, int], GateLabels] = {}
    for days in horizons:
        rows, clients, bought, spent = next((c[1:] for c in counts if c[0] == days), (0, 0, 0, 0))
        positive: dict[Label, int] = {
            "purchase": bought,
            "no_purchase": rows - bought,
            "net_spend": spent,
        }
        for label, count in positive.items():
            labels[label, days] = GateLabels(label, days, rows, clients, count)
    return labels


# The window is that of `label_selection.recently_known`.
_COUNT = """
with held_out as (
    select *, observed_on + horizon as ends, $as_of::date - (observed_on + horizon) as age
    from ({held_out})
), by_age as (
    select horizon, age, sum(count(*)) over (partition by horizon order by age) as so_far
    from held_out group by horizon, age
), windows as (
    select horizon, greatest($days, coalesce(min(age) filter (so_far >= $target_rows),
                                             $max_days - 1) + 1) as days
    from by_age group by horizon
), sums as (
    select horizon, client_id, observed_on,
           sum(purchases) filter (day >= observed_on and day < ends) as purchases,
           sum(spend) filter (day >= observed_on and day < ends) as spend
    from held_out join windows using (horizon)
    left join ledger l using (client_id)
    where age < days
    group by horizon, client_id, observed_on
)
select horizon, count(*), count(distinct client_id),
       count(*) filter (purchases > 0), count(*) filter (spend > 0)
from sums group by horizon order by horizon
"""
