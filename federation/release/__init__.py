"""Releases as things: files addressed by digest, the signed provenance statement, and its W3C PROV-O form."""
