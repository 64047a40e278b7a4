"""What protection costs: medians and ratios measured in one run, never asserted times."""
