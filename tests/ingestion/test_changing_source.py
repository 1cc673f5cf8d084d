"""However a source is delivered, its rows come in once, and known rows keep their days."""

import csv
import io
import shutil
import zipfile
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.ingestion.rebuild import rebuild
from evergreen.settings import paths

from .conftest import Shop

COLUMNS = ["Client", "Date", "Total", "Item", "Invoice"]
FIRST = date(2024, 1, 1)


def purchase(number, day):
    """A row whose amount is its own; every fifth occurs twice."""
    return [
        f"c{number % 4}",
        FIRST + timedelta(days=day),
        number + 1,
        f"item {number % 3}",
        f"i{number}",
    ]


def written(rows, *, delimiter=",", reverse=False, european=False):
    """Rows as a CSV file."""
    order = range(len(COLUMNS))[::-1] if reverse else range(len(COLUMNS))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n" if reverse else "\n")
    writer.writerow([COLUMNS[n] for n in order])
    for client, day, amount, *rest in rows:
        when = day.strftime("%d.%m.%Y") if european else day.isoformat()
        cells = [client, when, f"{amount},50" if european else f"{amount}.50", *rest]
        writer.writerow([cells[n] for n in order])
    return text.getvalue()


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("export.csv", content)
    return file.getvalue()


LAYOUTS = {
    "as before": lambda rows: ("csv", written(rows)),
    "other order": lambda rows: ("csv", written(rows, reverse=True)),
    "tabs": lambda rows: ("tsv", written(rows, delimiter="\t")),
    "zipped": lambda rows: ("zip", zipped(written(rows))),
    "utf-16": lambda rows: ("csv", written(rows, delimiter=";").encode("utf-16")),
}
STEPS = st.sampled_from(["new day", "late row", "again", "renamed", "text", "invoice", "units"])


class Life:
    """A shop, and all rows that it had so far."""

    def __init__(self, shop):
        self.shop, self.rows, self.day, self.files = shop, [], 3, 0
        shop.source["columns"].pop("text")
        for number in range(20):
            self.add(number % 4)
        self.deliver("as before")

    def add(self, day):
        number = len(self.rows)
        self.rows += [purchase(number, day)] * (2 if number % 5 == 0 else 1)

    def deliver(self, layout, name=None):
        self.files += 1
        suffix, content = LAYOUTS[layout](self.rows)
        self.shop.lay(f"{name or self.files}.{suffix}", content)
        self.shop.ingest()

    def step(self, step, layout):
        before = self.known_on()
        if step == "new day":
            self.day += 1
            self.add(self.day)
            self.deliver(layout, "grown")
        elif step == "late row":
            self.add(1)
            self.day += 1
            self.add(self.day)
            self.deliver(layout)
        elif step == "again":
            self.deliver(layout)
        elif step == "renamed":
            inbox = self.shop.folder / "inbox"
            oldest = min(inbox.iterdir())
            oldest.rename(inbox / f"z{self.files}{oldest.name}")
            self.shop.ingest()
        elif step == "units":
            self.shop.data["minor_units"] = 1000 if self.units == 100 else 100
            self.rebuild()
        else:
            header = {"text": "Item", "invoice_id": "Invoice"}
            role = "text" if step == "text" else "invoice_id"
            columns = self.shop.source["columns"]
            if columns.pop(role, None) is None:
                columns[role] = header[role]
            self.rebuild()
        after = self.known_on()
        assert {amount: after[amount] for amount in before} == before

    @property
    def units(self):
        return self.shop.data.get("minor_units", 100)

    def rebuild(self):
        list(rebuild(self.shop.settings(), through=date(2024, 1, 31)))

    def known_on(self):
        rows = [(r["amount_minor"] // self.units, r["ingested_on"]) for r in self.shop.rows()]
        days = dict(rows)
        assert set(rows) == set(days.items())
        return days

    def content(self):
        rows = ({k: v for k, v in r.items() if k != "ingested_on"} for r in self.shop.rows())
        return Counter(map(repr, rows))

    def check(self):
        lived = self.content()
        assert sum(lived.values()) == len(self.rows)
        shutil.rmtree(paths.RAW)
        self.shop.ingest()
        assert lived == self.content()


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(STEPS, st.sampled_from(sorted(LAYOUTS))), min_size=1, max_size=5))
def test_the_history_is_that_of_one_ingestion(tmp_path_factory, monkeypatch, steps):
    folder = tmp_path_factory.mktemp("shop")
    monkeypatch.chdir(folder)
    life = Life(Shop(folder))
    for step, layout in steps:
        life.step(step, layout)
    life.check()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_comes_again_in_another_layout_adds_nothing(shop, layout):
    life = Life(shop)
    before = life.content()
    life.step("again", layout)
    assert life.content() == before


def test_other_formats_of_dates_and_amounts_add_nothing(shop):
    life = Life(shop)
    before = life.content()
    shop.lay("again.csv", written(life.rows, delimiter=";", european=True))
    shop.ingest()
    assert life.content() == before


def test_overlapping_daily_exports_add_each_row_once(shop):
    life = Life(shop)
    for path in (shop.folder / "inbox").iterdir():
        path.unlink()
    shutil.rmtree("data")
    for end in range(4):
        rows = [row for row in life.rows if end - 1 <= (row[1] - FIRST).days <= end]
        shop.lay(f"{end}.csv", written(rows))
        shop.ingest()
    assert sum(life.content().values()) == len(life.rows)
