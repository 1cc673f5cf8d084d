import pytest

from evergreen.errors import ModelError
from evergreen.store import files


def test_json_does_not_depend_on_the_order_of_keys(tmp_path):
    files.write_json({"b": 1, "a": [1, None, "é"]}, tmp_path / "one")
    files.write_json({"a": [1, None, "é"], "b": 1}, tmp_path / "two")
    assert (
        tmp_path / "one"
    ).read_text() == '{\n  "a": [\n    1,\n    null,\n    "é"\n  ],\n  "b": 1\n}\n'
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json({"loss": float("nan")}, tmp_path / "one")


def test_what_is_missing_or_damaged_is_told(tmp_path):
    (tmp_path / "damaged").write_text("{")
    with pytest.raises(ModelError, match="not readable as JSON"):
        files.read_json(tmp_path / "damaged", next_step="dvc repro")
    with pytest.raises(ModelError, match="does not exist\nNext: dvc repro"):
        files.read_json(tmp_path / "missing", next_step="dvc repro")


def test_digests_name_every_file_below_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    (tmp_path / "manifest.json").write_text("x")
    found = files.digests(tmp_path, apart_from="manifest.json")
    assert list(found) == ["b", "deep/a"]
    assert found["b"] == found["deep/a"] == files.sha256(tmp_path / "manifest.json")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    files.write_text("old", path)

    def fail():
        with files.replacing(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    files.write_text("new\r\n", path)
    assert path.read_bytes() == b"new\r\n"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    left = tmp_path / ".folder.unfinished"
    left.mkdir()
    (left / "half").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with files.replacing(tmp_path / "folder") as unfinished:
        unfinished.mkdir()
        (unfinished / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "new"]


def test_a_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to("one")
    with files.replacing(tmp_path / "link") as unfinished:
        unfinished.symlink_to("two")
    assert (tmp_path / "link").readlink().name == "two"
    assert (tmp_path / "one").is_dir()


def test_a_file_with_two_names_is_stored_once_and_copied_where_that_fails(tmp_path, monkeypatch):
    source, second, third = (tmp_path / name for name in ("source", "second", "third"))
    source.write_text("x")
    files.link(source, second)
    assert second.samefile(source)
    assert not second.stat().st_mode & 0o222

    def refuse(*_):
        raise OSError("another file system")

    monkeypatch.setattr(files.os, "link", refuse)
    files.link(source, third)
    assert not third.samefile(source)
    assert third.read_text() == "x"
