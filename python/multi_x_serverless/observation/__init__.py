"""From function logs to history: `fold` makes runs of records, `sync` reads the logs, `history` keeps the runs."""
