"""A contract double of Traefik: reads its configuration, refuses what its reference has not, and proxies.

It is no Traefik. It knows the options that roles/traefik uses, with the meaning that Traefik's reference and
source give them, and speaks HTTP/1.1 alone.
"""
