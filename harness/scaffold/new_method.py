"""Write a working method with its test, under a name of the author's own."""

import keyword
import re
from pathlib import Path
from typing import NamedTuple

from benchmarks.errors import UserError
from harness.storage import writing
from methods.registry import METHODS

_HERE = Path(__file__).parent


class Written(NamedTuple):
    """The two files, and the class in the first."""

    method: Path
    test: Path
    class_name: str

    @property
    def argument(self) -> str:
        """What `--methods` calls the method."""
        return f"{self.method}:{self.class_name}"


def write_method(name: str, folder: Path) -> Written:
    """Write `NAME.py` and `test_NAME.py` into a folder, which is made if need be.

    Raises:
        UserError: If the name will not do, or one of the files is there already.
        StorageError: If the disk refuses.
    """
    class_name = "".join(word.capitalize() for word in name.split("_"))
    written = Written(folder / f"{name}.py", folder / f"test_{name}.py", class_name)
    texts = {
        written.method: (_HERE / "toy_method.py").read_text(encoding="utf-8"),
        written.test: (_HERE / "toy_method_conformance.py").read_text(encoding="utf-8"),
    }
    _check_name(name)
    for path, text in texts.items():
        if re.search(rf"\b{class_name}\b", text):
            raise UserError(f"'{class_name}' means something else inside of the new files. Choose another name.")
        if path.exists():
            raise UserError(f"'{path}' is there already and is left as it is. Choose another name or --output.")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(_renamed(text, name, class_name), encoding="utf-8")
    return written


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UserError(f"'{name}' cannot name a method. Use small letters, digits and single '_', as in 'my_method'.")
    if name in METHODS:
        raise UserError(f"'{name}' is a built-in method. Choose another name.")


def _renamed(text: str, name: str, class_name: str) -> str:
    """The toy's text under other names."""
    title = name.replace("_", " ").capitalize()
    return text.replace("toy_method", name).replace("ToyMethod", class_name).replace("Toy method", title)
