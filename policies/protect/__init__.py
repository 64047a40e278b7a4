"""Protection of raw cells: every method of a disclosure profile, applied on the dense grid."""
