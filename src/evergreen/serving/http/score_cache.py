"""The scores of all clients in the server's own data, ready for look-up."""

from __future__ import annotations

import logging
import tempfile
from bisect import bisect_left
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.errors import DataError, EvergreenError
from evergreen.serving.batch import score
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.http.predict import NO_EVENTS, PredictionQuery, PredictionResult
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings

if TYPE_CHECKING:
    from evergreen.serving.release import ServedRelease

FEW = 100
"""Up to this many clients, one search for each is faster than a hash table of all."""
BY_ID_ALONE = "clients given by id alone are looked up in the server's own data"
LOG = logging.getLogger(__name__)


class CachedScores(NamedTuple):
    """The scores of all clients of a day, by one release.

    Attributes
    ----------
    scores
        As `evergreen.serving.batch.score` writes them, ordered by client id. The last row is the
        prediction for a client without events.
    """

    release: ServedRelease
    as_of: date
    scores: pa.Table

    def __len__(self) -> int:
        return len(self.scores) - 1

    def place(self, client: str) -> int | None:
        """The row of a client; None if it has no score."""
        ids = self.scores["client_id"]
        place = bisect_left(range(len(self)), client, key=lambda k: ids[k].as_py())
        return place if place < len(self) and ids[place].as_py() == client else None

    def _places(self, clients: list[str]) -> list[int | None]:
        if len(clients) <= FEW:
            return [self.place(client) for client in clients]
        ids = self.scores["client_id"].slice(0, len(self))
        places: list[int | None] = pc.index_in(pa.array(clients, pa.string()), ids).to_pylist()
        return places

    def predict(self, clients: list[str], targets: tuple[str, ...] | None) -> PredictionResult:
        """The scores of some clients; unknown clients get those of a client without events."""
        places = self._places(clients)
        rows = [len(self) if place is None else place for place in places]
        names = [self.release.column_of(target) for target in targets or self.release.targets]
        predicted = {name: self.scores[name].take(rows).to_numpy() for name in names}
        n_new = places.count(None)
        notice = f"{n_new:,} of {len(clients):,} clients are unknown and predicted as new clients"
        return PredictionResult(
            self.release, self.as_of, clients, predicted, [notice] if n_new else []
        )


def score_all_clients(release: ServedRelease, settings: Settings) -> CachedScores:
    """Score all clients in the server's data, as of the date in the settings.

    Raises
    ------
    DataError
        As `evergreen.serving.batch.score`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scores.parquet"
        score(release, settings, settings.as_of, out)
        scores = pq.read_table(out, memory_map=False)
    new = release.predict(NO_EVENTS, settings.as_of, clients=["new"])
    last = pa.Table.from_pandas(new, preserve_index=False).cast(scores.schema)
    return CachedScores(release, settings.as_of, pa.concat_tables([scores, last]).combine_chunks())


class ScoreCache:
    """Keeps `CachedScores` up to date with the release and with ``as_of`` in ``params.yaml``.

    A run writes ``params.yaml`` after its data, so the data of a new date are complete by then.

    Attributes
    ----------
    current
        The newest scores; None until the first are ready, and where the server has no data.
    problem
        Why there are no newer scores.
    """

    def __init__(self) -> None:
        self.current: CachedScores | None = None
        self.problem: str | None = None
        self._state: object = None

    def refresh(self, release: ServedRelease) -> None:
        """Score again if the release or the date changed; if that fails, keep the old scores."""
        state = (release.version, _file_state(paths.PARAMS))
        if state == self._state:
            return
        self._state = state
        try:
            self.current = self._scores(release)
            self.problem = None
        except (EvergreenError, OSError) as error:
            self.problem = str(error)
            LOG.warning("the clients in the server's data are not scored: %s", error)

    def _scores(self, release: ServedRelease) -> CachedScores:
        if not paths.PARAMS.is_file():
            raise DataError("this server has no data: there is no params.yaml")
        settings, current = load_settings(), self.current
        if current and (current.release.version, current.as_of) == (
            release.version,
            settings.as_of,
        ):
            return current
        scores = score_all_clients(release, settings)
        LOG.info("%s clients scored as of %s by %s", len(scores), scores.as_of, release.version)
        return scores


def _file_state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def look_up(
    scores: CachedScores | None, query: PredictionQuery, clients: list[str]
) -> PredictionResult:
    """Answer a query from the cached scores.

    Raises
    ------
    RefusedError
        409 if there are no scores, or they are of another date or of other targets.
    """
    if scores is None:
        raise RefusedError(
            409,
            f"{BY_ID_ALONE}, and there are no scores yet",
            "send their transactions: an empty list for a client without events",
        )
    if query.as_of != scores.as_of:
        raise RefusedError(
            409,
            f"{BY_ID_ALONE}, which is as of {scores.as_of}; as_of is {query.as_of}",
            "send their transactions, or ask for that date",
        )
    for target in query.targets or ():
        if target not in scores.release.kinds:
            raise RefusedError(
                409, f"release {scores.release.version}, which scored them, has no {target!r}"
            )
    return scores.predict(clients, query.targets)
