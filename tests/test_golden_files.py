from pathlib import Path

TESTS = Path(__file__).parent


def test_every_golden_file_is_named_by_a_test() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    unread = [path.name for path in (TESTS / "golden").iterdir() if f'"{path.name}"' not in sources]
    assert not unread, f"read by no test, so remove: {unread}"
