"""The use cases of a node, free of HTTP: what planners, custodians, analysts and auditors do."""
