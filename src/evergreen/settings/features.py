"""Settings of the feature extractor."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from evergreen.settings.base import Days, Section, Share
from evergreen.settings.languages import words_of_languages
from evergreen.settings.names import Analyzer


def _known_languages(stop_words: str | list[str]) -> str | list[str]:
    if isinstance(stop_words, str):
        words_of_languages(stop_words.split())
    return stop_words


def _increasing(days: list[int]) -> list[int]:
    if not days or any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError("must be increasing and not empty, such as [7, 14, 28]")
    return days


class TextSettings(Section):
    """How product descriptions and notes become features."""

    enabled: bool = Field(default=True, description="Whether to turn texts into features")
    max_terms: int = Field(500, ge=1, le=100_000, description="Size of the TF-IDF vocabulary")
    min_clients: int = Field(
        5, ge=1, description="Number of clients that must use a term for it to enter the vocabulary"
    )
    analyzer: Analyzer = Field(
        "word",
        description="Kind of terms: words (word), or sequences of characters within words "
        "(char_wb)",
    )
    ngram_min: int = Field(1, ge=1, le=8, description="Shortest term, in words or characters")
    ngram_max: int = Field(1, ge=1, le=8, description="Longest term, in words or characters")
    stop_words: Annotated[str | list[str], AfterValidator(_known_languages)] = Field(
        [], description='Words to ignore: a list of words, or language codes such as "de fr"'
    )
    components: int = Field(
        32,
        ge=1,
        le=512,
        description="Number of columns that the terms are reduced to, for estimators with "
        "`text: components`",
    )
    max_chars: int = Field(
        5000,
        ge=1,
        le=1_000_000,
        description="Longest text that is read, in characters; the rest is cut off",
    )

    @model_validator(mode="after")
    def _possible_terms(self) -> TextSettings:
        if self.ngram_min > self.ngram_max:
            raise ValueError(
                f"ngram_min is {self.ngram_min}, allowed: at most ngram_max, which is "
                f"{self.ngram_max}"
            )
        if self.stop_words and self.analyzer != "word":
            raise ValueError("stop_words are whole words, so they need analyzer word")
        return self


class FeatureSettings(Section):
    """Which features models use."""

    windows_days: Annotated[list[Days], AfterValidator(_increasing)] = Field(
        [7, 14, 28, 56, 91, 182, 364],
        description="Windows over which purchases and spend are added up, in days; the horizon of "
        "each target is added to the list",
    )
    support: Share = Field(
        0.5,
        description="A feature is kept if the history reaches back far enough for at least this "
        "share of the rows",
    )
    btyd: bool = Field(
        default=True,
        description="Whether models get the predictions of buy-till-you-die models as features; "
        "they are a baseline in any case",
    )
    attributes: bool = Field(
        default=True,
        description="Whether models get client attributes as features, if the source has any",
    )
    text: TextSettings = Field(default_factory=TextSettings)
