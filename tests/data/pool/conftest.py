"""A web server for pools behind a URL."""

import functools
import http.server
import threading

import pytest


@pytest.fixture
def served(tmp_path):
    """Serves a folder of the test on localhost; gives its address and the paths asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/secret/") and not self.path.endswith(".tar"):
                self.send_error(403)  # what some servers say of files that are not there
            else:
                super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
