"""Runs: approved questions, executed by workers of the node and turned into releases."""
