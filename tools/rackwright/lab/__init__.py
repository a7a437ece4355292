"""The lab: machines with systemd and SSH, made from Debian's packages and run by Docker on this machine.

A lab is derived from an inventory of the same form as a real site's, so the same playbooks run on it.
"""
