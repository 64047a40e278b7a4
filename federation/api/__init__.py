"""The HTTP API: a thin layer over the use cases of ``federation.service``."""
