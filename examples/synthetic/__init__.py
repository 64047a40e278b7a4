"""A synthetic labour market: real classifications, invented people."""
