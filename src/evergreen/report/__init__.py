"""The report of a run for a reviewer: one HTML page, and the same in Markdown."""
