"""Currencies as exports write them, and their ISO 4217 codes."""

from __future__ import annotations

CODES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN
    BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP
    ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR
    ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF
    XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL
    """.split()  # noqa: SIM905 - a list would have a line for each
)
SYMBOLS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₫": "VND",
    "₦": "NGN", "₱": "PHP", "₪": "ILS", "₴": "UAH", "₡": "CRC", "₲": "PYG", "₵": "GHS", "₸": "KZT",
    "₾": "GEL", "฿": "THB", "R$": "BRL", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD",
    "HK$": "HKD", "NZ$": "NZD", "S$": "SGD", "SG$": "SGD", "US$": "USD", "MX$": "MXN", "NT$": "TWD",
    "FR": "CHF", "FR.": "CHF", "SFR.": "CHF", "FT": "HUF", "KČ": "CZK", "ZŁ": "PLN", "LEI": "RON",
    "RS": "INR", "RS.": "INR", "RM": "MYR", "RP": "IDR", "KR.": "KR",
}  # fmt: skip
"""Symbols of one currency, in upper case, and other spellings of those of several."""
_DOLLARS = frozenset(
    """
    ARS AUD BBD BMD BND BSD BZD CAD CLP COP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD TWD
    USD UYU XCD
    """.split()  # noqa: SIM905
)
_CROWNS = frozenset({"DKK", "ISK", "NOK", "SEK"})
SHARED = {
    "$": _DOLLARS, "¢": _DOLLARS | {"EUR"}, "¤": CODES, "KR": _CROWNS,
    "R": frozenset({"ZAR", "BRL"}),
}  # fmt: skip
"""Symbols of several currencies, which stay as they are, each with the codes it may stand for."""
HEADERS = frozenset({
    "currency", "currency code", "currency_code", "currencycode", "order currency",
    "order_currency", "ordercurrency", "währung", "waehrung", "devise", "moneda", "valuta", "moeda",
})  # fmt: skip
"""Names, in lower case, of columns with the currency of a row."""


def spellings(code: str) -> frozenset[str]:
    """What `currency_code` may give for a currency, as texts write it.

    >>> sorted(spellings("SEK"))
    ['KR', 'SEK', '¤']
    """
    return frozenset({code} | {symbol for symbol, codes in SHARED.items() if code in codes})


def currency_code(written: str) -> str | None:
    """The ISO 4217 code of a currency, or its symbol if several share it; None if it is not one.

    >>> [currency_code(written) for written in ("€", "AU $", "$ USD", "eur", "kr.", "apples")]
    ['EUR', 'AUD', 'USD', 'EUR', 'KR', None]
    """
    text = written.upper()
    for spelling in (text, text.replace(" ", ""), text.lstrip("$ "), text.rstrip("$ ")):
        if spelling in CODES or spelling in SHARED:
            return spelling
        if spelling in SYMBOLS:
            return SYMBOLS[spelling]
    return None
