"""Five hundred Markdown documents, the same at every run: every construct, nested, broken and cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random

_WORDS = (
    "the quick brown fox jumps over lazy dogs and naïve façades 3.14 snake_case a*b 2*3*4 C:\\dir <b> &amp; &lt; "
    "e\u0301 中文 你好，世界。 日本語のテキスト。 한국어 שלום עולם مرحبا بالعالم \u202bימין\u202c \u2067לא "
    "נסגר 🙂 👨‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️ "
    "# > - 1. + | || ~ ~~ ` \\ [ ] ( ) ! @everyone <@123> https://example.org/a_b_c https://example.org/*x* "
    "\u200b \u00ad ﷽ Z\u0335\u0321\u0322a\u0316\u0317lgo don't \ud800 \x00 \x07 \t"
)
WORDS = _WORDS.split(" ")
URLS = (
    "https://example.org/path",
    "http://x.y/(a)",
    "mailto:a@b.c",
    "tg://resolve?domain=x",
    "tel:+123",
    "foo/bar.md",
    "javascript:alert(1)",
    "#part",
    "",
    "https://例え.jp/パス",
)
LANGUAGES = ("", "python", "c++", "js title=x", "日本", "`")


class Author:
    """Writes documents by chance, of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def words(self, most: int = 12) -> str:
        return " ".join(self._random.choice(WORDS) for _ in range(self._random.randint(1, most)))

    def inline(self, depth: int = 0) -> str:
        pieces = [self._piece(depth) for _ in range(self._random.randint(1, 4))]
        return self._random.choice((" ", " ", "", "\n", "  \n")).join(pieces)

    def _piece(self, depth: int) -> str:
        inner = self.inline(depth + 1) if depth < 3 and self._random.random() < 0.5 else self.words(5)
        url = self._random.choice(URLS)
        forms = (f"**{inner}**", f"*{inner}*", f"_{inner}_", f"~~{inner}~~", f"[{inner}]({url})", f"![{inner}]({url})")
        codes = (f"`{inner}`", f"`` {inner} ` ``", f"**`{inner}`**", f"[`x`]({url})", f"<{url}>", f"***{inner}***")
        return self._random.choice((self.words(), self.words(), inner, *forms, *codes))

    def block(self, depth: int = 0) -> str:
        forms: list[Callable[[], str]] = [
            self.inline,
            self.inline,
            self._heading,
            self._code,
            self._table,
            lambda: "---",
        ]
        if depth < 4:
            forms += [lambda: self._quote(depth), lambda: self._list(depth), lambda: self._list(depth)]
        return self._random.choice(forms)()

    def _heading(self) -> str:
        return "#" * self._random.randint(1, 6) + " " + self.inline().replace("\n", " ")

    def _code(self) -> str:
        fence = self._random.choice(("```", "````", "~~~"))
        lines = ["    " * self._random.randint(0, 2) + self.words() for _ in range(self._random.randint(0, 12))]
        closing = "" if self._random.random() < 0.1 else fence
        return "\n".join((fence + self._random.choice(LANGUAGES), *lines, closing))

    def _table(self) -> str:
        count = self._random.randint(1, 4)
        rule = "|".join(self._random.choice(("---", ":--", "--:", ":-:")) for _ in range(count))
        rows = [self._row(self._random.choice((count, count, count + 1))) for _ in range(self._random.randint(0, 12))]
        return "\n".join((self._row(count), f"|{rule}|", *rows))

    def _row(self, count: int) -> str:
        is_styled = self._random.random() < 0.5
        cells = (self.inline(2).replace("\n", " ") if is_styled else self.words(2) for _ in range(count))
        return "|" + "|".join(cells) + "|"

    def _quote(self, depth: int) -> str:
        return "\n".join("> " + line for line in self.document(2, depth + 1).split("\n"))

    def _list(self, depth: int) -> str:
        kind = self._random.choice(("- ", "* ", "1. ", "7) ", "99. ", "- [ ] ", "- [x] "))
        gap = self._random.choice(("\n", "\n\n"))
        width = len(kind.split("[")[0])
        items = []
        for _ in range(self._random.randint(1, 5)):
            inner = self.document(2, depth + 1) if self._random.random() < 0.4 else self.inline(2)
            items.append(kind + inner.replace("\n", "\n" + " " * width))
        return gap.join(items)

    def document(self, blocks: int, depth: int = 0) -> str:
        return "\n\n".join(self.block(depth) for _ in range(self._random.randint(1, blocks)))

    def long(self, length: int) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) < length:
            parts.append(self.block())
        return "\n\n".join(parts)[:length]

    def broken(self) -> str:
        text = self.document(6)
        return text[: self._random.randint(0, len(text))]


SPECIAL = (
    "",
    " \n\t\u200b",
    ">" * 1000 + " deep",
    "- " * 1000 + "deep",
    "\n".join(" " * 2 * depth + "- item" for depth in range(60)),
    "*_" * 500 + "x" + "_*" * 500,
    "[" * 300,
    "![a" * 100 + "](x)" * 100,
    "a" + "\u0301" * 5000,
    "\u202e" * 50 + "turned",
    "nospaces" * 2000,
    "没有空格的长文本" * 1000,
    "👨‍👩‍👧‍👦" * 800,
    "**" + "bold " * 2000 + "**",
    "[" + "label " * 1500 + "](https://example.org)",
    "`" + "code " * 1500 + "`",
    "[x](https://example.org/" + "a" * 3000 + ")",
    " ".join(f"**{number}** `{number}`" for number in range(300)),
    "> " + "quoted words " * 1000,
    "```py\n" + "print('line')\n" * 1000 + "```",
    "```\n" + "x" * 9000 + "\n```",
    "|a|b|\n|-|-|\n" + "|1|2|\n" * 1500,
    "|name|text|\n|-|-|\n" + ("|n|" + "wide cell " * 20 + "|\n") * 60,
    "1. " + "first item goes on " * 500 + "\n2. second",
    "``` `` ```\n\n````\n```\n````",
)


@cache
def documents() -> tuple[str, ...]:
    return tuple(dict.fromkeys(_documents()))[:500]


def _documents() -> Iterator[str]:
    yield from SPECIAL
    for seed in range(8):
        yield Author(1000 + seed).long(20_000)
    for seed in range(150):
        yield Author(2000 + seed).broken()
    for seed in range(600):
        yield Author(seed).document(6)
