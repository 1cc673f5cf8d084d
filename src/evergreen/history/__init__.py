"""What past runs have left: records, summaries, alerts, and what is due next."""
