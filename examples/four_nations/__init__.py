"""Four nations with a part each of one survey, and a hub that holds nothing of it."""
