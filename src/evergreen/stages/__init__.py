"""The six DVC stages: each reads files, calls the core, writes files."""

from evergreen.settings.kernels import choose_kernels

choose_kernels()  # before a stage imports numpy
