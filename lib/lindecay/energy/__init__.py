"""From the ledger's counts to joules, every constant with a source and a spread."""
