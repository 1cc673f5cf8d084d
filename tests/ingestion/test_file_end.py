from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.ingestion import file_end
from evergreen.ingestion.decoding import DecodedText


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.text("ab", max_size=5)).filter(any),
    footer=st.integers(0, 4),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 9),
)
def test_the_footer_is_cut_and_blank_lines_at_the_end_do_not_count(
    tmp_path, monkeypatch, lines, footer, end, chunk
):
    monkeypatch.setattr(file_end, "CHUNK_BYTES", chunk)
    path = tmp_path / "a.csv"
    path.write_bytes("".join(line + end for line in lines).encode())
    kept = list(lines)
    while kept and not kept[-1]:
        kept.pop()
    rest = kept[: max(0, len(kept) - footer)]
    text = DecodedText("a.csv", path, len(lines), "utf-8")
    cut, skipped = file_end.without_end(text, footer, tmp_path / "copy.csv")
    assert cut.lines == len(rest)
    assert len(skipped) == len(kept) - len(rest)
    if footer:
        assert cut.path.read_bytes().decode() == "".join(line + end for line in rest)
