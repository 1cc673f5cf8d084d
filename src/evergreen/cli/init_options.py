"""What a new repository is created with: the options of `evergreen init`, complete or not."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

COLUMNS = ("client_id", "timestamp", "amount", "text", "invoice_id")
READING = ("date_order", "decimal")
"""Settings of the table that the cells may not tell."""


def option(name: str) -> str:
    """An option on the command line, such as ``--as-of``."""
    return f"--{name.replace('_', '-')}"


@dataclass
class InitOptions:
    """The options of `evergreen init` for your own data; None where one isn't given.

    Attributes
    ----------
    caller
        The folder of the call, from the root of the repository.
    amount
        A column, a sum of columns, or ``PRICE*QUANTITY``.
    """

    folder: Path
    caller: Path
    files: str | None = None
    url_env: str | None = None
    table: str | None = None
    preset: str | None = None
    client_id: str | None = None
    timestamp: str | None = None
    amount: str | None = None
    text: str | None = None
    invoice_id: str | None = None
    date_order: str | None = None
    decimal: str | None = None
    timezone: str | None = None
    as_of: date | None = None

    @property
    def missing(self) -> list[str]:
        """The columns that are still needed."""
        needed = () if self.preset else ("client_id", "timestamp", "amount")
        return [name for name in needed if not getattr(self, name)]

    def transactions(self) -> dict[str, Any]:
        """The values of ``source.transactions`` in params.yaml; what is None is not set."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        price, _, quantity = (self.amount or "").partition("*")
        if quantity:
            columns |= {"amount": None, "price": price.strip(), "quantity": quantity.strip()}
        return {
            "files": self.files,
            "url_env": self.url_env,
            "table": self.table,
            "preset": self.preset,
            "columns": {name: header for name, header in columns.items() if header},
            **{name: getattr(self, name) for name in READING},
        }

    def command(self, **options: str) -> str:
        """The command that creates the repository, for a shell in the folder of the call."""
        here = {name: self._from_caller(value) for name, value in {"files": self.files}.items()}
        values = vars(self) | here | options
        words = [self._from_caller(str(self.folder)) or "."]
        for name, value in values.items():
            if value is not None and name not in ("folder", "caller"):
                words += [option(name), str(value)]
        pairs = [shlex.join(words[i : i + 2]) for i in range(1, len(words), 2)]
        return " \\\n    ".join([shlex.join(["evergreen", "init", words[0]]), *pairs])

    def _from_caller(self, path: str | None) -> str | None:
        if path is None or Path(path).is_absolute():
            return path
        return os.path.relpath(path, self.caller)
