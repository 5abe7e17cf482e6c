"""`equipoise view`: what is served, to whom, and that the run is left alone."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.errors import UserError
from harness import ledger
from harness.plan import Cell
from harness.run_folder import RunFolder
from harness.viewing.command import served, view
from harness.viewing.pace import Pace, duration
from harness.viewing.progress import Lines, State, read_progress
from harness.viewing.server import Server, Viewing
from tests.browser import faults
from tests.harness.interrupts import heed_interrupts
from tests.harness.made_runs import MadeArm, asked, make_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BENCHMARKS = (asked("advbench", 6), asked("alpaca", 4))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """`default` has answered all, `scans` one benchmark and half of a reply, `dinm` failed."""
    arms = [
        MadeArm("default", "default", {"advbench": 2, "alpaca": 0}),
        MadeArm("scans", "scans", {"advbench": 5, "alpaca": 1}),
        MadeArm("dinm", "dinm", {}, failure="loss is nan\x1b[2J <b>\n\nTraceback"),
    ]
    root = make_run(tmp_path / "run", arms, BENCHMARKS)
    replies = RunFolder(root).replies(Cell("scans", 0, "alpaca"))
    lines = replies.read_bytes().splitlines(keepends=True)
    replies.write_bytes(b"".join(lines[:1]) + lines[1][:20])
    return root


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with served(Viewing(RunFolder(folder)), 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(run: Path) -> Iterator[Server]:
    with serving(run) as server:
        yield server


def ask(
    server: Server, path: str, method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, headers={"Host": host} if host is not None else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def texts(server: Server) -> dict[str, str]:
    found: dict[str, str] = json.loads(ask(server, "/progress.json")[1])["texts"]
    return found


def content(folder: Path) -> dict[str, str]:
    """Every file with the hash of its bytes and when it was written."""
    return {
        str(path.relative_to(folder)): f"{sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answer_alpaca(run: Path, count: int) -> None:
    """Go on where `scans` stopped, as a run does: the torn line goes, and what is missing is appended."""
    there = ledger.recover(RunFolder(run).replies(Cell("scans", 0, "alpaca"))).records
    whole = ledger.read(RunFolder(run).replies(Cell("default", 0, "alpaca"))).records.values()
    ledger.append(RunFolder(run).replies(Cell("scans", 0, "alpaca")), list(whole)[len(there) : count])


def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_progress_counts_whole_replies_of_each_cell(server: Server) -> None:
    found = texts(server)
    assert (found["done"], found["total"]) == ("17", "30")
    assert found["default/0/state"] == "finished"
    assert (found["scans/0/advbench"], found["scans/0/alpaca"]) == ("6", "1")
    assert found["dinm/0/state"] == "failed"
    assert found["failures"] == "dinm failed: loss is nan\\u001b[2J <b>."
    assert found["fits"] == "0 of 3"


def test_a_run_that_nobody_works_on_is_stopped(run: Path) -> None:
    assert read_progress(RunFolder(run), Lines()).state is State.STOPPED


def test_a_run_whose_lock_names_a_living_process_is_running(run: Path) -> None:
    (run / ".lock").write_text(f"pid {os.getppid()}")
    assert read_progress(RunFolder(run), Lines()).state is State.RUNNING
    for told in ("pid 4194304999", "pid 0", "pid -1", "", "pid x"):
        (run / ".lock").write_text(told)
        assert read_progress(RunFolder(run), Lines()).state is State.STOPPED


def test_a_run_that_lacks_only_what_failed_has_ended_and_one_that_lacks_nothing_is_finished(tmp_path: Path) -> None:
    default = MadeArm("default", "default", {"advbench": 2, "alpaca": 0})
    whole = make_run(tmp_path / "whole", [default], BENCHMARKS)
    failed = make_run(tmp_path / "failed", [default, MadeArm("dinm", "dinm", {}, failure="broken")], BENCHMARKS)
    assert read_progress(RunFolder(whole), Lines()).state is State.FINISHED
    assert read_progress(RunFolder(failed), Lines()).state is State.FAILED


def test_lines_are_counted_as_they_come_and_anew_where_a_file_became_shorter(tmp_path: Path) -> None:
    path, lines = tmp_path / "replies.jsonl", Lines()
    assert lines.of(path) == 0
    for text, count in ((b"one\ntw", 1), (b"one\ntwo\nthree\n", 3), (b"one\n", 1), (b"", 0)):
        path.write_bytes(text)
        assert lines.of(path) == count
    path.unlink()
    assert lines.of(path) == 0


def test_the_numbers_so_far_are_those_of_finished_cells(server: Server) -> None:
    until(lambda: "default/advbench/refusal_rate" in texts(server))
    found = texts(server)
    assert found["default/advbench/refusal_rate"].startswith("33.3 (")
    assert found["scans/advbench/refusal_rate"].startswith("83.3 (")
    assert not found["scans/alpaca/refusal_rate"].startswith("25")
    assert found["numbers"] == "Of the 3 of 6 cells that are finished."


def test_the_pages_are_there_and_nothing_else_is(server: Server) -> None:
    assert b"scans" in ask(server, "/")[1]
    assert b"&lt;b&gt;" in ask(server, "/")[1]
    for path in ("/run.json", "/../run.json", "/report/", "/report/report.html", "/%2e%2e/run.json", "/.lock"):
        answer, body = ask(server, path)
        assert answer.status == 404 and body == b"There are /, /progress.json and /report.\n"


def test_the_report_is_of_what_is_there_and_says_what_is_not(server: Server) -> None:
    answer, body = ask(server, "/report")
    assert answer.status == 200 and answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert "17 of 30 replies are there." in body.decode()
    assert "scans, seed 0, alpaca 1 of 4; dinm, seed 0, advbench 0 of 6;" in body.decode()


def test_a_report_is_made_again_only_when_replies_came(run: Path) -> None:
    viewing = Viewing(RunFolder(run))
    first = viewing.answer("/report").body
    made = viewing.latest.comparison
    assert viewing.answer("/report").body == first and viewing.latest.comparison is made
    answer_alpaca(run, 4)
    assert "20 of 30 replies" in viewing.answer("/report").body.decode()
    assert viewing.latest.comparison is not made


def test_progress_does_not_wait_for_a_report(server: Server) -> None:
    with server.viewing.latest._work:  # as while one is being made
        assert texts(server)["done"] == "17"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_what_would_change_something_is_refused(server: Server, method: str) -> None:
    answer, _ = ask(server, "/progress.json", method)
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "", "127.0.0.1:80.evil.example"])
def test_another_host_name_is_refused(server: Server, host: str) -> None:
    answer, body = ask(server, "/", host=host)
    assert answer.status == 421
    assert body.decode() == f"This is {server.url}, and answers to no other name.\n"


def test_localhost_is_a_name_of_this_server(server: Server) -> None:
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0].status == 200


def test_a_head_request_gets_the_headers_alone(server: Server) -> None:
    answer, body = ask(server, "/", "HEAD")
    assert answer.status == 200 and body == b"" and int(answer.getheader("Content-Length", "0")) > 1000


@pytest.mark.parametrize("path", ["/", "/progress.json", "/report", "/nowhere"])
def test_every_answer_carries_the_headers_that_keep_other_pages_out(server: Server, path: str) -> None:
    headers = ask(server, path)[0]
    assert headers.getheader("X-Content-Type-Options") == "nosniff"
    assert headers.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert headers.getheader("Content-Security-Policy") == "frame-ancestors 'none'"
    assert headers.getheader("Referrer-Policy") == "no-referrer"
    assert headers.getheader("Cache-Control") == "no-store"
    assert headers.getheader("Access-Control-Allow-Origin") is None
    assert headers.getheader("Server") == "equipoise "


def test_the_page_of_a_run_alone_may_ask_its_server_for_more(server: Server) -> None:
    assert b"connect-src &#39;self&#39;" in ask(server, "/")[1]
    assert b"connect-src" not in ask(server, "/report")[1]


def test_only_this_machine_is_served(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_the_run_is_left_as_it_was(run: Path) -> None:
    before = content(run)
    with serving(run) as server:
        for path in ("/", "/progress.json", "/report"):
            ask(server, path)
    assert content(run) == before


def test_the_lock_is_free_for_a_run_while_it_is_looked_at(server: Server) -> None:
    ask(server, "/")
    with server.viewing.folder.locked():
        assert texts(server)["done"] == "17"


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with serving(tmp_path / "later") as server:
        assert texts(server)["state"] == "Waiting."
        assert ask(server, "/report")[0].status == 404
        make_run(tmp_path / "later", [MadeArm("default", "default", {"advbench": 2})], BENCHMARKS)
        assert texts(server)["done"] == "6"
    assert not (tmp_path / "later" / ".lock").exists()


def test_a_run_of_another_version_is_refused_at_once(run: Path) -> None:
    header = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**header, "schema_version": 99}))
    with pytest.raises(UserError, match="has schema version 99"):
        view(str(run), 0, None, print, opens=False)


def test_a_run_that_cannot_be_judged_says_why_on_its_page(run: Path) -> None:
    (run / "benchmarks" / "alpaca.jsonl").write_text("{}")
    with serving(run) as server:
        answer, body = ask(server, "/report")
        assert answer.status == 409 and b"Run the same command again to write it anew." in body
        assert "Run the same command again" in texts(server)["numbers"]


def test_a_port_that_is_taken_is_one_clear_line(run: Path, server: Server) -> None:
    with pytest.raises(UserError) as raised:
        served(Viewing(RunFolder(run)), server.server_port)
    assert str(raised.value) == (
        f"Port {server.server_port} of 127.0.0.1 is taken. Give another --port, or none for any that is free."
    )
    with pytest.raises(UserError, match=r"Port 99999 of 127\.0\.0\.1 cannot be had"):
        served(Viewing(RunFolder(run)), 99999)


def test_without_a_port_any_will_do(run: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setattr("harness.viewing.command.PORT", server.server_port)
    with served(Viewing(RunFolder(run)), None) as other:
        assert other.server_port not in (0, server.server_port)


def test_the_command_says_its_address_in_one_line_and_ends_with_an_interrupt(run: Path) -> None:
    command = [sys.executable, "-m", "harness", "view", str(run), "--port", "0"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_interrupts)
    assert process.stdout
    try:
        line = process.stdout.readline()
        port = int(line.partition("http://127.0.0.1:")[2].partition("/")[0])
        socket.create_connection(("127.0.0.1", port)).close()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    finally:
        process.kill()
    assert process.returncode == 130
    assert line == f"'{run}' is shown at http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"


def test_time_left_goes_by_the_pace_since_the_start_or_since_the_first_look(run: Path) -> None:
    (run / ".lock").write_text(f"pid {os.getppid()}")
    header = json.loads((run / "run.json").read_text())
    header["provenance"]["date"] = "1970-01-01T00:00:00+00:00"
    (run / "run.json").write_text(json.dumps(header))
    progress = read_progress(RunFolder(run), Lines())
    assert Pace(lambda: 170.0).seconds_left(progress) == pytest.approx(170 / 17 * 3)  # what failed is not waited for
    header["resumed"] = [{"date": "1970-01-01T00:00:00+00:00"}]
    (run / "run.json").write_text(json.dumps(header))
    assert Pace(lambda: 170.0).seconds_left(read_progress(RunFolder(run), Lines())) is None
    assert [duration(seconds) for seconds in (12.4, 180, 9000)] == ["12 s", "3 min", "2.5 h"]


@contextmanager
def watched(chromium: "Browser", server: Server) -> Iterator["Page"]:
    """The page in a browser; nothing is complained of, and nothing asked of anybody else."""
    page = chromium.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    yield page
    page.close()
    assert complaints == []
    assert all(url.startswith(server.url) for url in requests)


def test_the_page_follows_a_run_by_itself(chromium: "Browser", run: Path, server: Server) -> None:
    until(lambda: "default/advbench/refusal_rate" in texts(server))
    with watched(chromium, server) as page:
        cell = page.locator("span[data-live='scans/0/alpaca']")
        assert cell.inner_text() == "1"
        assert faults(page) == []
        answer_alpaca(run, 3)
        page.get_by_text("19 of 30 replies").wait_for(timeout=10_000)
        assert cell.inner_text() == "3"
        assert page.locator("progress[data-live='scans/0/alpaca']").evaluate("bar => bar.value") == 3
        answer_alpaca(run, 4)
        page.get_by_text("Of the 4 of 6 cells").wait_for(timeout=10_000)
        assert page.get_by_role("status").inner_text() == "Ended, with failures. 60 % of the replies."


def test_the_page_is_whole_without_javascript(chromium: "Browser", server: Server) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    assert page.get_by_text("17 of 30 replies").is_visible()
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    context.close()
