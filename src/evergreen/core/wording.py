"""Numbers in messages for people."""


def plural(number: int, singular: str, several: str | None = None) -> str:
    """Return a number with its noun: ``1 commit``, ``1,200 commits``.

    Parameters
    ----------
    number
        How many there are.
    singular
        The noun.
    several
        Its plural; `singular` with an s by default.

    Examples
    --------
    >>> plural(1200, "label of a class", "labels of a class")
    '1,200 labels of a class'
    """
    return f"{number:,} {singular if number == 1 else several or f'{singular}s'}"
