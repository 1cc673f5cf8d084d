import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from evergreen.core.features.tokens import fold, stop_words, words

THEIRS = CountVectorizer(strip_accents="unicode").build_analyzer()
NO_MARKUP = {"exclude_categories": ["Cf", "Cs"], "exclude_characters": "<&"}
WESTERN = st.text(
    st.one_of(
        st.characters(max_codepoint=0x24F, **NO_MARKUP),  # Latin with its signs
        st.characters(min_codepoint=0x300, max_codepoint=0x6FF, **NO_MARKUP),  # to Greek, Arabic
        st.characters(min_codepoint=0x2000, max_codepoint=0x2BFF, **NO_MARKUP),  # signs
        st.sampled_from("❤️👍🏽ßſﬁİı  ··"),
    )
)


def read(text):
    return words(fold(text))


@given(WESTERN)
def test_words_of_scripts_with_spaces_are_those_of_scikit_learn(text):
    assert read(text) == THEIRS(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("हिन्दी में लिखा", ["हिन्दी", "में", "लिखा"]),
        ("喜欢红酒", ["喜欢", "欢红", "红酒"]),
        ("酒", ["酒"]),
        ("iPhone手机壳", ["iphone", "手机", "机壳"]),
        ("がか", ["がか"]),
        ("ﾊﾞｯｸﾞ", ["バッ", "ッグ"]),
        ("กระเป๋า", ["กร", "ระ", "ะเ", "เป๋", "ป๋า"]),
        ("비단 스카프", ["비단", "스카프"]),
        ("שָׁלוֹם", ["שלום"]),
        ("Ёлка йод", ["елка", "иод"]),
    ],
)
def test_marks_stay_with_their_letters_and_scripts_without_spaces_give_pairs(text, tokens):
    assert read(text) == tokens


@pytest.mark.parametrize("text", ["Crème BRÛLÉE", "creme brulee"])
def test_one_word_written_in_two_ways_is_one(text):
    assert read(text) == ["creme", "brulee"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Lie\u00adfe\u00adrung", ["lieferung"]),
        ("می\u200cروم", ["میروم"]),
        ("क्\u200dया", ["क्या"]),
        ("\ufeffsilk\u200f sc\u2060arf", ["silk", "scarf"]),
        ("red\u200bwine", ["red", "wine"]),
    ],
)
def test_what_is_not_seen_within_a_word_does_not_cut_it(text, tokens):
    assert read(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (
            '<p class="x">gro&szlig;e<br/>Gr&ouml;&#223;e &amp; Farbe</P>',
            ["große", "große", "farbe"],
        ),
        ("tea <!-- not\nthis --> cups", ["tea", "cups"]),
        ("12 < 15 and 20 > 18, R&D; I <3 tea", ["12", "15", "and", "20", "18", "tea"]),
    ],
)
def test_markup_is_no_word(text, tokens):
    assert read(text) == tokens


def test_stop_words_are_tokens_as_texts_give_them():
    assert stop_words(["Où", "don't", "a"]) == ("don", "ou")


def test_stop_words_of_several_languages():
    assert {"der", "für".replace("ü", "u"), "les"} <= set(stop_words("de fr"))


def test_a_language_without_stop_words_is_named_with_those_that_have():
    with pytest.raises(
        ValueError, match="there are no stop words for language 'tlh'; allowed: ar, bg"
    ):
        stop_words("tlh")


@given(st.text())
def test_any_text_gives_words(text):
    assert all(words(word) == [word] for word in read(text))
