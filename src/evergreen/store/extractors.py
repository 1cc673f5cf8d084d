"""Feature extractors on disk: plain JSON and NumPy arrays, no pickle."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.core.features.attributes import Attributes
from evergreen.core.features.btyd_columns import Btyd
from evergreen.core.features.extractor import Extractor
from evergreen.core.features.text import TextModel
from evergreen.core.models.bg_nbd import BgNbd
from evergreen.core.models.gamma_gamma import GammaGamma
from evergreen.core.models.likelihood import Unfitted
from evergreen.errors import ModelError
from evergreen.store import files


def save_extractor(extractor: Extractor, folder: Path) -> str:
    """Write a feature extractor and return its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    text = extractor.text
    content = {
        "fitted_on": extractor.fitted_on.isoformat(),
        "windows_days": list(extractor.windows_days),
        "year_ago_days": extractor.year_ago_days,
        "minor_units": extractor.minor_units,
        "numeric": list(extractor.numeric),
        "left_out": extractor.left_out,
        "btyd": asdict(extractor.btyd),
        "btyd_in_use": extractor.btyd_in_use,
        "max_chars": extractor.max_chars,
        "text": text and _text_content(text),
    }
    if extractor.attributes is not None:
        content["attributes"] = asdict(extractor.attributes)
    files.write_json(content, folder / "extractor.json")
    if text is not None:
        np.save(folder / "idf.npy", text.idf, allow_pickle=False)
        np.save(folder / "components.npy", text.components, allow_pickle=False)
    return digest(folder)


def load_extractor(folder: Path) -> Extractor:
    """Read a feature extractor, equal to the one passed to `save_extractor`.

    Raises
    ------
    ModelError
        If it is missing or not readable.
    """
    path = folder / "extractor.json"
    content = files.read_json(path, next_step="dvc repro featurize")
    try:
        return _read(content, folder)
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{path} was written by another version of Evergreen: {error!r}",
            "use it with that version, or start again: evergreen pin --new-lineage && dvc repro",
        ) from None


def _read(content: dict[str, Any], folder: Path) -> Extractor:
    text = content.pop("text")
    model = text and TextModel(
        terms=tuple(text["terms"]),
        idf=np.load(folder / "idf.npy", allow_pickle=False),
        components=np.load(folder / "components.npy", allow_pickle=False),
        ngram_max=text["ngram_max"],
        clients=text["clients"],
        analyzer=text.get("analyzer", "word"),
        ngram_min=text.get("ngram_min", 1),
        stop_words=tuple(text.get("stop_words", ())),
    )
    return Extractor(
        fitted_on=date.fromisoformat(content.pop("fitted_on")),
        windows_days=tuple(content.pop("windows_days")),
        numeric=tuple(content.pop("numeric")),
        btyd=_read_btyd(content.pop("btyd")),
        text=model,
        attributes=_read_attributes(content.pop("attributes", None)),
        **content,
    )


def _text_content(text: TextModel) -> dict[str, Any]:
    """Settings that older extractors lack are written only if set, so that digests don't change."""
    content: dict[str, Any] = {
        "terms": list(text.terms),
        "ngram_max": text.ngram_max,
        "clients": text.clients,
    }
    if text.analyzer != "word":
        content["analyzer"] = text.analyzer
    if text.ngram_min > 1:
        content["ngram_min"] = text.ngram_min
    if text.stop_words:
        content["stop_words"] = list(text.stop_words)
    return content


def _read_attributes(content: dict[str, Any] | None) -> Attributes | None:
    if content is None:
        return None
    levels = {name: tuple(words) for name, words in content["levels"].items()}
    return Attributes(tuple(content["numbers"]), levels)


def _read_btyd(content: dict[str, Any]) -> Btyd:
    purchases, spend = content["purchases"], content["spend"]
    return Btyd(
        tuple(content["horizons_days"]),
        Unfitted(**purchases) if "reason" in purchases else BgNbd(**purchases),
        Unfitted(**spend) if "reason" in spend else GammaGamma(**spend),
    )


def digest(folder: Path) -> str:
    """The digest of a feature extractor's files, which identifies it."""
    return files.digest_of(files.digests(folder))
