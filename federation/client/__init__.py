"""The notebook client: imports httpx, pyarrow and joserfc alone."""
