"""Probes: features that a test needs and some machines lack. Each is tried once.

    @pytest.mark.needs("landlock")
    def test_it(server): ...

    probes.require("namespaces")  # in a fixture

Both skip the test, with the reason. RINGMASTER_PROBE_NAME=no makes the probe of that name
find nothing. The names are the keys of _PROBES, in capitals; also BREAKPOINTS and PTRACE in
tests/support/probes.h.

    python3 probes.py NAME    prints the reason and exits with 1 where the machine lacks it
"""

import ctypes
import errno
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_CREATE_RULESET_VERSION = 1
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"  # which is not in every user's PATH
ROOT = Path(__file__).resolve().parents[3]
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PTRACE_SEIZE = 0x4206

libc = ctypes.CDLL(None, use_errno=True)


def _lacking(*programs: str) -> str:
    lacking = [name for name in programs if shutil.which(name) is None]
    return f"{' and '.join(lacking)}: not installed" if lacking else ""


def _browser() -> str:
    """chromium, and the package that drives it; make check installs both."""
    if why := _lacking("chromium", "node"):
        return why
    wanted = ROOT / "tests/e2e/support/browser/package-lock.json"
    installed = ROOT / "build/browser/installed.json"
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        return "build/browser: its packages are not installed"
    return ""


def _buildah() -> str:
    """The programs that make and run the container images; make image installs them."""
    return _lacking("buildah", "podman", "runc")


def _cgroups() -> str:
    """A folder of /sys/fs/cgroup in which groups can be made."""
    for root in (Path("/sys/fs/cgroup", part) for part in ("", "unified", "systemd")):
        if (root / "cgroup.procs").exists() and os.access(root, os.W_OK):
            return ""
    return "no control groups can be made here"


def _gdb() -> str:
    """Whether gdb may attach to a process that it has not started."""
    if why := _lacking("gdb"):
        return why
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        tried = subprocess.run(["gdb", "-batch", "-nx", "-p", str(sleeper.pid), "-ex", "python 1"],
                               capture_output=True, text=True)
        if re.search("ptrace: |Python scripting is not supported", tried.stderr):
            return f"gdb cannot be used here: {tried.stderr.strip().splitlines()[-1]}"
        return ""
    finally:
        sleeper.kill()
        sleeper.wait()


def _haproxy() -> str:
    return "haproxy: not installed" if shutil.which("haproxy", path=SBIN) is None else ""


def _ipv6() -> str:
    try:
        with socket.socket(socket.AF_INET6) as bound:
            bound.bind(("::1", 0))
    except OSError as error:
        return f"no IPv6 here: {error.strerror}"
    return ""


def _huge_pages() -> str:
    """Whether a process gets huge pages if it asks for them, and only then."""
    offered = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if offered.exists() and "[madvise]" in offered.read_text():
        return ""
    return "this kernel offers no huge pages on request"


def _kustomize() -> str:
    """A kubectl that renders as kustomize 5 does."""
    if why := _lacking("kubectl"):
        return why
    done = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True)
    found = re.search(r"Kustomize Version: v(\d+)", done.stdout)
    return "" if found and int(found[1]) >= 5 else "kubectl: has no kustomize 5"


def _landlock() -> str:
    abi = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    return "" if abi >= 2 else "this kernel has no Landlock, or only its first version"


def _namespaces() -> str:
    for kind in ("--net", "--mount", "--pid", "--user"):
        tried = subprocess.run(["unshare", kind, "--fork", "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            return f"no namespaces can be made here: {tried.stderr.strip()}"
    return ""


def _networks() -> str:
    """Whether network namespaces can be made, and connected by a bridge."""
    made = ("ip link add bridge0 type bridge && ip link add end1 type veth peer name end2 &&"
            " ip link set end1 master bridge0")
    if why := _lacking("ip", "nsenter"):
        return why
    tried = subprocess.run(["unshare", "--net", "sh", "-c", made], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"no bridge can be made here: {tried.stderr.strip()}"


def _nginx() -> str:
    return _lacking("nginx")


def _promtool() -> str:
    return _lacking("promtool")


def _priority() -> str:
    """Whether a process may raise its priority again."""
    done = subprocess.run(["nice", "-n", "5", "nice", "-n", "-24", "true"], capture_output=True,
                          text=True)
    return done.stderr.strip()


def _ptrace() -> str:
    """Whether a process may trace its child."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        if libc.ptrace(PTRACE_SEIZE, child.pid, None, None) == 0:
            return ""
        return f"this system does not permit ptrace(2): {os.strerror(ctypes.get_errno())}"
    finally:
        child.kill()
        child.wait()


def _root() -> str:
    return "" if os.geteuid() == 0 else "needs root"


def _seccomp() -> str:
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)
    if ctypes.get_errno() == errno.EFAULT:  # the kernel would take a filter
        return ""
    return f"no seccomp filters here: {os.strerror(ctypes.get_errno())}"


def _localhost() -> str:
    """Whether "localhost" has an address: a system without /etc/hosts may know none."""
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET)
        return ""
    except OSError as error:
        return f"localhost has no address here: {error}"


def _systemd() -> str:
    return _lacking("systemd-socket-activate", "systemd-nspawn")


_PROBES = {
    "browser": _browser,
    "buildah": _buildah,
    "cgroups": _cgroups,
    "gdb": _gdb,
    "haproxy": _haproxy,
    "huge_pages": _huge_pages,
    "ipv6": _ipv6,
    "kustomize": _kustomize,
    "landlock": _landlock,
    "localhost": _localhost,
    "namespaces": _namespaces,
    "networks": _networks,
    "nginx": _nginx,
    "priority": _priority,
    "promtool": _promtool,
    "ptrace": _ptrace,
    "root": _root,
    "seccomp": _seccomp,
    "systemd": _systemd,
}


@functools.cache
def reason(name: str) -> str:
    """Why the machine lacks the feature; empty if the machine has it."""
    variable = f"RINGMASTER_PROBE_{name.upper()}"
    if os.environ.get(variable) == "no":
        return f"{variable}=no"
    return _PROBES[name]()


def require(*names: str):
    """Skips the test where the machine lacks one of these."""
    import pytest  # not needed from the command line

    for name in names:
        if why := reason(name):
            pytest.skip(why)


if __name__ == "__main__":
    why = reason(sys.argv[1])
    print(why)
    sys.exit(1 if why else 0)
