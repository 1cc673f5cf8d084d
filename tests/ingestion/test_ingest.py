import subprocess

import yaml
from typer.testing import CliRunner

from evergreen.cli import commands as cli

ROWS = "Client,Date,Total,Item\na,2017-03-31,1,x\nb,2017-04-01,1,x\n"


def ingest(shop, *arguments):
    settings = shop.settings().model_dump(mode="json")
    (shop.folder / "params.yaml").write_text(yaml.safe_dump(settings))
    subprocess.run(["git", "init", "--quiet"], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    commit = ["commit", "--quiet", "--allow-empty", "--message", "Begin"]
    subprocess.run(["git", *author, *commit], check=True)
    return CliRunner().invoke(cli.app, ["ingest", *arguments])


def test_what_the_settings_name_is_ingested_up_to_the_day_before_as_of(shop):
    shop.lay("shop.csv", ROWS)
    done = ingest(shop)
    assert (done.exit_code, [row["client_id"] for row in shop.rows()]) == (0, ["a"])
    assert (
        "read 2 rows = 1 accepted + 0 already ingested + 1 after the requested date" in done.output
    )


def test_the_last_day_may_be_named(shop):
    shop.lay("shop.csv", ROWS)
    ingest(shop, "--through", "2017-04-01")
    assert [row["client_id"] for row in shop.rows()] == ["a", "b"]
