"""A pure compiler: SQL in, a cleared plan or a refusal out; and the disclosure methods that act on cells."""
