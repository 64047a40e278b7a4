"""The audit trail: append-only, hash-chained, written before the act that it records.

``events`` says what can be recorded, ``chain`` appends and verifies, ``checkpoint`` signs the head so that a
chain that was cut off, with its head rewritten, does not pass as whole.
"""
