"""The six DVC stages: each reads files, calls the core, writes files."""
