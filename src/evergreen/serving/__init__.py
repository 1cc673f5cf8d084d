"""Using a release: from Python, and for many clients at once."""
