"""Estimators with one interface, chosen by name, and buy-till-you-die models."""
