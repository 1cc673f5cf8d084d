"""Monitoring of models in production: live metrics, drift and performance decline."""
