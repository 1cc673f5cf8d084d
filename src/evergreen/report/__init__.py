"""What a reviewer reads of a run: one page, and the same in Markdown."""
