"""make_install(): the project, installed as an operator or a packager would."""

import os
import subprocess


def make_install(root, build, **variables):
    """The output of `make install NAME=VALUE...`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "install", f"BUILD={build.name}", *(f"{k}={v}" for k, v in variables.items())],
        cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
