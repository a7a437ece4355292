"""What rsyslog hands its lines to on every host: masks them, and brings each to the log store once.

Runs with the host's own Python and the standard library alone. The rules of masking are the app's own module,
which is installed beside it.
"""
