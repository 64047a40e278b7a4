"""Above the disclosure line: any allowed SQL over protected cells, with a status beside every value."""
