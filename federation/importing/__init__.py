"""From a file of a custodian to a dataset of the node: a catalogue entry in draft, code lists, record keys."""
