"""TF-IDF of all texts about a client, and its reduction for tree models.

scikit-learn is imported only where it is used: that takes seconds, and most stages only read what
was fitted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from scipy import sparse

from evergreen.core.events.label_selection import numbered
from evergreen.core.features import tokens
from evergreen.settings.features import TextSettings
from evergreen.settings.names import Analyzer

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer


PART = 10_000
"""Documents that are weighted at a time; a number of terms each is a lot of memory."""
DECIMALS = 7
"""Decimals of the reduction, so that the last bits of a linear algebra library don't matter."""


@dataclass(frozen=True)
class TextModel:
    """A fitted vocabulary with its weights and its reduction by truncated SVD.

    Attributes
    ----------
    terms
        The vocabulary, in alphabetical order.
    idf
        Inverse document frequency of each term, float64 (terms,).
    components
        Right singular vectors, float64 (components, terms).
    ngram_max
        The longest term, in words or characters.
    clients
        The number of clients whose texts it was fitted on.
    analyzer
        Whether terms consist of words, or of characters within words.
    ngram_min
        The shortest term, in words or characters.
    stop_words
        Words to ignore.
    """

    terms: tuple[str, ...]
    idf: np.ndarray
    components: np.ndarray
    ngram_max: int
    clients: int
    analyzer: Analyzer = "word"
    ngram_min: int = 1
    stop_words: tuple[str, ...] = ()

    def weights(self, documents: Documents) -> sparse.csr_matrix:
        """TF-IDF, float64 (documents, terms): (1 + log count) * idf, each row of length one.

        The logarithm keeps frequent purchases, such as bread and milk, from dominating the row.
        """
        none = sparse.csr_matrix((0, len(self.terms)))
        return sparse.vstack([none, *(part for _, part in self.weights_in_parts(documents))])

    def weights_in_parts(self, documents: Documents) -> Iterator[tuple[slice, sparse.csr_matrix]]:
        """Compute `weights` of a few documents at a time: the same, in less memory."""
        counts = self._count.transform(documents.texts)
        for start in range(0, documents.counts.shape[0], PART):
            rows = slice(start, start + PART)
            yield rows, self._weight.transform((documents.counts[rows] @ counts).tocsr())

    @cached_property
    def _count(self) -> CountVectorizer:
        return self._vectorizer(self.ngram_min, self.ngram_max, list(self.terms))

    @cached_property
    def _weight(self) -> TfidfTransformer:
        from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

        transformer = TfidfTransformer(sublinear_tf=True)
        transformer.idf_ = self.idf
        return transformer

    def reduce(self, weights: sparse.csr_matrix) -> np.ndarray:
        """Reduce the weights to few columns, float64 (documents, components)."""
        reduced: np.ndarray = np.round(weights @ self.components.T, DECIMALS) + 0.0
        return reduced

    def unknown_share(self, documents: Documents) -> float | None:
        """Return the share of out-of-vocabulary words; None without words.

        If terms are sequences of characters, these take the place of words.
        """
        if self.analyzer == "word":
            words = self._vectorizer(1, 1).build_analyzer()
            vocabulary = {word for term in self.terms for word in term.split()}
        else:
            words = self._vectorizer(self.ngram_min, self.ngram_max).build_analyzer()
            vocabulary = set(self.terms)
        total = unknown = 0
        for text, times in zip(documents.texts, documents.occurrences, strict=True):
            words_of_text = words(text) if times else []
            total += times * len(words_of_text)
            unknown += times * sum(word not in vocabulary for word in words_of_text)
        return float(unknown / total) if total else None

    def _vectorizer(
        self, shortest: int, longest: int, vocabulary: list[str] | None = None
    ) -> CountVectorizer:
        return _vectorizer(
            self.analyzer, (shortest, longest), self.stop_words, vocabulary=vocabulary
        )


@dataclass(frozen=True)
class Documents:
    """The texts of clients, each distinct text once; a document is a row of `counts`.

    Attributes
    ----------
    texts
        The distinct texts.
    counts
        Occurrences of each text in each document, int64 (documents, texts).
    """

    texts: list[str]
    counts: sparse.csr_matrix

    @property
    def occurrences(self) -> np.ndarray:
        """Occurrences of each text in all documents, int64 (texts,)."""
        return np.asarray(self.counts.sum(axis=0)).ravel()

    def count(self, vectorize: Callable[[list[str]], sparse.csr_matrix]) -> sparse.csr_matrix:
        """Return the term counts of the documents, from those of the distinct texts.

        This equals counting the terms of all texts joined, but each text is read only once, and no
        term spans two texts.
        """
        return (self.counts @ vectorize(self.texts)).tocsr()


