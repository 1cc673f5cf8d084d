"""Stop words of languages."""

from __future__ import annotations

from collections.abc import Iterable


def words_of_languages(codes: Iterable[str]) -> list[str]:
    """Return the stop words of languages given by their codes, such as ``["de", "fr"]``.

    Raises
    ------
    ValueError
        If there are no stop words for a language.
    """
    from stop_words import LANGUAGE_MAPPING, get_stop_words  # noqa: PLC0415 - few need it

    unknown = [code for code in codes if code not in LANGUAGE_MAPPING]
    if unknown:
        allowed = ", ".join(sorted(LANGUAGE_MAPPING))
        raise ValueError(f"there are no stop words for language {unknown[0]!r}; allowed: {allowed}")
    return [word for code in codes for word in get_stop_words(code)]
