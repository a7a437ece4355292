"""Runs on a lab machine: listens on every given TCP port that nothing serves yet, and answers nobody."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
address, *ports = sys.argv[1:]
for port in ports:
    # All addresses of each family, or the zone's where a program of the host has another one.
    for family, place in ((socket.AF_INET6, "::"), (socket.AF_INET, ""), (socket.AF_INET, address)):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind((place, int(port)))
            listener.listen(64)
        except OSError:
            listener.close()
            continue
        selector.register(listener, selectors.EVENT_READ)
        if family == socket.AF_INET:
            break
while True:
    for key, _ in selector.select():
        key.fileobj.accept()[0].close()
