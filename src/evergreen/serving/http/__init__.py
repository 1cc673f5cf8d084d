"""Predictions over HTTP, by the release that is served."""
