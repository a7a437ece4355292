"""Somebody who asks from a machine of the lab, over and over, and notes what came."""

import json
import time
from collections.abc import Sequence
from typing import Any

from machines import Machines

# Each caller is a thread. One that keeps its connection looks, as every pool of connections does, whether the
# server has closed it; one that streams reads events to their end. Keys are used in turn, since the app
# counts the requests of each user.
SCRIPT = """
import http.client, itertools, json, os, select, ssl, threading, time
from urllib.parse import urlsplit
job = json.load(open("/run/caller.json"))
notes, lock = [], threading.Lock()

def connect(url, ca):
    if url.scheme == "http":
        return http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    context = ssl.create_default_context(cafile=ca)
    return http.client.HTTPSConnection(url.hostname, url.port, timeout=60, context=context)

def closed(connection):
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])

def ask(connection, url, caller, key):
    headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
    connection.request("POST", url.path, json.dumps(caller["body"]), headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    if answer.status != 200:
        raise OSError(f"status {answer.status}: {said[:300]}")
    if caller["end"]:
        if caller["end"] not in said:
            raise OSError(f"no end: {said[-300:]}")
        return ""
    return json.loads(said)["choices"][0]["message"]["content"]

def call(caller):
    url, keys, connection = urlsplit(caller["url"]), itertools.cycle(caller["keys"]), None
    while not os.path.exists("/run/caller-stop"):
        began = time.time()
        try:
            if connection is None or not caller["keep"] or closed(connection):
                connection = connect(url, caller["ca"])
            note = {"ok": True, "text": ask(connection, url, caller, next(keys))}
        except (OSError, ValueError, http.client.HTTPException) as error:
            note, connection = {"ok": False, "why": repr(error)}, None
        with lock:
            notes.append({**note, "caller": caller["name"], "began": began, "ended": time.time()})
        time.sleep(caller["pause"])

threads = [threading.Thread(target=call, args=(caller,)) for caller in job]
for thread in threads: thread.start()
for thread in threads: thread.join()
json.dump(notes, open("/run/caller-notes.new", "w"))
os.rename("/run/caller-notes.new", "/run/caller-notes")
"""
CA = "/etc/rackwright/tls/ca.pem"
QUESTION = {"messages": [{"role": "user", "content": "Say something."}], "max_tokens": 16, "temperature": 0}


def caller(
    url: str,
    keys: Sequence[str],
    body: dict[str, Any],
    *,
    name: str,
    keep: bool = False,
    end: str = "",
    pause: float = 0.15,
) -> dict[str, Any]:
    """One caller: whom it asks what, what its streams end with (none: it wants the whole answer)."""
    common = {"ca": CA, "keep": keep, "end": end, "pause": pause, "name": name}
    return {"url": url, "keys": list(keys), "body": body, **common}


class Callers:
    """Callers on one machine."""

    def __init__(self, machines: Machines, host: str, callers: Sequence[dict[str, Any]]) -> None:
        self.machines, self.host, self.callers = machines, host, list(callers)

    def start(self) -> None:
        """Begin to ask."""
        inside = self.machines.inside
        # A test that was broken off may have left them.
        inside(self.host, "systemctl stop caller", check=False)
        inside(self.host, "rm -f /run/caller-stop /run/caller-notes")
        inside(self.host, "cat > /run/caller.py", data=SCRIPT)
        inside(self.host, "umask 077; cat > /run/caller.json", data=json.dumps(self.callers))
        inside(self.host, "systemd-run -q --collect --unit=caller /usr/bin/python3 /run/caller.py")
        time.sleep(2)

    def stop(self) -> list[dict[str, Any]]:
        """End, and return what came."""
        wait = "for _ in $(seq 200); do [ -s /run/caller-notes ] && break; sleep 0.3; done"
        said = self.machines.inside(self.host, f"touch /run/caller-stop; {wait}; cat /run/caller-notes")
        return list(json.loads(said))

    def ask(self) -> str:
        """Ask for a moment; return the first caller's last answer."""
        self.start()
        notes = [note for note in self.stop() if note["caller"] == self.callers[0]["name"]]
        assert notes[-1]["ok"], notes
        return str(notes[-1]["text"])
