"""Where vectors are kept: one interface, a file for each kind of store."""
