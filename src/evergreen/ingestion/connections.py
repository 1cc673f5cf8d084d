"""A database, by the address in an environment variable; the address is never told."""

from __future__ import annotations

import os

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from evergreen.errors import DataError

FEW_CHARS = 4
"""Shorter parts of an address are no secrets, and stand in other words too."""


def open_database(variable: str) -> sa.Engine:
    """The engine for the address that a variable holds.

    Raises
    ------
    DataError
        If the variable is not set or holds no address that can be used. The address is never part
        of the message: it may hold a password.
    """
    address = os.environ.get(variable)
    if not address:
        raise DataError(
            f"the environment variable {variable} was expected to hold the address of a "
            "database, and is not set",
            f"export {variable}=dialect+driver://user:password@host/database",
        )
    try:
        engine = sa.create_engine(address)
    except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        raise DataError(
            f"{variable} is no address of a database that can be used: {type(error).__name__}",
            "write it as dialect+driver://user:password@host/database, and install the driver",
        ) from None
    if "@" in (engine.url.host or ""):
        raise DataError(
            f"{variable} is no address of a database that can be used: it holds more than one @",
            "write %40 for an @ in the password",
        )
    return engine


def error_text(engine: sa.Engine, error: SQLAlchemyError) -> str:
    """The first line of what a database said, without the secrets of its address."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    said = lines[0] if lines else type(error).__name__
    options = [value for values in engine.url.normalized_query.values() for value in values]
    for secret in (str(engine.url.password or ""), *options):
        if len(secret) >= FEW_CHARS:
            said = said.replace(secret, "***")
    return said
