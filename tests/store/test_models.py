import json
import pickle
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from evergreen.core.features.attributes import Attributes
from evergreen.core.features.btyd_columns import Btyd
from evergreen.core.features.extractor import Extractor
from evergreen.core.features.text import TextModel
from evergreen.core.models import registry
from evergreen.core.models.bg_nbd import BgNbd
from evergreen.core.models.likelihood import Unfitted
from evergreen.errors import ModelError
from evergreen.settings.source_rules import SourceRules
from evergreen.store import extractors, files, models, tables
from evergreen.store.releases import (
    Released,
    load_release,
    write_empty_release,
    write_release,
)

EXTRACTOR = Extractor(
    fitted_on=date(2024, 4, 1),
    windows_days=(7, 28),
    year_ago_days=28,
    minor_units=100,
    numeric=("recency_days", "frequency"),
    left_out={"season_sin": "looks back 364 days"},
    btyd=Btyd((7, 28), BgNbd(0.5, 9.0, 0.8, 2.5, -88.5, 99), Unfitted("too few clients")),
    btyd_in_use=True,
    max_chars=100,
    text=TextModel(("bag", "silk"), np.array([1.5, 2.0]), np.eye(2), ngram_max=1, clients=9),
)


def rows(n=200, seed=1):
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"recency_days": random.random(n), "frequency": random.random(n)})
    return X, pd.Series((X["recency_days"] < 0.5).astype(float))


@pytest.fixture
def save(tmp_path):
    """Save a small model of a target; return its manifest."""
    extractors.save_extractor(EXTRACTOR, tmp_path / "extractor")

    def saved(target="purchase", name="lightgbm", as_of="2024-04-01", **changes):
        X, y = rows()
        about = {
            "target": target,
            "kind": "binary",
            "label": "purchase",
            "horizon_days": 7,
            "estimator": name,
            "settings": {},
            "origin": "full",
            "parent": None,
            "updates": 0,
            "as_of": as_of,
            "trained_through": as_of,
            "rows": len(X),
            "clients": len(X),
            "label_mean": 0.5,
            "label_cap": 1.0,
            "seed": 1,
            "text_form": "components",
            "features": dict.fromkeys(X, "float64"),
            "extractor_fitted_on": "2024-04-01",
            "holdout": {"share": 0.25, "salt": "s"},
            "data": {},
            "baselines": {},
        } | changes
        return models.save_model(
            tmp_path / target,
            estimator=registry.build(name, "binary", {}, seed=1).fit(X, y),
            extractor_folder=tmp_path / "extractor",
            trained_on=X,
            reference=None,
            about=about,
        )

    return saved


def test_an_extractor_comes_back_equal(tmp_path):
    extractors.save_extractor(EXTRACTOR, tmp_path / "e")
    loaded = extractors.load_extractor(tmp_path / "e")
    np.testing.assert_array_equal(loaded.text.components, EXTRACTOR.text.components)
    assert loaded.btyd == EXTRACTOR.btyd
    assert extractors.save_extractor(loaded, tmp_path / "f") == extractors.digest(tmp_path / "e")


def test_an_extractor_without_text_comes_back(tmp_path):
    extractors.save_extractor(replace(EXTRACTOR, text=None), tmp_path / "e")
    assert extractors.load_extractor(tmp_path / "e").text is None


def test_a_model_predicts_the_same_after_loading(save, tmp_path):
    save()
    X, y = rows()
    fitted = registry.build("lightgbm", "binary", {}, seed=1).fit(X, y)
    np.testing.assert_array_equal(
        models.load_model(tmp_path / "purchase").predict(X), fitted.predict(X)
    )


def test_saving_over_a_longer_chain_leaves_nothing_of_it(save, tmp_path):
    save(name="random_forest")
    estimator = tmp_path / "purchase" / models.ESTIMATOR
    names = {path.name for path in estimator.iterdir()}
    (estimator / "update-00001.npy").touch()
    save(name="random_forest")
    assert {path.name for path in estimator.iterdir()} == names


def test_golden_rows_are_predicted_again(save, tmp_path):
    save()
    model = models.load_model(tmp_path / "purchase")
    model.check_golden_rows()
    golden = pd.read_parquet(tmp_path / "purchase" / models.GOLDEN)
    assert len(golden) == models.GOLDEN_ROWS
    tables.write_frame(
        golden.assign(prediction=golden["prediction"] + 1e-9),
        tmp_path / "purchase" / models.GOLDEN,
    )
    with pytest.raises(ModelError, match="where it predicted"):
        model.check_golden_rows()


