"""Tasks of lm-evaluation-harness as benchmarks: `lm_eval:hellaswag`, or `lm_eval:TASK@FOLDER` of YAML of one's own.

One prompt a document, so that it is recorded what was asked; the task itself asks and scores (`harness/lm_eval.py`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.base import Benchmark, Intent, Kind, Message, Prompt, Split
from benchmarks.errors import UserError, describe

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

PREFIX = "lm_eval:"
ANSWERABLE = ("multiple_choice", "generate_until")
"""Others ask whether a text is the greedy reply, or for the likelihood of a whole corpus, which no arm can tell."""


class TaskName(NamedTuple):
    """What stands after the prefix."""

    task: str
    folder: str | None
    """With YAML files of one's own; those that lm-eval ships are then not looked at, which saves seconds."""

    @classmethod
    def of(cls, text: str) -> "TaskName":
        """Of `lm_eval:TASK` or `lm_eval:TASK@FOLDER`.

        Raises:
            UserError: If the folder is not there.
        """
        task, _, folder = text.removeprefix(PREFIX).partition("@")
        if folder and not Path(folder).is_dir():
            raise UserError(f"'{text}' names the folder '{folder}', which is not there. Write lm_eval:TASK@FOLDER.")
        return cls(task, folder or None)

    def manager(self) -> "TaskManager":
        """Knows the tasks that lm-eval ships, or those of the folder.

        Raises:
            UserError: If lm-eval is not installed.
        """
        try:
            from lm_eval.tasks import TaskManager
        except ImportError as error:
            raise UserError(
                f"'{PREFIX}{self.task}' needs the package lm-eval. Run: pip install 'lm-eval[hf]==0.4.13'."
            ) from error
        return TaskManager(include_path=self.folder, include_defaults=self.folder is None)


def load_task(text: str) -> Benchmark:
    """The documents of a task or group, each with the text that it is asked by.

    Raises:
        UserError: If there is no such task, its data cannot be had, or it asks what no arm can answer.
    """
    name = TaskName.of(text)
    manager = name.manager()
    if name.task not in manager.all_tasks:
        where = f"in '{name.folder}'" if name.folder else "of that name; list them with: lm_eval ls tasks"
        raise UserError(f"lm-eval finds no task '{name.task}' {where}.")
    try:
        tasks = manager.load([name.task])["tasks"]
    except (OSError, ValueError) as error:  # what `datasets` raises for a set that it cannot reach, and its kin
        raise UserError(f"The data of '{text}' cannot be had: {describe(error).rstrip('.')}.") from error
    prompts, versions = [], []
    for key, task in tasks.items():
        if task.OUTPUT_TYPE not in ANSWERABLE:
            raise UserError(
                f"Task '{key}' of lm-eval is of type {task.OUTPUT_TYPE}; arms can answer {' and '.join(ANSWERABLE)}."
            )
        task.build_all_requests()
        versions.append(str(task.VERSION))
        texts = {request.doc_id: request.args[0] for request in task.instances}
        prompts += [_prompt(key, number, asked) for number, asked in sorted(texts.items())]
    return Benchmark(
        name=f"lm_eval-{name.task}",
        title=f"{name.task} of lm-evaluation-harness",
        kind=Kind.TASK,
        intent=Intent.BENIGN,
        prompts=tuple(prompts),
        source=text,
        revision=f"task version {', '.join(sorted(set(versions)))}",
        licence="see the task's own page",
    )


def prompt_id(task: str, document: int) -> str:
    """Of the document with that number."""
    return f"{task}-{document}"


def _prompt(task: str, document: int, asked: str) -> Prompt:
    name = prompt_id(task, document)
    messages = (Message("user", asked),)
    return Prompt(name, messages, Intent.BENIGN, name, asked, "lm-eval", Split.TEST, category=task, is_raw=True)
