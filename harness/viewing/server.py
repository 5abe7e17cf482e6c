"""A run's pages over HTTP, for this machine alone and to read only. Four pages need no more than `http.server`.

A page of another site that the user visits can send requests to this address, too: a wrong `Host` is refused, so that
no name which is made to point here can read what is answered.
"""

import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.errors import UserError
from harness.run_folder import RunFolder
from harness.viewing.latest import Latest
from harness.viewing.pace import Pace
from harness.viewing.progress import Lines, Progress, read_progress
from harness.viewing.words import live_page
from reports import live
from reports.foreign import visible
from reports.live import LivePage

ADDRESS = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer; what a page may load it says itself."""
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """To one request."""

    status: HTTPStatus
    kind: str
    body: bytes


@dataclass(slots=True)
class Viewing:
    """One run, as it is looked at."""

    folder: RunFolder
    judge: str | None = None
    pace: Pace = field(default_factory=Pace)
    latest: Latest = field(init=False)
    _lines: Lines = field(default_factory=Lines)
    _look: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.latest = Latest(self.folder, self.judge)

    def answer(self, path: str) -> Answer:
        """To a path of the table; none is looked for on the disk."""
        try:
            if path == "/":
                return Answer(HTTPStatus.OK, HTML, live.render(self._page()).encode())
            if path == "/progress.json":
                return Answer(HTTPStatus.OK, "application/json", live.as_json(self._page()).encode())
            if path == "/report":
                return self._report()
        except UserError as error:
            return Answer(HTTPStatus.CONFLICT, TEXT, f"{visible(str(error))}\n".encode())
        return Answer(HTTPStatus.NOT_FOUND, TEXT, b"There are /, /progress.json and /report.\n")

    def _progress(self) -> Progress:
        with self._look:
            return read_progress(self.folder, self._lines)

    def _page(self) -> LivePage:
        progress = self._progress()
        self.latest.refresh(progress)
        left = self.pace.seconds_left(progress)
        return live_page(self.folder, progress, self.latest.comparison, self.latest.problem, left)

    def _report(self) -> Answer:
        progress = self._progress()
        if not progress.finished:
            return Answer(HTTPStatus.NOT_FOUND, TEXT, b"No cell is finished yet; a number needs every reply of one.\n")
        return Answer(HTTPStatus.OK, HTML, self.latest.page(progress).encode())


class Server(ThreadingHTTPServer):
    """Serves one run."""

    daemon_threads = True

    def __init__(self, port: int, viewing: Viewing) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.viewing = viewing

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away in the middle of an answer is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def hosts(self) -> tuple[str, str]:
        """What a request may call this server."""
        return f"{ADDRESS}:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def url(self) -> str:
        """For the user."""
        return f"http://{self.hosts[0]}/"


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD of a few paths."""

    server: Server
    server_version = "equipoise"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """A page."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            here = f"This is {self.server.url}, and answers to no other name.\n"
            return self._send(Answer(HTTPStatus.MISDIRECTED_REQUEST, TEXT, here.encode()))
        self._send(self.server.viewing.answer(urlsplit(self.path).path))

    do_HEAD = do_GET

    def refuse(self) -> None:
        """What would change something."""
        self._send(Answer(HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"There is GET and HEAD.\n"))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = refuse

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the one line with the address."""

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
