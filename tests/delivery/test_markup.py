"""What Markdown means, also where it is broken, hostile or not finished."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bot.delivery.markup import CodeBlock, Heading, Item, Listing, Paragraph, Quote, Rule, Run, Style, Table, parse
from bot.delivery.rendering import render_plain, render_spans


def test_styles_add_up() -> None:
    assert parse("a **b *c* ~~d~~**").blocks == (
        Paragraph(
            (
                Run("a "),
                Run("b ", Style.BOLD),
                Run("c", Style.BOLD | Style.ITALIC),
                Run(" ", Style.BOLD),
                Run("d", Style.BOLD | Style.STRIKETHROUGH),
            )
        ),
    )


def test_blocks_are_what_they_look_like() -> None:
    document = parse("# H\n\n---\n\n> q\n\n```py x\nc\n```\n\n    indented")
    assert document.blocks == (
        Heading((Run("H"),), 1),
        Rule(),
        Quote((Paragraph((Run("q"),)),)),
        CodeBlock("c", "py"),
        CodeBlock("indented"),
    )


def test_lists_keep_their_start_and_their_tasks() -> None:
    assert parse("7. a\n8. b").blocks == (
        Listing((Item((Paragraph((Run("a"),)),)), Item((Paragraph((Run("b"),)),))), start=7),
    )
    assert parse("- [x] a\n- [ ] b").blocks == (
        Listing((Item((Paragraph((Run("a"),)),), True), Item((Paragraph((Run("b"),)),), False))),
    )


def test_tables_keep_their_alignment() -> None:
    [table] = parse("|a|b|c|d|\n|-|:-|-:|:-:|\n|1|2|3|4|").blocks
    assert isinstance(table, Table)
    assert table.alignments == ("", "left", "right", "center")
    assert table.rows[0][3] == (Run("4"),)


@pytest.mark.parametrize("url", ["https://x.y", "http://x.y", "mailto:a@b.c", "tg://resolve?domain=x", "tel:+12"])
def test_links_that_may_be_followed_are_links(url: str) -> None:
    assert parse(f"[label]({url})").blocks == (Paragraph((Run("label", url=url),)),)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "foo/bar.md", "data:text/html,x"])
def test_other_links_are_text_with_their_address(url: str) -> None:
    assert parse(f"[label]({url})").blocks == (Paragraph((Run(f"label ({url})"),)),)


def test_images_are_links_named_by_their_text() -> None:
    assert parse("![a cat](https://x.y/c.png)").blocks == (Paragraph((Run("a cat", url="https://x.y/c.png"),)),)
    assert parse("[![badge](https://x.y/b.png)](https://x.y)").blocks == (
        Paragraph((Run("badge", url="https://x.y"),)),
    )


def test_html_is_text() -> None:
    assert render_plain(parse("<b>x</b>\n\n<script>alert(1)</script>")) == "<b>x</b>\n\n<script>alert(1)</script>"


def test_what_no_platform_accepts_is_mended() -> None:
    assert render_plain(parse("a\x00b\x07c\x1bd\x85e\ud800f\r\ng&#12;h")) == "abcd\ne\ufffdf\ng\nh"


def test_characters_that_join_and_direct_survive() -> None:
    text = "👨‍👩‍👧 \u200bשלום\u200f می‌خواهم"
    assert render_plain(parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "\u200b\u2060\ufeff", "\u202e\u202c", "\u3164", "- \n- ", "```\n\n```", "#"]
)
def test_what_cannot_be_seen_is_an_empty_document(text: str) -> None:
    assert parse(text).is_empty


@pytest.mark.parametrize("text", [">" * 1000 + " deep", "- " * 1000 + "deep", "*_" * 1000 + "deep" + "_*" * 1000])
def test_depth_loses_nothing(text: str) -> None:
    assert "deep" in render_spans(parse(text)).text


@pytest.mark.parametrize("text", ["[" * 20000, "![" * 10000, "*_" * 10000, "![a" * 3000 + "](x)" * 3000, "|a" * 9000])
def test_hostile_text_takes_seconds_at_most(text: str) -> None:
    started = time.perf_counter()
    parse(text)
    parse(text, partial=True)
    assert time.perf_counter() - started < 10


def test_importing_costs_no_parser() -> None:
    code = "import sys, bot.delivery.markup, bot.delivery.splitting; print('markdown_it' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("so **bo", "so bo"),
        ("so **", "so"),
        ("so *it", "so it"),
        ("see [te", "see te"),
        ("see [text](htt", "see text"),
        ("see ![al", "see al"),
        ("use `co", "use co"),
        ("~~gone", "gone"),
        ("2 * 3", "2 * 3"),
        ("text\n-", "text"),
        ("text\n#", "text"),
        ("- one\n- ", "• one"),
        ("one\n\n**two", "one\n\ntwo"),
        ("snake_case", "snake_case"),
        ("```py\nx\n``", "x"),
        ("|a|b|\n|-", "a  b\n-  -"),
    ],
)
def test_half_marks_are_not_shown_while_a_text_is_written(text: str, shown: str) -> None:
    assert render_spans(parse(text, partial=True)).text == shown


def test_what_is_open_while_a_text_is_written_has_its_style() -> None:
    assert [span.kind for span in render_spans(parse("so **bold *both", partial=True)).spans] == ["bold", "italic"]
    assert [span.kind for span in render_spans(parse("```py\nx = [", partial=True)).spans] == ["pre"]


def test_a_whole_text_is_not_changed_by_being_partial() -> None:
    text = "# H\n\n- **a** `b` [c](https://x.y)\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nx\n```\n\nEnd *here*."
    assert parse(text, partial=True) == parse(text)
