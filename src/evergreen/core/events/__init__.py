"""From events to labelled rows: ledger, snapshots, labels, and which labels a run uses."""
