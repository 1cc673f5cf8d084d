"""From events to labels: valid transactions, ledger, snapshots, labels and their selection."""
