"""The path of a log line from a host to the site's log store."""
