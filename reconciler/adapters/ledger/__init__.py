"""The ledger: in SQLite, for those who only look, and in memory."""
