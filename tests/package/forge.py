"""A forge on loopback: bare repositories by https, under the name of a real one, for an engine that is told of a proxy.

`python -m tests.package.forge FOLDER CA` serves the repositories below a folder as GitHub, writes the certificate to
trust, and prints the proxy's port. Whatever else is asked for goes where it would go without a proxy.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import trustme

_NAMES = ("github.com", "raw.githubusercontent.com")


class Git(BaseHTTPRequestHandler):
    """git's own `http-backend`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Asks it as a web server does."""
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {
            "GIT_PROJECT_ROOT": sys.argv[1],
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        answer = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=os.environ | asked).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Proxy(BaseHTTPRequestHandler):
    """Leads to the repositories what is for the forge."""

    def do_CONNECT(self) -> None:
        """Carries bytes both ways until an end closes."""
        host, _, port = self.path.rpartition(":")
        with socket.create_connection(("127.0.0.1", FORGE.server_port) if host in _NAMES else (host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            near = self.connection
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    part = ready.recv(65536)
                    if not part:
                        return
                    (far if ready is near else near).sendall(part)

    log_message = Git.log_message


if __name__ == "__main__":
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*_NAMES).configure_cert(context)
    authority.cert_pem.write_to_path(sys.argv[2])
    FORGE = ThreadingHTTPServer(("127.0.0.1", 0), Git)
    FORGE.socket = context.wrap_socket(FORGE.socket, server_side=True)
    Thread(target=FORGE.serve_forever, daemon=True).start()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(proxy.server_port, flush=True)
    proxy.serve_forever()
