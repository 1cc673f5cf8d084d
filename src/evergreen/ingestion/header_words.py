"""What exports call their columns, in several languages, to guess a mapping from headers.

Each role has tiers: a header of the first one tells more than one of the second. Headers are
compared in lower case, without accents and punctuation.
"""

from __future__ import annotations

import re
import unicodedata


def plain(header: str) -> str:
    """A header as it is compared: ``Kunden-Nr.`` is ``kunden nr``.

    Examples
    --------
    >>> plain("Email (Billing)"), plain("CustomerID"), plain("Qté")
    ('email billing', 'customer id', 'qte')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    bare = "".join(c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", bare.casefold().replace("ß", "ss")))


def _tiers(*tiers: str) -> list[set[str]]:
    return [{plain(word) for word in tier.split(",")} for tier in tiers]


HEADER_WORDS: dict[str, list[set[str]]] = {
    "client_id": _tiers(
        "customer id, client id, customer no, customer number, customer code, buyer id, user id, "
        "buyer user id, member id, shopper id, household id, household key, loyalty id, "
        "Kundennummer, Kunden Nr, KundenNr, Kunden ID, Kunde ID, KdNr, Kd Nr, "
        "id client, code client, numéro client, n client, no client, "
        "id cliente, cliente id, código cliente, número cliente, código de cliente, "
        "codice cliente, "
        "klantnummer, klant id, klantnr, kundnummer, kundenr, kund id, id klienta, numer klienta",
        "customer, client, Kunde, cliente, klant, kund, kunde, klient, buyer, member, shopper",
        "email, e mail, customer email, buyer email, email address, from email address, "
        "email billing, billing email, Kunden E Mail, Absender E Mail Adresse, adresse e mail, "
        "correo, correo electrónico",
    ),
    "timestamp": _tiers(
        "timestamp, date time, datetime, order date, invoice date, sale date, sales date, "
        "transaction date, purchase date, created at, date created, created, created utc, "
        "order time, transaction timestamp, Bestelldatum, Rechnungsdatum, Kaufdatum, Belegdatum, "
        "Verkaufsdatum, date commande, date de commande, date facture, date de vente, "
        "date d achat, "
        "fecha pedido, fecha de pedido, fecha factura, fecha venta, fecha compra, "
        "fecha de compra, data ordine, data fattura, data vendita, data acquisto, besteldatum, "
        "orderdatum, factuurdatum, data zamówienia, data do pedido, data da compra, data da venda",
        "date, datum, fecha, data, dato, time, day, at, dt",
    ),
    "amount": _tiers(
        "amount, total, net sales, net total, order total, line total, total amount, net amount, "
        "total price, grand total, revenue, sales, sales value, turnover, amount paid, "
        "Betrag, Summe, Gesamt, Gesamtbetrag, Gesamtpreis, Gesamtsumme, Umsatz, Nettobetrag, "
        "montant, montant total, total ttc, importe, importe total, monto, importo, totale, "
        "bedrag, "
        "totaal, totaalbedrag, belopp, summa, beløb, kwota, wartość, valor, valor total",
    ),
    "price": _tiers(
        "price, unit price, item price, Preis, Einzelpreis, Stückpreis, prix, prix unitaire, "
        "precio, precio unitario, prezzo, prezzo unitario, prijs, pris, cena, preço, "
        "preço unitário",
    ),
    "quantity": _tiers(
        "quantity, qty, units, Menge, Anzahl, Stück, quantité, qté, cantidad, unidades, quantità, "
        "aantal, antal, ilość, quantidade",
    ),
    "invoice_id": _tiers(
        "invoice, invoice no, invoice id, invoice number, order id, order no, order number, "
        "order name, transaction id, transaction no, receipt no, receipt number, receipt id, "
        "basket id, Bestellnummer, Auftragsnummer, Rechnungsnummer, Rechnungs Nr, Belegnummer, "
        "Beleg Nr, Bonnummer, Bon Nr, numéro commande, numéro de commande, n commande, "
        "numéro facture, n facture, número de pedido, número pedido, id pedido, numero ordine, "
        "numero fattura, ordernummer, bestelnummer, factuurnummer, numer zamówienia",
        "order, receipt, basket, Bestellung, Rechnung, Beleg, Bon, commande, facture, pedido, "
        "factura, ordine, fattura, scontrino, bestelling, factuur, zamówienie",
    ),
    "text": _tiers(
        "description, product description, item description, Beschreibung, Artikelbezeichnung, "
        "Bezeichnung, désignation, libellé, descripción, descrizione, omschrijving, opis, "
        "descrição",
        "product, product name, item, item name, product title, title, Artikel, Produkt, article, "
        "produit, producto, artículo, prodotto, articolo, produto",
    ),
}

[NO_SALE_WORDS] = _tiers(
    "status, state, cancelled, canceled, refund, refunded, returned, void, voided, test, mode, "
    "Zustand, storno, storniert, erstattet, Rückgabe, statut, annulé, remboursé, estado, "
    "cancelado, reembolso, stato, annullato, rimborso, geannuleerd, terugbetaald"
)
"""Words in headers of columns that may tell which rows are no sale, or only a part of one."""
