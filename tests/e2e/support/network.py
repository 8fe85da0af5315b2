"""Network: machines on a bridge. Each machine is a network namespace; a hub has the bridge.

    with Network("10.0.0.1") as network:
        node = network.add("10.0.0.11")
        Process.start([*node.enter, program])
        node.cut()       # packets from and to it are lost
        node.connect()

Processes: any process may be in any of these networks; a socket stays in that of its process.
Death:     a namespace ends with its last process. Those that hold the namespaces die with the test
           run.
"""

import ctypes
import subprocess
from contextlib import ExitStack

from client import DEADLINE_S
from processes import Process

HOLD = "ip link set lo up && echo event=up >&2 && exec sleep infinity"
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def set_network(namespace: int):
    """Changes the network of the calling thread only: that of its new sockets."""
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    def __init__(self, hub: "Machine | None" = None, link: str = ""):
        self.process = Process.start(["unshare", "--net", "sh", "-c", HOLD])
        self.process.wait_for_line("event=up")
        self.path = f"/proc/{self.process.pid}/ns/net"
        self.enter = ["nsenter", f"--net={self.path}", "--"]  # executes a command there
        self._hub, self._link = hub, link

    def ip(self, *words: str):
        done = subprocess.run([*self.enter, "ip", *words], capture_output=True, text=True,
                              timeout=DEADLINE_S)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"

    def cut(self):
        """Packets are lost from now on. Neither side is told."""
        self._hub.ip("link", "set", self._link, "down")

    def connect(self):
        self._hub.ip("link", "set", self._link, "up")

    def enter_thread(self):
        with open(self.path) as namespace:
            set_network(namespace.fileno())


class Network:
    def __init__(self, address: str):
        """`address`: the hub's."""
        self._stack = ExitStack()
        self.hub = self._started(Machine())
        self.hub.ip("link", "add", "bridge", "type", "bridge")
        self.hub.ip("addr", "add", f"{address}/24", "dev", "bridge")
        self.hub.ip("link", "set", "bridge", "up")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stack.close()

    def add(self, address: str) -> Machine:
        link = f"to{address.rpartition('.')[2]}"
        machine = self._started(Machine(self.hub, link))
        self.hub.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns",
                    str(machine.process.pid))
        self.hub.ip("link", "set", link, "master", "bridge", "up")
        machine.ip("addr", "add", f"{address}/24", "dev", "eth0")
        machine.ip("link", "set", "eth0", "up")
        return machine

    def _started(self, machine: Machine) -> Machine:
        self._stack.callback(machine.process.kill)
        return machine
