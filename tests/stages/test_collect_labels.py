import shutil
from pathlib import Path

from evergreen.history.retraining_plan import training_labels
from evergreen.settings import paths
from evergreen.store import labels


def test_a_plan_and_the_stage_compute_labels_once(repository, monkeypatch):
    computed = []
    whole = labels.create_labels

    def counted(con, **options):
        computed.append(options["complete_until"])
        whole(con, **options)

    monkeypatch.setattr(labels, "create_labels", counted)
    counts = training_labels(repository.settings, repository.settings.as_of)
    repository.run("collect_labels")
    assert counts["labels"].sum() > 0
    assert len(computed) == 1


def test_the_cache_of_labels_changes_no_byte(repository):
    training_labels(repository.settings, repository.settings.as_of)
    repository.run("collect_labels")
    from_cache = repository.bytes_of(paths.LABELS, Path("reports"))
    shutil.rmtree(paths.CACHE)
    written = repository.folder / "computed"
    labels.write_labels(repository.settings, written)
    repository.run("collect_labels")
    assert repository.bytes_of(paths.LABELS, Path("reports")) == from_cache
    for name in (labels.SNAPSHOTS, labels.LABELS):
        assert (written / name).read_bytes() == (paths.LABELS / name).read_bytes()


def test_a_change_of_the_raw_data_computes_labels_again(repository, retailer):
    before = training_labels(repository.settings, repository.settings.as_of)
    repository.write_raw(retailer.slice(0, len(retailer) // 2))
    after = training_labels(repository.settings, repository.settings.as_of)
    assert after["labels"].sum() < before["labels"].sum()
