"""Who asks: authenticators turn a bearer token into a principal; how tokens come about is their own affair."""
