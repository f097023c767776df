"""A web server on this machine."""

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def serving(
    files: Mapping[str, bytes], pause_seconds: float = 0.0, begins: bool = True
) -> Iterator[str]:
    """The address of a server.

    Args:
        files: the content of each path, such as `/a.png`.
        pause_seconds: before each of its bytes, without telling how many there are.
        begins: whether it does. If not, its headers drip, and never end.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            head = [b"HTTP/1.0 200 OK\r\nA: "]
            for piece in () if begins else itertools.chain(head, itertools.repeat(b"a")):
                time.sleep(0.01)
                try:
                    self.wfile.write(piece)
                except OSError:  # nobody listens any more
                    return
            content = files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            if not pause_seconds:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            pieces = [content[i : i + 1] for i in range(len(content))]
            for piece in pieces if pause_seconds else [content]:
                time.sleep(pause_seconds)
                try:
                    self.wfile.write(piece)
                except OSError:  # nobody listens any more
                    return

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
