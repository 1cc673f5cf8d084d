from datetime import date

import pytest

from evergreen.errors import DataError
from evergreen.params import load_settings
from evergreen.replay import folder
from evergreen.replay.run import scenario
from evergreen.source_settings import TransactionsSource

COLUMNS = {"client_id": "c", "timestamp": "d", "amount": "a"}


def test_a_replay_of_own_data_takes_what_was_taken_in_and_says_what_is_missing(
    tmp_path, monkeypatch
):
    settings = load_settings()
    own = TransactionsSource.model_validate({"files": "inbox/*.csv", "columns": COLUMNS})
    source = settings.source.model_copy(update={"demo": None, "transactions": own})
    settings = settings.model_copy(update={"source": source})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        folder.replay(scenario(settings, date(2024, 3, 1), date(2024, 5, 1), 1), [], jobs=1)
    assert "a replay to 2024-05-01 needs rows until 2024-04-30" in str(error.value)
    assert "Next: evergreen ingest --through 2024-04-30" in str(error.value)
