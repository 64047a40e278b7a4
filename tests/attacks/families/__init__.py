"""One module a family of attacks, each a list of them."""
