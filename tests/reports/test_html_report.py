import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from reports import html
from reports.base import Comparison


class Page(HTMLParser):
    """Notes tags, attributes, and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.is_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.is_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self.is_script = self.is_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.is_script:
            self.scripts.append(data)


@pytest.fixture
def text(comparison: Comparison) -> str:
    return html.render(comparison)


@pytest.fixture
def page(text: str) -> Page:
    return Page(text)


def test_hostile_text_makes_no_element_and_no_handler(page: Page) -> None:
    assert "img" not in page.tags
    assert page.tags.count("script") == len(html.SCRIPTS) + 3  # the index and two columns of replies
    assert [name for name, _ in page.attributes if name.startswith("on")] == []


def test_the_page_refers_to_nothing_outside_itself(page: Page, text: str) -> None:
    references = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "action", "data")]
    assert all(value.startswith("#") for value in references)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_the_policy_admits_no_network_and_only_our_own_script(page: Page) -> None:
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in page.scripts[3:]]
    assert "default-src 'none'" in policy
    assert "script-src " + " ".join(f"'sha256-{digest}'" for digest in digests) + ";" in policy


def test_replies_are_only_ever_written_as_text(page: Page) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", "".join(page.scripts[3:]))


def test_every_plot_says_what_it_shows(page: Page) -> None:
    labels = [value for name, value in page.attributes if name == "aria-label"]
    assert "Refusal rate (%) ↑, attacked. default 28.0; neurontune 62.0" in labels
    assert "Safety over utility on attacked+benign. default: safety 0.640, utility 0.657; " in " ".join(labels)
    assert page.attributes.count(("role", "img")) == 9


def test_no_id_occurs_twice(page: Page) -> None:
    ids = [value for name, value in page.attributes if name == "id"]
    assert sorted({value for value in ids if ids.count(value) > 1}) == []


def test_the_leaderboard_says_in_words_and_signs_what_differs_from_default(text: str) -> None:
    told = "95 % interval +30.0 to +38.0; p &lt;0.001 after Holm, &lt;0.001 alone; "
    told += "mid-p McNemar (exact p &lt;0.001) on 48 prompts, 17 of them disagree (2 left out)"
    assert (
        f'<span class="delta better" title="{told}">+34.0*<span class="spoken"> better than default</span></span>'
        in text
    )
    assert re.search(r'<span class="delta" title="[^"]*">\+2\.0 n\.s\.</span>', text)


def test_differences_have_a_section_with_a_table_for_every_headline_number(page: Page, text: str) -> None:
    assert ("href", "#differences") in page.attributes
    section = text[text.index('<section id="differences">') : text.index('<section id="corrected">')]
    assert section.count("<table") == 5
    assert "1 of 1 arm differs" in section
    assert re.search(
        r'<td data-sort="0\.3[34]\d*" class="delta better">\+34\.0\*<span class="spoken"> better</span></td>', section
    )


def test_without_differences_no_test_is_spoken_of(comparison: Comparison) -> None:
    text = html.render(replace(comparison, differences={}))
    assert "n.s." not in text and 'id="differences"' not in text and "#differences" not in text


def test_a_method_card_tells_what_its_arms_have_been_set_and_tuned_to(text: str) -> None:
    section = text[text.index('<section id="methods">') : text.index('<section id="provenance">')]
    assert "tuned for su_f1 on 240 dev prompts of &#39;embedded&#39;, 20 trials, 1,234 forward equivalents" in section
    assert "Scales a few &lt;b&gt;neurons&lt;/b&gt;." in section
    assert (
        "<b>layers</b> {&#34;first&#34;: 1, &#34;last&#34;: 5} (default {&#34;first&#34;: 0, &#34;last&#34;: 5})"
        in section
    )
    assert "Source: section 3 | table 1" in section
    assert section.count("<article") == 3


def test_a_failed_arm_is_told_with_its_reason(text: str) -> None:
    assert "loss is nan\nat step 3 \\u001b[2J|" in text


def test_the_command_to_reproduce_is_there(text: str) -> None:
    assert "<code>equipoise run --model tiny/model_a</code></pre>" in text


def test_a_long_name_breaks_after_its_joints_and_stays_text() -> None:
    assert html.breakable("neurontune-50+refusal_direction") == "neurontune-<wbr>50+<wbr>refusal_<wbr>direction"
    assert html.breakable("<b>") == "&lt;b&gt;"
