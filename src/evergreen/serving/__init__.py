"""Predict with a release: from Python, for a batch of clients, and over HTTP."""
