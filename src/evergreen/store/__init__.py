"""All file I/O of the stages: tables, features, models, extractors and releases."""
