"""One module per engine: what ``node.yaml`` says of such a source, and how it is opened."""
