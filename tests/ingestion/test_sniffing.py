import pytest

from evergreen.ingestion.header_words import HEADER_WORDS, plain
from evergreen.ingestion.sniffing import Guess, SniffedColumn, guess, may_tell_no_sales, sniff
from evergreen.settings.presets import preset_names, preset_settings


def column(header, *samples, kind="text"):
    return SniffedColumn(header, list(samples), kind)


def sniffed(shop, text):
    shop.lay("a.csv", text)
    return guess(sniff("inbox/*")[1])


def test_columns_are_listed_with_some_different_cells_and_what_most_cells_are(shop):
    shop.lay("a.csv", "Kunde;Datum;Betrag;Leer\nA;05.01.2024;1,50;\nA;06.01.2024;-2,00;\n")
    assert sniff("inbox/*") == (
        "inbox/a.csv",
        [
            column("Kunde", "A"),
            column("Datum", "05.01.2024", "06.01.2024", kind="date"),
            column("Betrag", "1,50", "-2,00", kind="number"),
            column("Leer", kind="blank"),
        ],
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (
            "Beleg-Nr.;Kundennummer;Datum;Artikel;Betrag\n1;K1;05.01.2024;Tee;12,50\n",
            {"client_id": "Kundennummer", "timestamp": "Datum", "amount": "Betrag",
             "invoice_id": "Beleg-Nr.", "text": "Artikel"},
        ),
        (
            "N° client,Date de commande,Désignation,Qté,Prix unitaire\nC1,2024-01-05,Thé,2,3.50\n",
            {"client_id": "N° client", "timestamp": "Date de commande",
             "amount": "Prix unitaire*Qté", "text": "Désignation"},
        ),
        (
            "CLIENT_ID,EMAIL,CREATED_AT,TOTAL\n1,a@example.com,2024-01-05 10:00:00,3\n",
            {"client_id": "CLIENT_ID", "timestamp": "CREATED_AT", "amount": "TOTAL"},
        ),
        (
            "cliente,fecha,importe,total\nana,2024-01-05,3,no\n",
            {"client_id": "cliente", "timestamp": "fecha", "amount": "importe"},
        ),
        (
            "shopper,when,paid,total\nann,2024-01-05,yes,3\n",
            {"client_id": "shopper", "timestamp": "when", "amount": "total"},
        ),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_their_names_and_cells(shop, text, columns):
    assert sniffed(shop, text) == Guess([], columns, {})


def test_what_is_not_clear_is_left_open(shop):
    found = sniffed(shop, "customer_id,date,total,net_total\na,2024-01-05,2,1\n")
    assert found.candidates == {"amount": ["total", "net_total"]}
    found = sniffed(shop, "who,date,total\na,2024-01-05,2\n")
    assert found.candidates == {"client_id": []}


@pytest.mark.parametrize("name", [name for name in preset_names() if "-refunds" not in name])
def test_a_preset_is_known_by_its_columns(name):
    headers = []
    for value in preset_settings(name)["columns"].values():
        headers += value if isinstance(value, list) else [value]
    parts = {part for header in headers for part in header.split(" - ")}
    found = guess([column(header, "x") for header in (*parts, "Something else")])
    assert found.preset == name


def test_columns_that_may_tell_what_is_no_sale_are_found():
    headers = (
        "Financial Status",
        "Cancelled at",
        "Statue",
        "Refunded Amount",
        "Bestellung storniert",
    )
    found = may_tell_no_sales([*(column(h, "x") for h in headers), column("Test", kind="blank")])
    assert found == ["Financial Status", "Cancelled at", "Refunded Amount", "Bestellung storniert"]


def test_no_word_stands_in_two_tiers_of_a_role():
    for role, tiers in HEADER_WORDS.items():
        words = [word for tier in tiers for word in tier]
        assert len(words) == len(set(words)), role
        assert all(word == plain(word) for word in words)
