"""Runs on a lab machine: listens on every given TCP port that nothing serves yet, and answers nobody."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
address, *ports = sys.argv[1:]
for port in ports:
    # All addresses, or the zone's where a program of the host has another one.
    for place in ("", address):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((place, int(port)))
            listener.listen(64)
        except OSError:
            listener.close()
            continue
        selector.register(listener, selectors.EVENT_READ)
        break
while True:
    for key, _ in selector.select():
        key.fileobj.accept()[0].close()
