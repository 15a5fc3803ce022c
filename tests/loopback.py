"""A server of files on this machine, for what is downloaded."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        content, promised = self.server.files.get(self.path, (b"", None))
        self.send_response(404 if promised is None else 200)
        self.send_header("Content-Length", str(promised or 0))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """Yield a server; ``files`` maps paths to content and the length that is promised."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.files, running.requests = {}, []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
