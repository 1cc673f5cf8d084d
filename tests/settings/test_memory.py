import pytest
import yaml

from evergreen.errors import SettingsError
from evergreen.settings import memory
from evergreen.settings.loading import load_settings


@pytest.fixture
def write(settings_values, tmp_path):
    """Write a params.yaml with this ``compute.memory``; return its path."""

    def _write(value):
        path = tmp_path / "params.yaml"
        compute = settings_values["compute"] | {"memory": value}
        path.write_text(yaml.safe_dump(settings_values | {"compute": compute}))
        return path

    return _write


@pytest.fixture
def settings_values(request):
    return yaml.safe_load((request.config.rootpath / "params.yaml").read_text())


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512mb", 512 * 10**6), ("1.5 GiB", 3 << 29), ("1TB", 10**12)],
)
def test_a_size_is_a_number_and_a_unit(text, size):
    assert memory.read_size(text) == size


@pytest.mark.parametrize("text", ["4", "GB", "4 G", "-1GB", "a lot"])
def test_anything_else_is_refused(write, text):
    with pytest.raises(SettingsError, match="must be auto, or a size such as 4GB or 512MB"):
        load_settings(write(text))


def test_too_little_memory_is_refused(write):
    with pytest.raises(SettingsError, match="found '100MB'; must be at least 256MB"):
        load_settings(write("100MB"))


def test_the_limit_is_that_of_the_repository_also_after_an_edit(write):
    assert memory.limit(write("1GB")) == 10**9
    assert memory.limit(write("2.5GB")) == 25 * 10**8


def test_without_a_size_it_is_half_of_the_machine_up_to_8_gb(write, tmp_path, monkeypatch):
    for installed, expected in ((4 * 10**9, 2 * 10**9), (64 * 10**9, 8 * 10**9)):
        monkeypatch.setattr(memory, "machine_memory", lambda found=installed: found)
        assert memory.default_limit() == expected
    assert memory.limit(tmp_path / "missing.yaml") == 8 * 10**9
    write("auto").write_text("compute: [")  # refused where the settings are read
    assert memory.limit(tmp_path / "params.yaml") == 8 * 10**9


@pytest.mark.parametrize(
    ("own", "file"),
    [("0::/shop/run\n", "memory.max"), ("4:memory:/shop\n", "memory/memory.limit_in_bytes")],
)
def test_a_container_with_less_memory_limits_it(own, file, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "own")
    (tmp_path / "own").write_text(f"2:cpu:/other\n{own}")
    for name in (file, "shop/memory.max"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "shop/memory.max").write_text("max\n")
    (tmp_path / file).write_text("123000000\n")
    assert memory.machine_memory.__wrapped__() == 123_000_000
