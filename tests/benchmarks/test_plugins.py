import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import registry
from benchmarks.base import Benchmark, Intent, Kind
from benchmarks.embedded import sets
from benchmarks.errors import UserError
from benchmarks.plugins import Catalogue, PluginError, member_faults
from benchmarks.withholding import WithheldError, withheld
from metrics.registry import judge

Install = Callable[..., None]
COLOURS: Catalogue[str] = Catalogue(
    "colour", {"red": "#f00"}, lambda thing: [] if isinstance(thing, str) else ["it is no text"]
)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with one module and one entry point where Python finds it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(package: str, group: str, point: str, code: str) -> None:
        facts = tmp_path / f"{package}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[equipoise.{group}]\n{point}\n")
        (tmp_path / f"{package}.py").write_text(code)

    return make


def test_what_is_built_in_comes_before_what_is_installed_and_that_is_told(install: Install) -> None:
    install("paints", "colours", "red = paints:RED", "RED = '#e00'")
    assert COLOURS.find("red") == "#f00"
    told = "Colour 'red' of package 'paints 1.0' (paints:RED) is not used: the built-in colour of that name is."
    assert COLOURS.hidden(["red"]) == [told]
    assert COLOURS.hidden(["blue"]) == []
    assert COLOURS.available() == ({"red": "#f00"}, (told,))
    assert "paints" not in sys.modules


def test_a_package_is_imported_when_its_thing_is_named_and_not_before(install: Install) -> None:
    install("dyes", "colours", "blue = dyes:BLUE", "BLUE = '#00f'")
    with pytest.raises(UserError) as told:
        COLOURS.find("bleu")
    assert str(told.value) == "No colour named 'bleu'. Did you mean 'blue'? Available: blue, red."
    assert "dyes" not in sys.modules
    assert COLOURS.find("blue") == "#00f"
    assert COLOURS.available() == ({"red": "#f00", "blue": "#00f"}, ())


@pytest.mark.parametrize(
    ("package", "point", "code", "message"),
    [
        (
            "inks_raise",
            "inks_raise:BLUE",
            "1 / 0",
            "Colour 'blue' of package 'inks_raise 1.0' (inks_raise:BLUE) failed while it was imported: "
            "ZeroDivisionError: division by zero.",
        ),
        (
            "inks_exit",
            "inks_exit:BLUE",
            "raise SystemExit('bye')",
            "Colour 'blue' of package 'inks_exit 1.0' (inks_exit:BLUE) failed while it was imported: SystemExit: bye.",
        ),
        (
            "inks_gone",
            "inks_elsewhere:BLUE",
            "",
            "Colour 'blue' of package 'inks_gone 1.0' (inks_elsewhere:BLUE) failed while it was imported: "
            "ModuleNotFoundError: No module named 'inks_elsewhere'.",
        ),
        (
            "inks_bare",
            "inks_bare:BLUE",
            "",
            "Colour 'blue' of package 'inks_bare 1.0' (inks_bare:BLUE) failed while it was imported: "
            "AttributeError: module 'inks_bare' has no attribute 'BLUE'.",
        ),
        (
            "inks_wrong",
            "inks_wrong:BLUE",
            "BLUE = 3",
            "Colour 'blue' of package 'inks_wrong 1.0' (inks_wrong:BLUE) cannot be used: it is no text.",
        ),
        (
            "inks_misnamed",
            "inks_misnamed:Blue",
            "class Blue(str):\n    name = 'azure'\n\nBlue = Blue('#00f')",
            "Colour 'blue' of package 'inks_misnamed 1.0' (inks_misnamed:Blue) cannot be used: "
            "its name is 'azure', not that of its entry point.",
        ),
    ],
)
def test_an_installed_thing_that_cannot_be_used_is_one_line_and_costs_the_others_nothing(
    package: str, point: str, code: str, message: str, install: Install
) -> None:
    install(package, "colours", f"blue = {point}", code)
    with pytest.raises(PluginError) as told:
        COLOURS.find("blue")
    assert str(told.value) == message
    assert COLOURS.available() == ({"red": "#f00"}, (message,))


def test_a_name_that_two_packages_offer_is_nobodys(install: Install) -> None:
    install("first", "colours", "blue = first:BLUE", "BLUE = '#00f'")
    install("second", "colours", "blue = second:BLUE", "BLUE = '#00e'")
    with pytest.raises(PluginError) as told:
        COLOURS.find("blue")
    packages = {"package 'first 1.0' and by package 'second 1.0'", "package 'second 1.0' and by package 'first 1.0'"}
    assert str(told.value) in {f"Colour 'blue' is offered by {both}. Uninstall all but one." for both in packages}


