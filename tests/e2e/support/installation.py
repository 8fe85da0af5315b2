"""make_install() and make_uninstall(): the project, as an operator or a packager installs it."""

import os
import subprocess


def make_install(root, build, **variables):
    """The output of `make install NAME=VALUE...`."""
    return _make(root, build, "install", variables)


def make_uninstall(root, build, **variables):
    """The output of `make uninstall NAME=VALUE...`."""
    return _make(root, build, "uninstall", variables)


def _make(root, build, target, variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", target, f"BUILD={build.name}", *(f"{k}={v}" for k, v in variables.items())],
        cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
