"""A database by the address in an environment variable; messages never show the address."""

from __future__ import annotations

import os

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from evergreen.errors import DataError

FEW_CHARS = 4
"""Shorter parts of an address are not secrets, and occur in other words."""


def open_database(variable: str) -> sa.Engine:
    """The engine for the address that a variable holds.

    Raises
    ------
    DataError
        If the variable is not set, or is not a usable address. The address is never part of the
        message: it may hold a password.
    """
    address = os.environ.get(variable)
    if not address:
        raise DataError(
            f"the environment variable {variable} is not set, expected the address of a database",
            f"export {variable}=dialect+driver://user:password@host/database",
        )
    try:
        engine = sa.create_engine(address)
    except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        raise DataError(
            f"{variable} is not a usable address of a database: {type(error).__name__}",
            "write it as dialect+driver://user:password@host/database, and install the driver",
        ) from None
    if "@" in (engine.url.host or ""):
        raise DataError(
            f"{variable} is not a usable address of a database: it has more than one @",
            "write %40 for an @ in the password",
        )
    return engine


def error_text(engine: sa.Engine, error: SQLAlchemyError) -> str:
    """The first line of a database's error, without the secrets of its address."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    message = lines[0] if lines else type(error).__name__
    options = [value for values in engine.url.normalized_query.values() for value in values]
    for secret in (str(engine.url.password or ""), *options):
        if len(secret) >= FEW_CHARS:
            message = message.replace(secret, "***")
    return message