def test_columns_that_a_model_was_not_trained_on_are_not_fed_to_it(save, tmp_path):
    save()
    X, _ = rows()
    model = models.load_model(tmp_path / "purchase")
    np.testing.assert_array_equal(model.predict(X.assign(shoe_size=42)), model.predict(X))


def test_a_version_names_date_origin_and_content(save):
    first, again, other = save(), save(), save(label_mean=0.4)
    assert first.version.startswith("2024-04-01-full-")
    assert first.version == again.version != other.version


@pytest.mark.parametrize(
    ("tamper", "state"),
    [
        (lambda f: (f / "estimator" / "model.txt").write_text("tree"), "altered"),
        (lambda f: (f / "extractor" / "idf.npy").unlink(), "missing"),
        (lambda f: (f / "estimator" / "more.joblib").write_bytes(b""), "unexpected"),
    ],
)
def test_a_model_whose_files_are_not_those_of_its_manifest_is_refused(
    save, tmp_path, tamper, state
):
    save()
    tamper(tmp_path / "purchase")
    with pytest.raises(ModelError, match=f"is {state}: expected SHA-256"):
        models.load_model(tmp_path / "purchase")


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the payload ran')",))


def test_a_pickle_in_place_of_arrays_is_refused_without_being_run(save, tmp_path):
    save(name="random_forest")
    model = tmp_path / "purchase" / "estimator" / "trees.npy"
    model.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ModelError, match="is altered"):
        models.load_model(tmp_path / "purchase")
    with pytest.raises(ModelError, match="the trees of a random forest are not readable"):
        registry.from_files("random_forest", files.read_folder(model.parent))


def test_no_model_holds_a_pickle(save, tmp_path):
    save(name="random_forest")
    assert {path.suffix for path in tmp_path.rglob("*.*")} <= set(models.FORMATS)


def test_the_pickled_forest_of_an_earlier_version_is_refused_with_the_way_on(save, tmp_path):
    save(name="random_forest")
    folder = tmp_path / "purchase"
    (folder / "estimator" / "trees.npy").rename(folder / "estimator" / "model.joblib")
    content = json.loads((folder / "manifest.json").read_text())
    content["files"] = files.digests(folder, apart_from="manifest.json")
    del content["version"]
    version = f"2024-04-01-full-{files.digest_of(content)[:8]}"
    files.write_json(content | {"version": version}, folder / "manifest.json")
    with pytest.raises(ModelError, match="is a pickle, as random forests of earlier") as error:
        models.load_model(folder)
    assert "evergreen pin --new-lineage --as-of DATE" in error.value.next_step


def test_a_manifest_that_lacks_a_field_is_refused_by_its_name(save, tmp_path):
    save()
    path = tmp_path / "purchase" / "manifest.json"
    content = json.loads(path.read_text())
    del content["trained_through"]
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="trained_through: Field required"):
        models.load_model(tmp_path / "purchase")


def release_of(tmp_path, *targets):
    """Each target's model, promoted on the date it was trained as of."""
    opened = {target: models.load_model(tmp_path / target) for target in targets}
    return {
        target: Released(model, model.manifest.as_of, {"log_loss": 0.5})
        for target, model in opened.items()
    }


def test_an_empty_release_has_no_models(tmp_path):
    write_empty_release(tmp_path / "r")
    release = load_release(tmp_path / "r")
    assert (release.version, release.models) == (None, {})


def test_a_release_is_named_after_its_newest_model_and_its_content(save, tmp_path):
    save("purchase"), save("churn", as_of="2024-04-08")
    version = write_release(tmp_path / "r", release_of(tmp_path, "purchase", "churn"))
    again = write_release(tmp_path / "s", release_of(tmp_path, "churn", "purchase"))
    assert version.startswith("2024-04-08-")
    assert version == again == load_release(tmp_path / "r").version


def test_a_release_keeps_the_expected_loss(save, tmp_path):
    save("purchase")
    made = release_of(tmp_path, "purchase")
    without = write_release(tmp_path / "r", made)
    expected = {"relative_loss": 0.8, "error": 0.01, "since": "2024-04-01"}
    made["purchase"] = replace(made["purchase"], expected_loss=expected)
    assert write_release(tmp_path / "s", made) != without
    assert load_release(tmp_path / "r").released["purchase"].expected_loss is None
    assert load_release(tmp_path / "s").released["purchase"].expected_loss == expected


