"""Predictions over HTTP by the release in production."""
