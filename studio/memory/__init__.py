"""What was learned from decisions, failures and briefs, kept in ChromaDB and found again by words and by vectors."""
