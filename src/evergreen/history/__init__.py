"""Past runs: records, summaries and alerts, and the plan for the next run."""