def test_a_release_keeps_the_rules_of_its_source(save, tmp_path):
    save("purchase")
    made = release_of(tmp_path, "purchase")
    without = write_release(tmp_path / "r", made)
    rules = SourceRules(timezone="Europe/Paris", missing_ids=("Guest",))
    assert write_release(tmp_path / "s", made, rules) != without
    assert load_release(tmp_path / "r").rules == SourceRules()
    assert load_release(tmp_path / "s").rules == rules
    manifest = tmp_path / "s" / models.MANIFEST
    manifest.write_text(manifest.read_text().replace("Paris", "Berlin"))
    with pytest.raises(ModelError, match="is altered"):
        load_release(tmp_path / "s")


def test_a_release_that_calls_it_a_promise_is_read_and_keeps_its_version(save, tmp_path):
    save("purchase")
    made = release_of(tmp_path, "purchase")
    made["purchase"] = replace(made["purchase"], expected_loss={"relative_loss": 0.8})
    version = write_release(tmp_path / "r", made)
    manifest = tmp_path / "r" / models.MANIFEST
    manifest.write_text(manifest.read_text().replace("expected_loss", "promise"))
    release = load_release(tmp_path / "r")
    assert release.version == version
    assert release.released["purchase"].expected_loss == {"relative_loss": 0.8}


def test_a_release_has_the_digest_of_each_model_apart_from_its_version(save, tmp_path):
    save("purchase")
    version = write_release(tmp_path / "r", release_of(tmp_path, "purchase"))
    path = tmp_path / "r" / "manifest.json"
    manifest = json.loads(path.read_text())
    of_model = files.sha256(tmp_path / "r" / "purchase" / "manifest.json")
    assert manifest["models"]["purchase"].pop("manifest_sha256") == of_model
    files.write_json(manifest, path)
    assert load_release(tmp_path / "r").version == version, "as an earlier version wrote it"
    manifest["models"]["purchase"]["manifest_sha256"] = "0" * 64
    files.write_json(manifest, path)
    with pytest.raises(ModelError, match=r"purchase/manifest\.json is altered"):
        load_release(tmp_path / "r")


def test_a_model_of_another_release_is_refused(save, tmp_path):
    save("purchase")
    write_release(tmp_path / "r", release_of(tmp_path, "purchase"))
    save("purchase", label_mean=0.1)
    write_release(tmp_path / "s", release_of(tmp_path, "purchase"))
    manifest = tmp_path / "r" / "manifest.json"
    manifest.write_bytes((tmp_path / "s" / "manifest.json").read_bytes())
    with pytest.raises(ModelError, match="the release names"):
        load_release(tmp_path / "r")


def test_a_folder_without_a_release_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match="Next: evergreen pin, or dvc checkout"):
        load_release(tmp_path / "nothing")


def test_a_model_is_not_fed_other_columns_and_the_difference_is_shown(save, tmp_path):
    save()
    X, _ = rows()
    model = models.load_model(tmp_path / "purchase")
    with pytest.raises(ModelError) as error:
        model.predict(X.rename(columns={"frequency": "frequently"}))
    assert "was trained on 2 columns, and 1 of them are missing:" in str(error.value)
    assert "  - frequency\n  + frequently\n" in str(error.value)


def test_what_a_model_reads_tells_words_and_levels(tmp_path):
    attributes = Attributes((), {"level_segment": ("gold",)})
    extractor = replace(EXTRACTOR, attributes=attributes)
    assert {"text: silk", "level_segment: gold", "recency_days", "text_00"} <= extractor.reads(
        "components"
    )
    extractors.save_extractor(extractor, tmp_path)
    assert extractors.load_extractor(tmp_path).attributes == attributes


def test_how_texts_are_read_comes_back_with_an_extractor(tmp_path):
    text = replace(EXTRACTOR.text, stop_words=("the",), ngram_min=2, ngram_max=2)
    extractors.save_extractor(replace(EXTRACTOR, text=text), tmp_path)
    loaded = extractors.load_extractor(tmp_path).text
    assert (loaded.stop_words, loaded.ngram_min, loaded.analyzer) == (("the",), 2, "word")
