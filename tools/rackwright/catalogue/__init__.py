"""The catalogue of services, and everything that is derived from it.

`model` says what services.yml and zones.yml may hold, `load` reads them, `site` places them on the hosts of
an inventory, `flows` says who may speak to whom, `plan` gives one host its part, `probes` the tests theirs.
"""
