"""What the operator's commands do: dead letters, the ledger as a log, replay, and a check-up."""
