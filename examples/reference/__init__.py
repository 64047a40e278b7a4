"""How the project's own code lists are derived from published reference data."""
