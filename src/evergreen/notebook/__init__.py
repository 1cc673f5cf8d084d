"""Continuous training by hand: ``ContinuousTrainer`` and its helpers."""
