"""Manual training in notebooks and scripts: ``ContinuousTrainer`` and its helpers."""
