"""Masked sums: several nodes give one joint count, and nobody learns another's part."""
