"""What an engine says differently: one rewriting pass for each, from DuckDB's trees to its own."""
