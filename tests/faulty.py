"""A proxy before an object store that fails as networks and stores do, by a fixed plan."""

from __future__ import annotations

import http.client
import http.server
import itertools
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

OF_A_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class FaultyProxy:
    """Passes requests on to a store. Of those that ask for an object each `busy`-th is answered by
    503, and of each `cut`-th the connection ends in the middle of the body; each waits `seconds`.
    """

    def __init__(self, url: str, *, busy: int = 10, cut: int = 20, seconds: float = 0.2) -> None:
        place = urllib.parse.urlsplit(url).netloc
        number, lock = itertools.count(1), threading.Lock()
        self.faults = {"busy": 0, "cut": 0}
        faults = self.faults

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def answer(self) -> None:
                time.sleep(seconds)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with lock:
                    n = next(number)
                    kind = "busy" if n % busy == 0 else "cut" if n % cut == cut // 2 + 1 else ""
                if kind == "busy":
                    faults[kind] += 1
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                there = http.client.HTTPConnection(place, timeout=60)
                there.request(self.command, self.path, body or None, dict(self.headers))
                got = there.getresponse()
                data = got.read()
                self.send_response(got.status)
                for name, value in got.getheaders():
                    if name.lower() not in OF_A_HOP:
                        self.send_header(name, value)
                length = got.getheader("Content-Length") or str(len(data))
                self.send_header("Content-Length", length)
                self.end_headers()
                if kind == "cut" and len(data) > 1:
                    faults[kind] += 1
                    self.wfile.write(data[: len(data) // 2])
                    self.close_connection = True
                    return
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET: Callable[[Any], None] = answer  # noqa: N815
            do_HEAD: Callable[[Any], None] = answer  # noqa: N815
            do_PUT: Callable[[Any], None] = answer  # noqa: N815

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
