"""What a task of lm-evaluation-harness makes of a document, which it notes beside the reply."""

from metrics.base import Exchange, Score


def task_score(exchange: Exchange) -> Score:
    """The task's first metric. Unscored where that is no share."""
    value = exchange.reply.action.get("task_score")
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return Score.unscored(f"the task's score is {value!r}, no share")
    return Score(float(value))
