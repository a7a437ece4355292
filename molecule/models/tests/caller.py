"""Asks the engine from another machine, a few times a second, and notes what came."""

import json
import time
from dataclasses import dataclass

from machines import Machines

# Two callers: one opens a connection for each question, the other keeps its own as long as the server does.
SCRIPT = """
import http.client, json, os, sys, threading, time
from urllib.parse import urlsplit
url, key, stop = urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
body = json.dumps({"model": "any", "messages": [{"role": "user", "content": "Say something."}],
                   "max_tokens": 16, "temperature": 0, "seed": 0})
headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
notes, lock = [], threading.Lock()

def ask(connection):
    connection.request("POST", "/v1/chat/completions", body, headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    if answer.status != 200:
        raise OSError(f"status {answer.status}: {said}")
    return said["choices"][0]["message"]["content"]

def call(keep):
    connection = None
    while not ended():
        try:
            if connection is None or not keep:
                connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
            note = {"ok": True, "text": ask(connection), "kept": keep}
        except (OSError, ValueError, http.client.HTTPException) as error:
            note, connection = {"ok": False, "why": repr(error), "kept": keep}, None
        with lock:
            notes.append(note)
        time.sleep(0.1)

def ended():
    try:
        open(stop).close()
    except FileNotFoundError:
        return False
    return True

threads = [threading.Thread(target=call, args=(keep,)) for keep in (False, True)]
for thread in threads: thread.start()
for thread in threads: thread.join()
json.dump(notes, open(stop + ".new", "w"))
os.rename(stop + ".new", stop + ".notes")
"""
_STOP = "/run/caller-stop"


@dataclass
class Caller:
    """A program on a machine of the lab."""

    machines: Machines
    host: str
    url: str
    key: str

    def start(self) -> None:
        """Begin to ask."""
        self.machines.inside(self.host, f"rm -f {_STOP} {_STOP}.notes")
        self.machines.inside(self.host, "cat > /run/caller.py", data=SCRIPT)
        self.machines.inside(
            self.host,
            "systemd-run -q --collect --unit=caller"
            f" /usr/bin/python3 /run/caller.py {self.url} {self.key} {_STOP}",
        )
        time.sleep(2)

    def stop(self) -> list[dict[str, object]]:
        """End, and return what came."""
        wait = f"for _ in $(seq 100); do [ -s {_STOP}.notes ] && break; sleep 0.3; done"
        script = f"touch {_STOP}; {wait}; cat {_STOP}.notes"
        return list(json.loads(self.machines.inside(self.host, script)))

    def ask(self) -> str:
        """Ask once; return the answer."""
        self.start()
        notes = self.stop()
        assert notes[-1]["ok"], notes
        return str(notes[-1]["text"])
