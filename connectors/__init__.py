"""One protocol; one module per engine; runs a fragment inside the custodian's process and returns raw cells."""
