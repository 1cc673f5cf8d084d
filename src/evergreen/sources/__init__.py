"""Where raw data comes from: each source yields rows in the canonical columns."""
