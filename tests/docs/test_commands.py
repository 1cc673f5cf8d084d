"""Every command on a page exists, with the options that the page uses."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from evergreen.cli import commands as cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"evergreen\b|\S*scripts/")
INLINE = re.compile(r"`(evergreen [a-z][^`]*)`")


def shown(page):
    """The calls of evergreen and of our scripts that a page shows, as words."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    calls = [part for line in lines for part in line.split("&&")] + INLINE.findall(text)
    ours = [call.strip() for call in calls if OURS.match(call.strip())]
    return [shlex.split(call, comments=True) for call in ours]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    group = typer.main.get_group(cli.app)
    commands = {name: command for name, command in group.commands.items() if not command.hidden}
    for name, *arguments in shown(page):
        if name.startswith("scripts/"):
            assert (ROOT / name).is_file(), name
        elif arguments and not arguments[0].startswith("-"):
            assert arguments[0] in commands, arguments
            allowed = {
                option
                for parameter in commands[arguments[0]].params
                for option in (*parameter.opts, *parameter.secondary_opts)
            } | {"--help"}
            options = {word.partition("=")[0] for word in arguments if word.startswith("--")}
            assert options <= allowed, (arguments, options - allowed)


def test_the_check_sees_commands():
    assert ["evergreen", "schedule", "install"] in shown(ROOT / "docs" / "schedule.md")
