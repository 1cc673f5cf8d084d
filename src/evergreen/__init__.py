"""Evergreen: reproducible continuous training for a retailer's client models."""
