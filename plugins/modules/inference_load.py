#!/usr/bin/python
"""Runs the load program of `rackwright bench inference` on a host (see DOCUMENTATION)."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: inference_load
short_description: Ask models as a number of users at a time would
description:
  - Runs a program that asks an OpenAI API, as a user without rights, and tells of every request.
  - Nothing on the machine changes.
options:
  program: {description: The program's text., type: str, required: true}
  python: {description: 'A Python that has httpx, such as that of the app.', type: path, required: true}
  settings:
    description: What the program is given on its standard input.
    type: dict
    required: true
  key: {description: Key that is given to it with the settings., type: str, default: ""}
  limit: {description: Seconds after which the program is ended by force., type: int, required: true}
  user: {description: Who runs it., type: str, default: nobody}
author: [Rackwright]
"""

EXAMPLES = r"""
- inference_load:
    program: "{{ lookup('file', 'tools/rackwright/bench/inference_load.py') }}"
    python: /opt/rackwright/app/current/bin/python
    settings: {url: "https://192.0.2.1:8443/v1", users: 2, seconds: 20}
    limit: 120
"""

RETURN = r"""
requests:
  description: One entry for each request with user, began, first, ended, tokens and error.
  type: list
  elements: dict
users:
  description: How many asked at a time.
  type: int
"""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "settings": {"type": "dict", "required": True},
            # Apart from the settings: of a dictionary every value would be censored, numbers of users, too.
            "key": {"type": "str", "default": "", "no_log": True},
            "limit": {"type": "int", "required": True},
            "user": {"type": "str", "default": "nobody"},
        },
        supports_check_mode=True,
    )
    params = module.params
    users = params["settings"].get("users")
    if module.check_mode:
        module.exit_json(changed=False, requests=[], users=users)
    if not os.access(params["python"], os.X_OK):
        module.fail_json(
            msg=f"{params['python']} is not there: the load runs in the app's environment, so apply first"
        )
    with tempfile.TemporaryDirectory(prefix="rackwright-load-") as directory:
        Path(directory).chmod(0o755)
        program = Path(directory, "inference_load.py")
        program.write_text(params["program"])
        program.chmod(0o644)
        try:
            done = subprocess.run(
                [params["python"], "-I", str(program)],
                input=json.dumps(params["settings"] | {"key": params["key"]}),
                capture_output=True,
                text=True,
                check=False,
                timeout=params["limit"],
                user=params["user"] if os.getuid() == 0 else None,
                extra_groups=[] if os.getuid() == 0 else None,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            module.fail_json(msg=f"the load did not end within {params['limit']} s and was ended")
        except OSError as error:
            module.fail_json(msg=f"{params['user']} cannot run {params['python']}: {error}")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        module.fail_json(msg=f"the load program ended with {done.returncode}: {last}")
    module.exit_json(changed=False, requests=json.loads(done.stdout), users=users)


if __name__ == "__main__":
    main()
