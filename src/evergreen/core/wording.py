"""Numbers in what is told to people."""


def counted(number: int, singular: str) -> str:
    """A number with its noun: ``1 commit``, ``1,200 commits``."""
    return f"{number:,} {singular}" if number == 1 else f"{number:,} {singular}s"
