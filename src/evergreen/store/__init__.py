"""All reading and writing of files: tables, models, reports and pictures."""
