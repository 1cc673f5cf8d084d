from datetime import date, datetime, timedelta

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from evergreen.core.features.text import fit_text, read_documents
from evergreen.settings.features import TextSettings

DAY = date(2024, 3, 1)


def said(client, text, days_ago=5, **columns):
    return {
        "client_id": client,
        "timestamp": DAY - timedelta(days=days_ago),
        "text": text,
        **columns,
    }


def fit(documents, **changes):
    options = {"max_terms": 50, "min_clients": 1, "components": 2} | changes
    return fit_text(documents, TextSettings(**options), seed=1)


@pytest.fixture
def shop(database):
    return database(
        [
            said("a", "silk scarf"),
            said("a", "leather bag", days_ago=3),
            said("b", "silk tie"),
            said("b", "silk tie", days_ago=2),
            said("c", "leather belt"),
        ]
    )


@pytest.fixture
def everyone(snapshots):
    return snapshots(("a", DAY), ("b", DAY), ("c", DAY))


def test_weights_equal_those_of_scikit_learn_on_the_joined_texts(shop, everyone):
    documents = read_documents(shop, everyone)
    ours = fit(documents)
    joined = ["silk scarf leather bag", "silk tie silk tie", "leather belt"]
    theirs = TfidfVectorizer(sublinear_tf=True).fit(joined)
    assert list(ours.terms) == theirs.get_feature_names_out().tolist()
    np.testing.assert_allclose(
        ours.weights(documents).toarray(), theirs.transform(joined).toarray(), atol=1e-12
    )


def test_only_texts_before_the_snapshot_and_known_by_then_are_read(database, snapshots):
    con = database(
        [
            said("a", "past"),
            said("a", "today", days_ago=0),
            said("a", "late", ingested_on=DAY + timedelta(days=1)),
        ]
    )
    documents = read_documents(con, snapshots(("a", DAY)))
    read = [t for t, n in zip(documents.texts, documents.occurrences, strict=True) if n]
    assert read == ["past"]


def test_vocabulary_takes_the_most_frequent_terms_that_enough_clients_have(shop, everyone):
    documents = read_documents(shop, everyone)
    assert fit(documents, max_terms=2).terms == ("leather", "silk")
    assert fit(documents, min_clients=2).terms == ("leather", "silk")


def test_terms_that_nobody_else_has_do_not_enter_from_clients_outside_the_rows(shop, snapshots):
    assert "belt" not in fit(read_documents(shop, snapshots(("a", DAY), ("b", DAY)))).terms


@pytest.mark.parametrize("text", ["Crème BRÛLÉE", "creme brulee"])
def test_accents_and_case_make_no_other_word(database, snapshots, text):
    con = database([said("a", text), said("b", "creme brulee")])
    assert fit(read_documents(con, snapshots(("a", DAY), ("b", DAY)))).terms == ("brulee", "creme")


def test_a_data_set_without_text_has_no_model(database, everyone):
    con = database([("a", DAY - timedelta(days=5)), ("b", DAY - timedelta(days=5))])
    assert fit(read_documents(con, everyone)) is None


def test_words_that_were_never_seen_are_counted_and_ignored(shop, everyone, database, snapshots):
    model = fit(read_documents(shop, everyone))
    con = database([said("z", "silk kimono")])
    documents = read_documents(con, snapshots(("z", DAY)))
    assert model.unknown_share(documents) == 0.5
    assert model.weights(documents).nnz == 1


def test_a_client_without_text_gets_zeros(shop, everyone, snapshots):
    model = fit(read_documents(shop, everyone))
    documents = read_documents(shop, snapshots(("nobody", DAY)))
    assert not model.reduce(model.weights(documents)).any()
    assert model.unknown_share(documents) is None


def test_a_text_of_a_megabyte_is_cut(database, snapshots):
    con = database([said("a", "bag " * 250_000), said("b", "bag silk")])
    documents = read_documents(con, snapshots(("a", DAY)))
    assert max(map(len, documents.texts)) == 5000


def test_phrases_do_not_run_from_one_text_into_the_next(database, snapshots):
    con = database([said("a", "silk scarf"), said("a", "leather bag")])
    terms = fit(read_documents(con, snapshots(("a", DAY), ("b", DAY))), ngram_max=2).terms
    assert "silk scarf" in terms
    assert "scarf leather" not in terms


def test_notes_are_read_like_descriptions(database, snapshots):
    note = {
        "client_id": "a",
        "timestamp": datetime(2024, 2, 1),
        "text": "loves emeralds",
        "ingested_on": date(2024, 2, 1),
    }
    con = database([], notes=[note])
    assert read_documents(con, snapshots(("a", DAY))).texts == ["loves emeralds"]


def test_terms_can_be_of_characters_and_meet_in_compounds(database, snapshots):
    con = database([said("a", "Seidenschal!"), said("b", "Seidentuch")])
    documents = read_documents(con, snapshots(("a", DAY), ("b", DAY)))
    model = fit(documents, analyzer="char_wb", ngram_min=5, ngram_max=5, min_clients=2)
    assert model.terms == (" seid", "eiden", "seide")
    assert model.weights(documents).nnz == 6
    assert 0 < model.unknown_share(documents) < 1


def test_stop_words_are_passed_over_and_not_counted_as_unknown(database, snapshots):
    con = database([said("a", "der Schal für Anna"), said("b", "Schal Anna")])
    documents = read_documents(con, snapshots(("a", DAY), ("b", DAY)))
    model = fit(documents, stop_words="de", ngram_max=2)
    assert model.terms == ("anna", "schal", "schal anna")
    assert model.unknown_share(documents) == 0.0


def test_terms_may_be_of_two_words_or_more_only(database, snapshots):
    con = database([said("a", "silk scarf red"), said("b", "silk scarf")])
    documents = read_documents(con, snapshots(("a", DAY), ("b", DAY)))
    model = fit(documents, ngram_min=2, ngram_max=2)
    assert model.terms == ("scarf red", "silk scarf")
    assert model.unknown_share(documents) == 0.0
