"""What is raised for the events that a caller passes."""

from __future__ import annotations

from evergreen.errors import DataError


class EventsError(DataError, ValueError):
    """Events of a caller are not valid, or can be read in two ways."""
