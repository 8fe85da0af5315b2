"""Nginx: Debian's nginx as an upstream, in front of a Collector. Needs the probe "nginx".

    with Collector(unix=folder / "behind") as behind, Nginx(folder, behind, tls=tls) as nginx:
        ... nginx.port ...
        nginx.connections()  # from nginx's point of view

The port stays the same when nginx is killed and started again.
"""

import signal
import socket
from pathlib import Path

from collector import Collector
from processes import Process

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx; proxy_temp_path {folder}/nginx;
  fastcgi_temp_path {folder}/nginx; uwsgi_temp_path {folder}/nginx; scgi_temp_path {folder}/nginx;
  server {{
    listen 127.0.0.1:{port} reuseport {listen};
    {lines}
    location / {{
      proxy_pass http://{behind};
      proxy_set_header Host $http_host;
      proxy_set_header X-Connection $connection;
      proxy_set_header X-Protocol $server_protocol;
    }}
  }}
}}
"""


class Nginx:
    """`behind` gets the requests, with X-Connection and X-Protocol of the client's side. `http2`:
    nginx speaks HTTP/2, and without TLS nothing else. `tls`: the configuration's lines about TLS;
    empty for no TLS. `lines`: further lines."""

    def __init__(self, folder: Path, behind: Collector, http2: bool = True, tls: str = "",
                 lines: str = ""):
        # This socket does not listen, so it gets no connections. It keeps the port for nginx.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self._behind = behind
        self._file = folder / "nginx.conf"
        self._file.write_text(CONFIGURATION.format(
            folder=folder, port=self.port, behind=behind.url, lines=tls + lines,
            listen=("ssl " if tls else "") + ("http2" if http2 else "")))
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._process.kill()
        self._reserved.close()

    def start(self):
        command = ["nginx", "-e", "stderr", "-c", self._file]
        self._process = Process.start(command, log=self._file.with_suffix(".log"))
        self._process.wait_for_line("using the .* event method")

    def kill(self):
        self._process.stop(signal.SIGKILL)

    def connections(self) -> list[str]:
        """The numbers of the connections by which the requests came."""
        return [one.headers["x-connection"] for one in self._behind.received]
