from hypothesis import given
from hypothesis import strategies as st

from reports.prompt_names import prompt_name


def test_an_id_that_says_nothing_stays() -> None:
    assert prompt_name("fact-046", "What is it?") == "fact-046"


def test_a_question_in_an_id_is_not_said() -> None:
    assert prompt_name("pretending-2/Where is it?", "Where is it?") == "pretending-2/#26dc5e52"


@given(st.text(max_size=20), st.text("abcdefgh ?", min_size=12, max_size=90).filter(str.strip), st.text(max_size=99))
def test_names_are_one_line_and_never_hold_the_question(before: str, question: str, after: str) -> None:
    name = prompt_name(before + question + after, question)
    assert question not in name
    assert len(name.splitlines()) <= 1


def test_two_prompts_of_one_template_keep_two_names() -> None:
    assert prompt_name("a/one question", "one question") != prompt_name("a/two question", "two question")
