"""Recorder: an upstream that records when each of its requests was under way.

    with Recorder(delay_ms=70) as upstream:
        ...
        upstream.intervals   # [(begin, end), ...] by time.monotonic(), of those that have ended
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b'{"user_id":1,"events":[]}'


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may keep its connection

    def handle_error(self, *unused):
        """Prints no error if the client was killed during a fetch."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*unused)


class Recorder:
    def __init__(self, delay_ms: float):
        self.intervals: list[tuple[float, float]] = []
        recorder = self

        class Service(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                begin = time.monotonic()
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(delay_ms / 1e3)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)
                recorder.intervals.append((begin, time.monotonic()))

            def log_message(self, *unused):
                pass

        self._service = Server(("127.0.0.1", 0), Service)
        self.url = "http://127.0.0.1:%d/features" % self._service.server_address[1]
        self._thread = threading.Thread(target=self._service.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._service.shutdown()
        self._service.server_close()
        self._thread.join()
