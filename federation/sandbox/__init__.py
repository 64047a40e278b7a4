"""The child process in which a presentation runs: no files, no network, no secrets, and killed at its deadline."""
