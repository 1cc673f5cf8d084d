"""Presets read what the vendors' exports hold; see ``presets/README.md`` for the sums."""

from pathlib import Path

EXPORTS = Path(__file__).with_name("presets")


def test_a_column_may_have_other_names(shop):
    columns = {"client_id": "Client", "timestamp": "Date", "amount": "Total"}
    shop.source = {
        "files": "inbox/*",
        "aliases": {"Client": ["Kunde", "Cliente"], "Total": ["Summe"]},
        "columns": columns,
    }
    shop.lay("a.csv", "Client,Date,Total\na,2024-01-05,1\n")
    shop.lay("b.csv", "Kunde;Date;Summe\nb;2024-01-05;2,00\n")
    shop.lay("c.csv", "Kunde,Client,Date,Total\nx,c,2024-01-05,3\n")
    shop.ingest()
    amounts = {row["client_id"]: row["amount_minor"] for row in shop.rows()}
    assert amounts == {"a": 100, "b": 200, "c": 300}
