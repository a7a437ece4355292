"""The part of backups that runs on hosts: standard library only, Python 3.10 and later.

`store_main` runs on a host with state, `repository_main` on the backup host. The backup host comes by SSH
with a key that opens `store_main` alone; nothing on a host with state can read what was kept.
"""
