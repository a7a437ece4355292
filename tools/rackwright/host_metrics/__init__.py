"""Our own metrics of a host: a program that runs there, of the standard library alone (Python 3.10)."""
