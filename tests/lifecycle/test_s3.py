"""An S3 remote, with moto's server on loopback as the store."""

import json

import boto3
import pytest
import yaml

pytestmark = pytest.mark.slow
NEXT = "2017-04-03"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret"}


def key_of(md5):
    return f"data/files/md5/{md5[:2]}/{md5[2:]}"


def test_a_clone_goes_on_from_what_was_pushed_to_s3(with_remotes, clone, endpoint):
    keys = {"aws_access_key_id": "someone", "aws_secret_access_key": "secret"}
    store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    with_remotes.run("dvc", "remote", "modify", "store", "url", "s3://evergreen/data")
    with_remotes.run("dvc", "remote", "modify", "store", "endpointurl", endpoint)
    with_remotes.run("git", "commit", "--quiet", "--all", "--message", "Store data in S3")
    done = with_remotes.call("evergreen", "finish", "--push", **CREDENTIALS)
    assert "Traceback" not in done.stderr
    assert "the DVC remote 'store' refused: " in done.stderr, "there is no such bucket yet"

    store.create_bucket(Bucket="evergreen")
    with_remotes.run("evergreen", "finish", "--push", **CREDENTIALS)
    other = clone(with_remotes)
    other.run("dvc", "pull", "--quiet", **CREDENTIALS)
    said = other.run("evergreen", "cycle", "--as-of", NEXT, "--push", **CREDENTIALS)
    assert "of 2 commits pushed to DVC remote store" in said
    with_remotes.run("git", "pull", "--quiet")
    with_remotes.run("dvc", "pull", "--quiet", **CREDENTIALS)
    assert with_remotes.run("dvc", "status") == "Data and pipelines are up to date.\n"


def test_an_object_that_was_altered_in_s3_is_refused(with_remotes, clone, endpoint):
    keys = {"aws_access_key_id": "someone", "aws_secret_access_key": "secret"}
    store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    store.create_bucket(Bucket="evergreen")
    with_remotes.run("dvc", "remote", "modify", "store", "url", "s3://evergreen/data")
    with_remotes.run("dvc", "remote", "modify", "store", "endpointurl", endpoint)
    with_remotes.run("git", "commit", "--quiet", "--all", "--message", "Store data in S3")
    with_remotes.run("evergreen", "finish", "--push", **CREDENTIALS)
    other = clone(with_remotes)
    pinned = yaml.safe_load((other.folder / "data" / "raw.dvc").read_text())["outs"][0]["md5"]
    listing = key_of(pinned)
    entries = json.loads(store.get_object(Bucket="evergreen", Key=listing)["Body"].read())
    for key, name in (
        (listing, "data/raw"),
        (key_of(entries[0]["md5"]), f"data/raw/{entries[0]['relpath']}"),
    ):
        sound = store.get_object(Bucket="evergreen", Key=key)["Body"].read()
        store.put_object(Bucket="evergreen", Key=key, Body=sound[:-1] + b"x")
        done = other.call("evergreen", "pull", **CREDENTIALS)
        assert done.returncode == 1
        assert f"{name} is altered on the DVC remote: s3://evergreen/{key} does" in done.stderr
        assert not (other.folder / "data" / "raw").exists()
        assert not (other.folder / "releases").exists()
        store.put_object(Bucket="evergreen", Key=key, Body=sound)
    other.run("evergreen", "pull", **CREDENTIALS)
    assert other.run("dvc", "status") == "Data and pipelines are up to date.\n"
