"""The scores of all clients in the data at hand, ready to be looked up."""

from __future__ import annotations

import logging
import tempfile
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.errors import DataError, EvergreenError
from evergreen.serving.batch import score
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.http.predict import NO_EVENTS, Answer
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

if TYPE_CHECKING:
    from datetime import date

    from evergreen.serving.http.predict import Question
    from evergreen.serving.release import ServedRelease
    from evergreen.settings.pipeline import Settings

FEW = 100
"""Clients that are found one by one sooner than by a table of all."""
LOG = logging.getLogger(__name__)


class Known(NamedTuple):
    """What a release says of every client known on a day.

    Attributes
    ----------
    scores
        As `evergreen.serving.batch.score` writes them, in the order of the ids, and in the last row
        a client of whom nothing is known.
    """

    release: ServedRelease
    as_of: date
    scores: pa.Table

    def __len__(self) -> int:
        return len(self.scores) - 1

    def place(self, client: str) -> int | None:
        """The row of a client; None if it is not known."""
        ids = self.scores["client_id"]
        place = bisect_left(range(len(self)), client, key=lambda k: ids[k].as_py())
        return place if place < len(self) and ids[place].as_py() == client else None

    def _places(self, clients: list[str]) -> list[int | None]:
        ids = self.scores["client_id"].slice(0, len(self))
        places: list[int | None] = pc.index_in(pa.array(clients, pa.string()), ids).to_pylist()
        return places

    def answer(self, clients: list[str], targets: tuple[str, ...] | None) -> Answer:
        """What is said of some clients; of those who are not known, what is said of new ones."""
        few = len(clients) <= FEW
        found = [self.place(client) for client in clients] if few else self._places(clients)
        places = [len(self) if place is None else place for place in found]
        names = [self.release.column_of(target) for target in targets or self.release.targets]
        predicted = {name: self.scores[name].take(places).to_numpy() for name in names}
        new = found.count(None)
        notice = f"{new:,} of {len(clients):,} clients are not known and predicted as new ones"
        return Answer(self.release, self.as_of, clients, predicted, [notice] if new else [])


def score_known(release: ServedRelease, settings: Settings) -> Known:
    """Score all clients in the data at hand as of the day that the settings name.

    Raises
    ------
    DataError
        As `evergreen.serving.batch.score`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "known.parquet"
        score(release, settings, settings.as_of, out)
        scores = pq.read_table(out, memory_map=False)
    new = release.predict(NO_EVENTS, settings.as_of, clients=["new"])
    last = pa.Table.from_pandas(new, preserve_index=False).cast(scores.schema)
    return Known(release, settings.as_of, pa.concat_tables([scores, last]).combine_chunks())


class KnownClients:
    """Keeps `Known` up to date with the release and with ``as_of`` in ``params.yaml``.

    A run writes ``params.yaml`` after its data, so that a new day's data are whole when it is seen.

    Attributes
    ----------
    current
        The newest there is; None before the first, and where there are no data.
    problem
        Why there is no newer one.
    """

    def __init__(self) -> None:
        self.current: Known | None = None
        self.problem: str | None = None
        self._seen: object = None

    def look(self, release: ServedRelease) -> None:
        """Score again if release or day are others; where that fails the old scores stay."""
        seen = (release.version, _state(paths.PARAMS))
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.current = self._made(release)
            self.problem = None
        except (EvergreenError, OSError) as error:
            self.problem = str(error)
            LOG.warning("the clients of the data at hand are not scored: %s", error)

    def _made(self, release: ServedRelease) -> Known:
        if not paths.PARAMS.is_file():
            raise DataError("there are no data at hand, for there is no params.yaml")
        settings, known = load_settings(), self.current
        if known and (known.release.version, known.as_of) == (release.version, settings.as_of):
            return known
        made = score_known(release, settings)
        LOG.info("%s clients scored as of %s by %s", len(made), made.as_of, release.version)
        return made


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def look_up(known: Known | None, question: Question, clients: list[str]) -> Answer:
    """Answer from the data at hand.

    Raises
    ------
    RefusedError
        409 if there are none, or they are of another day.
    """
    if known is None:
        raise RefusedError(
            409,
            "clients by their ids alone are looked up in the data at hand, and there are none yet",
            "give their transactions: an empty list where nothing is known",
        )
    if question.as_of != known.as_of:
        raise RefusedError(
            409,
            "clients by their ids alone are looked up in the data at hand, which are of "
            f"{known.as_of}; as_of is {question.as_of}",
            "give their transactions, or ask for that day",
        )
    for target in question.targets or ():
        if target not in known.release.kinds:
            raise RefusedError(
                409, f"{known.release.version}, by which they were scored, has no {target!r}"
            )
    return known.answer(clients, question.targets)
