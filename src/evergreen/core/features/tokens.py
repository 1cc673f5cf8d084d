"""Tokenization of texts in any language.

Latin, Greek, Cyrillic, Hebrew and Arabic texts are split as in scikit-learn: words of two or more
characters, in lower case, without accents and points. In other scripts, its rules would cut words
at each vowel sign (Hindi), remove marks that distinguish letters (Japanese), or take a whole
sentence for a word (Chinese, Thai). There, marks stay with their letters, and scripts without
spaces are split into pairs of letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import pairwise
from unicodedata import category, combining, normalize

from evergreen.settings.languages import words_of_languages

_INDIC_TO_KHMER, _KANA_MARKS, _FURTHER = (0x900, 0x1D00), (0x3099, 0x309B), (0xA800, 0xAC00)
_MARKS = "".join(
    chr(code)
    for block in (_INDIC_TO_KHMER, _KANA_MARKS, _FURTHER)
    for code in range(*block)
    if category(chr(code)).startswith("M")
)
_THAI_LAO, _BURMESE, _KHMER = (0xE00, 0xF00), (0x1000, 0x10A0), (0x1780, 0x1800)
_KANA, _FURTHER_KANA = (0x3040, 0x3100), (0x31F0, 0x3200)
_HAN = "々\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_SPACELESS = _HAN + "".join(
    chr(code)
    for block in (_THAI_LAO, _BURMESE, _KHMER, _KANA, _FURTHER_KANA)
    for code in range(*block)
    if chr(code).isalnum()
)
_PLAIN = re.compile(r"\b\w\w+\b")
_SPECIAL = re.compile(f"[{_MARKS}{_SPACELESS}]")
_LETTER = re.compile(f"[{_SPACELESS}][{_MARKS}]*")
_PIECE = re.compile(
    f"((?:{_LETTER.pattern})+)|(?![{_SPACELESS}])\\w(?:(?![{_SPACELESS}])[\\w{_MARKS}])+"
)
_BETWEEN_WORDS = re.compile(f"[^\\w{_MARKS}]+")

_OVERLAY, _POINTS, _ABOVE_AND_BELOW = 1, range(10, 37), 200
"""Unicode's combining classes of marks to remove: strokes, points of Hebrew and Arabic, accents."""

_TAG = re.compile(r"<(?:!--.*?--|/?[a-z][^<>]*)>", re.IGNORECASE | re.DOTALL)
_ENTITY = re.compile(r"&#?\w+;")
_ZERO_WIDTH_SPACE = "\u200b"


def fold(text: str) -> str:
    """Convert to lower case, without optional marks and HTML markup."""
    lowered = _without_markup(text).lower()
    if lowered.isascii():
        return lowered
    bare = "".join(c for c in normalize("NFKD", lowered) if not _is_left_off(c))
    return normalize("NFC", bare)


def _without_markup(text: str) -> str:
    untagged = _TAG.sub(" ", text) if "<" in text else text
    return _ENTITY.sub(lambda entity: unescape(entity[0]), untagged) if "&" in text else untagged


def _is_left_off(character: str) -> bool:
    """Whether it is an accent, or invisible within words: soft hyphen, joiner, direction mark."""
    unseen = category(character) == "Cf" and character != _ZERO_WIDTH_SPACE
    return unseen or _is_accent(combining(character))


def _is_accent(combining_class: int) -> bool:
    return (
        combining_class == _OVERLAY
        or combining_class in _POINTS
        or combining_class >= _ABOVE_AND_BELOW
    )


def words(folded: str) -> list[str]:
    """Split a folded text into words, and scripts without spaces into pairs of letters.

    >>> words("silk scarf")
    ['silk', 'scarf']
    >>> words("喜欢红酒 xl")
    ['喜欢', '欢红', '红酒', 'xl']
    """
    if not _SPECIAL.search(folded):
        return _PLAIN.findall(folded)
    tokens: list[str] = []
    for piece in _PIECE.finditer(folded):
        letters = _LETTER.findall(piece[1]) if piece[1] else []
        pairs = [first + second for first, second in pairwise(letters)]
        tokens += (pairs or letters) if letters else [piece[0]]
    return tokens


def fold_to_words(text: str) -> str:
    """Fold, and replace everything between words by a blank, for sequences of characters."""
    return _BETWEEN_WORDS.sub(" ", fold(text))


def stop_words(setting: str | Sequence[str]) -> tuple[str, ...]:
    """Return the tokens to ignore, in alphabetical order.

    Parameters
    ----------
    setting
        A list of words, or language codes separated by blanks, such as ``"de fr"``.

    Raises
    ------
    ValueError
        If there is no list for a language.
    """
    listed = words_of_languages(setting.split()) if isinstance(setting, str) else setting
    return tuple(sorted({token for word in listed for token in words(fold(word))}))
