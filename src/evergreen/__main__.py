"""``python -m evergreen`` is ``evergreen``."""

from evergreen.cli import main

main()
