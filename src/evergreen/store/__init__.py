"""All file I/O of the stages: tables, labels, features, models and releases."""
