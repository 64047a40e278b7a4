"""One module per engine: its rewriting pass over the trees that connectors.render makes."""
