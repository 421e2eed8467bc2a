"""What a person sees of each construct, with spans, in Markdown and as plain text."""

from __future__ import annotations

import pytest

from bot.channel import Span
from bot.delivery.markdown import render_markdown
from bot.delivery.markup import Document, Paragraph, Run, Style, parse
from bot.delivery.rendering import render_plain, render_spans


def _spans(markdown: str) -> list[tuple[str, str, str]]:
    formatted = render_spans(parse(markdown))
    return [(span.kind, formatted.text[span.start : span.end], span.value) for span in formatted.spans]


def test_a_heading_is_bold() -> None:
    assert _spans("## Title *here*") == [("bold", "Title here", ""), ("italic", "here", "")]


def test_offsets_count_code_points() -> None:
    assert render_spans(parse("🙂 **b**")).spans == (Span("bold", 2, 3),)


def test_lists_are_indented_under_their_text() -> None:
    shown = render_spans(parse("- a\n  - b\n    7. c\n    8. d\n- [x] e\n- [ ] f")).text
    assert shown.replace("\u00a0", "_") == "• a\n__• b\n____7. c\n____8. d\n☑ e\n☐ f"


def test_a_loose_list_has_gaps() -> None:
    assert render_spans(parse("- a\n\n- b")).text == "• a\n\n• b"


def test_a_rule_is_a_line() -> None:
    assert render_spans(parse("a\n\n---\n\nb")).text == "a\n\n———\n\nb"


def test_line_breaks_stay() -> None:
    assert render_spans(parse("a\nb  \nc")).text == "a\nb\nc"


def test_quotes_within_quotes_are_one_quote() -> None:
    assert _spans("> a\n>\n> > b") == [("quote", "a\n\nb", "")]


def test_code_in_bold_text_is_only_code() -> None:
    assert _spans("**a `b` c**") == [("bold", "a", ""), ("code", "b", ""), ("bold", "c", "")]


def test_code_that_is_a_link_has_the_address_after_it() -> None:
    assert render_spans(parse("[`x`](https://x.y)")).text == "x (https://x.y)"
    assert _spans("[`x`](https://x.y)") == [("code", "x", "")]


def test_code_blocks_keep_indentation_and_language() -> None:
    assert _spans("```c++\n  a\n\n  b\n```") == [("pre", "  a\n\n  b", "c++")]


def test_a_link_contains_styles() -> None:
    assert _spans("[a **b**](https://x.y)") == [("link", "a b", "https://x.y"), ("bold", "b", "")]


def test_styles_that_overlap_are_written_as_nested() -> None:
    runs = (Run("a", Style.BOLD), Run("b", Style.BOLD | Style.ITALIC), Run("c", Style.ITALIC))
    spans = render_spans(Document((Paragraph(runs),))).spans
    assert spans == (Span("bold", 0, 2), Span("italic", 1, 2), Span("italic", 2, 3))


def test_white_space_is_outside_of_spans() -> None:
    runs = (Run("a"), Run(" b ", Style.BOLD), Run("\u2003", Style.ITALIC), Run("c", Style.SPOILER))
    assert render_spans(Document((Paragraph(runs),))).spans == (Span("bold", 2, 3), Span("spoiler", 5, 6))


def test_a_narrow_table_is_aligned_by_what_is_seen() -> None:
    table = "|Name|数|\n|:-|-:|\n|中文|1|\n|👨‍👩‍👧|22|\n|x|3|"
    assert render_spans(parse(table)).text == "Name  数\n----  --\n中文   1\n👨‍👩‍👧    22\nx      3"
    assert [kind for kind, _, _ in _spans(table)] == ["pre"]


def test_a_wide_table_is_a_line_for_each_cell() -> None:
    table = f"|Name|Text|\n|-|-|\n|a|{'wide ' * 8}|\n|b||"
    assert render_spans(parse(table)).text == f"Name: a\nText: {('wide ' * 8).strip()}\n\nName: b"
    assert [text for kind, text, _ in _spans(table) if kind == "bold"] == ["Name", "Text", "Name"]


def test_links_in_a_table_can_be_followed() -> None:
    assert ("link", "here", "https://x.y") in _spans("|a|\n|-|\n|[here](https://x.y)|")


def test_how_wide_a_table_may_be_is_given() -> None:
    table = parse(f"|a|b|\n|-|-|\n|{'x' * 40}|2|")
    assert render_spans(table).text.startswith("a: ")
    assert render_spans(table, columns=80).text.startswith("a   ")


def test_plain_text_has_addresses_and_marks_quotes() -> None:
    assert render_plain(parse("> **a** [b](https://x.y)\n>\n> c")) == "> a b (https://x.y)\n>\n> c"
    assert render_plain(parse("<https://x.y>")) == "https://x.y"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("**a** *b* ~~c~~ `d`", "**a** *b* ~~c~~ `d`"),
        ("***a***", "***a***"),
        ("2\\*3\\*4 snake_case \\~\\~x", "2\\*3\\*4 snake\\_case \\~\\~x"),
        ("a || b || c", "a \\|\\| b \\|\\| c"),
        ("\\# a", "\\# a"),
        ("\\- a", "\\- a"),
        ("1\\. a", "1\\. a"),
        ("\\> a", "\\> a"),
        ("- a", "• a"),
        ("3. a", "3\\. a"),
        ("# a", "**a**"),
        ("[a](https://x.y/(z))", "[a](https://x.y/%28z%29)"),
        ("[https://x.y](https://z.y)", "https://x.y (https://z.y)"),
        ("<https://x.y/a_b>", "https://x.y/a_b"),
        ("see https://x.y/a_b_c now", "see https://x.y/a_b_c now"),
        ("[a](mailto:a@b.c)", "a (mailto:a@b.c)"),
        ("\\[a](https://x.y)", "[a\\](https://x.y)"),
        ("<t:1618953630>", "\\<t:1618953630>"),
        ("`` a`b ``", "``a`b``"),
        ("> a\n> b\n>\n> c", "> a\n> b\n> \n> c"),
        ("```py\nx\n```", "```py\nx\n```"),
        ("> ```py\n> x\n> ```", "> ```py\n> x\n> ```"),
        ("|a|b|\n|-|-|\n|1|2|", "```\na  b\n-  -\n1  2\n```"),
    ],
)
def test_markdown_says_what_was_meant_and_no_more(text: str, source: str) -> None:
    assert render_markdown(parse(text)) == source


def test_backticks_in_a_block_do_not_end_it() -> None:
    assert render_markdown(parse("````\n```\n````")) == "```\n``\u200b`\n```"


def test_signs_that_meet_are_kept_apart() -> None:
    runs = (Run("a", Style.BOLD), Run("b", Style.ITALIC))
    assert render_markdown(Document((Paragraph(runs),))) == "**a**\u200b*b*"
