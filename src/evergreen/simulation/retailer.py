"""The simulated retailer: its tables, and the best possible predictions of its clients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.settings.names import Label
from evergreen.settings.simulation import Simulation
from evergreen.simulation import tables, world
from evergreen.simulation.beliefs import beliefs
from evergreen.simulation.process import Course, draw
from evergreen.simulation.truth import expected_labels

if TYPE_CHECKING:
    import pyarrow as pa


def simulate(settings: Simulation) -> SimulatedRetailer:
    """Simulate a retailer: the same settings give the same rows."""
    return SimulatedRetailer(settings, draw(settings))


@dataclass(frozen=True)
class SimulatedRetailer:
    """What a simulated retailer shows, and the truth behind it.

    Attributes
    ----------
    settings
        What was simulated.
    course
        Everything that happened, including the latent states of the clients.
    """

    settings: Simulation
    course: Course

    @cached_property
    def transactions(self) -> pa.Table:
        """The canonical columns of transactions, in the order in which they became known."""
        return tables.transactions(self.settings, self.course)

    @cached_property
    def notes(self) -> pa.Table:
        """The canonical columns of notes, in the order in which they became known."""
        return tables.notes(self.settings, self.course)

    def best_possible(
        self, snapshots: pd.DataFrame, label: Label, horizon_days: int, *, minor_units: int = 100
    ) -> np.ndarray:
        """The expected label given all that was observable: no model can have a smaller loss.

        It knows the world's parameters, including those of a future drift, but not the client's
        state.

        Parameters
        ----------
        snapshots
            client_id (string) and observed_on (date): days of the simulation after the client's
            first purchase.
        label, horizon_days
            What is predicted, and for how many days from observed_on on.
        minor_units
            How many minor units of money make a major one; spend is in major ones, as in labels.

        Returns
        -------
        ndarray
            Probabilities or amounts, float64 (snapshots,), in the order of the snapshots.

        Raises
        ------
        ValueError
            If a client does not exist, or a day is outside the simulation or is not after the
            client's first purchase.
        """
        client, day = self._numbers(snapshots)
        state = beliefs(self.settings, self.course, client, day)
        expected = expected_labels(self.settings, label, horizon_days, minor_units=minor_units)
        best: np.ndarray = (state * expected[day]).sum(axis=1)
        return best

    def oracle(
        self, snapshots: pd.DataFrame, label: Label, horizon_days: int, *, minor_units: int = 100
    ) -> np.ndarray:
        """The expected label if the client's state were known; see `best_possible`."""
        client, day = self._numbers(snapshots)
        clients = self.course.clients
        gone = day >= clients.gone_from[client]
        state = np.where(gone, world.GONE, clients.klass[client])
        expected = expected_labels(self.settings, label, horizon_days, minor_units=minor_units)
        of_state: np.ndarray = expected[day, state]
        return of_state

    def _numbers(self, snapshots: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        client = pd.Index(tables.client_ids(self.settings)).get_indexer(snapshots["client_id"])
        start = pd.Timestamp(self.settings.start)
        day = (pd.to_datetime(snapshots["observed_on"]) - start).dt.days.to_numpy()
        wrong = (client < 0) | (day >= self.settings.days)
        wrong |= day <= self.course.clients.arrived[client]
        if wrong.any():
            first = snapshots.iloc[int(wrong.argmax())]
            raise ValueError(
                f"client {first['client_id']} on {pd.Timestamp(first['observed_on']).date()}: "
                "expected a simulated client on a simulated day after the first purchase"
            )
        return client.astype(np.int64), day.astype(np.int64)