def test_a_file_gives_what_it_holds_and_is_read_again_only_if_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "blues.py"
    path.write_text("times = []\ntimes.append(1)\nBLUE = '#00f'\n")
    assert COLOURS.find(f"{path}:BLUE") == "#00f"
    first = next(module for name, module in sys.modules.items() if name.startswith("blues_"))
    assert COLOURS.find(f"{path}:BLUE") == "#00f"
    assert vars(first)["times"] == [1]
    path.write_text("times = []\ntimes.append(1)\nBLUE = '#00e'\n")
    assert COLOURS.find(f"{path}:BLUE") == "#00e"
    assert [entry.name for entry in tmp_path.iterdir()] == ["blues.py"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def nothing(: pass", "failed while it was imported: SyntaxError: invalid syntax (mine.py, line 1)."),
        ("import nowhere", "failed while it was imported: ModuleNotFoundError: No module named 'nowhere'."),
        ("class Red:\n    pass\n", "cannot be used: the file has no 'BLUE', only 'Red'."),
        ("import re\n", "cannot be used: the file has no 'BLUE', only nothing."),
        ("BLUE = 3", "cannot be used: it is no text."),
        (
            "class Text(str):\n    name = 'red'\n\nBLUE = Text('x')",
            "cannot be used: its name 'red' is that of a built-in colour.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(code)
    before = set(sys.modules)
    with pytest.raises(PluginError) as told:
        COLOURS.find("mine.py:BLUE")
    assert str(told.value) == f"Colour 'mine.py:BLUE' {message}"
    assert "imported" not in message or set(sys.modules) == before


def test_a_file_that_is_not_there_is_a_users_mistake_and_no_broken_plugin() -> None:
    with pytest.raises(UserError) as told:
        COLOURS.find("none/of/it.py:BLUE")
    assert str(told.value) == "No colour 'none/of/it.py:BLUE': there is no file 'none/of/it.py'."
    assert not isinstance(told.value, PluginError)


def test_members_are_looked_for_by_name_and_type() -> None:
    assert member_faults("text", {"__len__": object, "__doc__": str}, ["upper"]) == []
    assert member_faults("text", {"size": int, "__doc__": int}, ["shout"]) == [
        "it lacks 'size', 'shout'",
        "its '__doc__' is str, not int",
    ]


BENCHMARK = """
from benchmarks.base import Benchmark, Intent, Kind

def good():
    return Benchmark("mine", "mine", Kind.GENERATION, Intent.BENIGN, (), "here", "1", "CC0")

def renamed():
    return Benchmark("../mine", "mine", Kind.GENERATION, Intent.BENIGN, (), "here", "1", "CC0")

def nothing():
    return None

def broken():
    raise KeyError("column")

number = 3
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("renamed", "cannot be used: its name '../mine' cannot be that of a file."),
        ("nothing", "cannot be used: it gave NoneType, not a Benchmark."),
        ("broken", "failed while it was made: KeyError: 'column'."),
        ("number", "cannot be used: it is int, not a function or class to be called."),
    ],
)
def test_a_benchmark_in_a_file_is_checked_when_it_is_loaded(name: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BENCHMARK)
    assert registry.load_benchmark(f"{path}:good").name == "mine"
    with pytest.raises(PluginError) as told:
        registry.load_benchmark(f"{path}:{name}")
    assert str(told.value) == f"Benchmark '{path}:{name}' {message}"


def test_a_judge_in_a_file_is_checked_when_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from metrics.judges.keyword import KeywordJudge\n\n"
        "class Good(KeywordJudge):\n    name = 'good'\n\nclass Bad:\n    name = 'bad'\n"
    )
    assert judge(f"{path}:Good").version
    with pytest.raises(PluginError) as told:
        judge(f"{path}:Bad")
    assert str(told.value) == f"Judge '{path}:Bad' cannot be used: it lacks 'version', 'known_error', 'judge'."


def test_no_benchmark_can_be_had_while_test_prompts_are_withheld() -> None:
    with withheld("'x'", "fitted"):
        for ask in (
            lambda: registry.load_benchmark("embedded_attacked"),
            sets.attacked,
            lambda: Benchmark("embedded_attacked", "", Kind.GENERATION, Intent.BENIGN, (), "", "", ""),
        ):
            with pytest.raises(WithheldError) as told:
                ask()
            assert str(told.value) == "'x' asked for test prompts (benchmark 'embedded_attacked') while it was fitted."
        assert registry.load_alignment("embedded").train
    assert registry.load_benchmark("embedded_attacked").prompts


def test_test_prompts_are_within_reach_again_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), withheld("'x'", "fitted"):
        raise ZeroDivisionError
    assert sets.benign().prompts


def test_listing_what_is_available_imports_nothing_heavy() -> None:
    script = (
        "import sys, benchmarks.registry, methods.registry, metrics.registry, harness.registry\n"
        "for found in (benchmarks.registry, methods.registry): found.available()\n"
        "print([name for name in ('torch', 'transformers', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
