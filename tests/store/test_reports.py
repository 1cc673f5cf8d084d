import json

from evergreen.settings import paths
from evergreen.store.reports import read_drift

NOW = {
    "alerts": [{"kind": "decline", "since": "2024-03-01", "message": "worse"}],
    "checked": [{"kind": "inputs", "message": "as in training"}],
    "numbers": {"inputs": {"clients": 300}},
}
BEFORE = {
    "alarms": [{"kind": "decline", "since": "2024-03-01", "words": "worse"}],
    "checked": [{"what": "inputs", "words": "as in training"}],
    "numbers": {"inputs": {"clients": 300}},
}


def test_a_drift_report_with_the_old_keys_is_read_as_one_with_the_new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.DRIFT_REPORT.parent.mkdir()
    paths.DRIFT_REPORT.write_text(json.dumps({"churn": BEFORE, "clv": NOW}))
    assert read_drift(next_step="") == {"churn": NOW, "clv": NOW}
