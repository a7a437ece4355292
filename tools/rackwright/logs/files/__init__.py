"""The log store of small sites: lines of JSON in files of a day, a host and a service.

Runs on the store's host with its own Python and the standard library alone.
"""
