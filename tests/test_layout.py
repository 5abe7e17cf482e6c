import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "benchmarks": set(),
    "metrics": {"benchmarks"},
    "methods": {"benchmarks"},
    "reports": {"metrics", "benchmarks"},
    "harness": {"benchmarks", "metrics", "methods", "reports"},
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


ALL = [path for package in MAY_IMPORT for path in sources(package)]


def imported(path: Path) -> Iterator[str]:
    """Top-level names of all that a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield (node.module or "").split(".")[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package: str) -> None:
    assert sources(package)
    allowed = {package, *MAY_IMPORT[package]}
    wrong = [
        (name(path), found) for path in sources(package) for found in imported(path) if found in {*MAY_IMPORT} - allowed
    ]
    assert not wrong


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_nothing_that_ships_imports_the_tests(package: str) -> None:
    assert not [name(path) for path in sources(package) if "tests" in imported(path)]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_is_the_checkouts(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None, f"{package} has no __init__.py"
    assert Path(spec.origin).parent == ROOT / package


@pytest.mark.parametrize("module", ["base", "registry"])
@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_has_its_contract_and_its_table(package: str, module: str) -> None:
    assert importlib.import_module(f"{package}.{module}").__doc__


def test_the_harness_package_file_is_empty_so_that_the_checkout_wins() -> None:
    assert (ROOT / "harness" / "__init__.py").read_text() == ""


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [name(path) for path in ALL if path.stem in SAYS_NOTHING]


def test_no_file_is_longer_than_300_lines() -> None:
    measured = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}
    assert not {path: lines for path, lines in measured.items() if lines > 300}


def test_no_function_is_longer_than_50_lines() -> None:
    long = [
        (name(path), node.name)
        for path in ALL
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= 50
    ]
    assert not long


def test_no_two_tests_have_the_same_file_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(set(names)) == len(names)