def read_documents(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> Documents:
    """Read all texts about each client that were known at the snapshot.

    Parameters
    ----------
    con
        A connection with ``text_ledger``; see `evergreen.core.events.ledger.create_texts`.
    rows
        client_id (string) and observed_on (date); a document for each row, in the same order.
        Only texts of days before observed_on that were known by then are read.

    Returns
    -------
    Documents
        With the texts of these rows alone, in alphabetical order.
    """
    con.register("document_rows", numbered(rows))
    con.execute(_CREATE_DOCUMENTS)
    con.unregister("document_rows")
    texts = con.sql("select text from document_texts order by place").fetchall()
    found = con.sql(
        "select row, place, times from documents join document_texts using (text) "
        "order by row, place"
    ).fetchnumpy()
    con.execute("drop table documents; drop table document_texts")
    counts = sparse.csr_matrix(
        (found["times"], (found["row"], found["place"])), shape=(len(rows), len(texts))
    )
    return Documents([text for (text,) in texts], counts)


_CREATE_DOCUMENTS = """
create or replace temp table documents as
select r.row, t.text, sum(t.times)::bigint as times
from document_rows r join text_ledger t on t.client_id = r.client_id
    and t.day < r.observed_on::date and t.known_on <= r.observed_on::date
group by all;
create or replace temp table document_texts as
select text, row_number() over (order by text) - 1 as place
from (select distinct text from documents)
"""


def fit_text(documents: Documents, settings: TextSettings, *, seed: int) -> TextModel | None:
    """Choose the vocabulary, and fit weights and reduction on one document for each client.

    The vocabulary holds the most frequent terms; ties are broken alphabetically. The reduction is a
    truncated SVD (Halko, Martinsson, Tropp 2011, randomized range finder).

    Returns
    -------
    TextModel or None
        None if no term is left, as in a data set without text.
    """
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415

    stop_words = tokens.stop_words(settings.stop_words)
    ngram_range = settings.ngram_min, settings.ngram_max
    vectorizer = _vectorizer(settings.analyzer, ngram_range, stop_words)
    try:
        counts = documents.count(vectorizer.fit_transform)
    except ValueError:  # how scikit-learn reports an empty vocabulary
        return None
    names = vectorizer.get_feature_names_out()
    clients_of_term = counts.getnnz(axis=0)
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    by_frequency = np.lexsort((names, -frequency))
    enough = [k for k in by_frequency if clients_of_term[k] >= settings.min_clients]
    kept = np.sort(enough[: settings.max_terms])
    if len(kept) == 0:
        return None
    transformer = TfidfTransformer(sublinear_tf=True)
    weights = transformer.fit_transform(counts[:, kept])
    rank = min(settings.components, len(kept) - 1, weights.shape[0] - 1)
    basis = np.zeros((0, len(kept)))
    if rank > 0:
        _, _, basis = randomized_svd(weights, rank, random_state=seed)
    return TextModel(
        terms=tuple(names[kept]),
        idf=transformer.idf_,
        components=np.round(basis, DECIMALS) + 0.0,
        ngram_max=settings.ngram_max,
        clients=int(np.count_nonzero(counts.getnnz(axis=1))),
        analyzer=settings.analyzer,
        ngram_min=settings.ngram_min,
        stop_words=stop_words,
    )


def _vectorizer(
    analyzer: Analyzer,
    ngram_range: tuple[int, int],
    stop_words: tuple[str, ...],
    vocabulary: list[str] | None = None,
) -> CountVectorizer:
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415

    of_words = analyzer == "word"
    return CountVectorizer(
        analyzer=analyzer,
        preprocessor=tokens.fold if of_words else tokens.fold_to_words,
        tokenizer=tokens.words if of_words else None,
        token_pattern=None,
        stop_words=list(stop_words) or None,
        ngram_range=ngram_range,
        vocabulary=vocabulary,
        dtype=np.int64,
    )
