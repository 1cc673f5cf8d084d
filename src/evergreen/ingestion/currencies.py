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
    "RS": "INR", "RS.": "INR", "RM": "MYR", "RP": "IDR",
}  # fmt: skip
"""Symbols of one currency, in upper case."""
SHARED = frozenset({"$", "¢", "¤", "KR", "KR.", "R"})
"""Symbols of several currencies: they stay as they are."""


def currency_code(written: str) -> str | None:
    """The ISO 4217 code of a currency, or its symbol if several share it; None if it is not one.

    >>> [currency_code(written) for written in ("€", "AU $", "$ USD", "eur", "kr", "apples")]
    ['EUR', 'AUD', 'USD', 'EUR', 'KR', None]
    """
    text = written.upper()
    for spelling in (text, text.replace(" ", ""), text.lstrip("$ "), text.rstrip("$ ")):
        if spelling in CODES or spelling in SHARED:
            return spelling
        if spelling in SYMBOLS:
            return SYMBOLS[spelling]
    return None
