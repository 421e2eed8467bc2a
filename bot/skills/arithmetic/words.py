"""How people write and say arithmetic, in English and Chinese, as the signs of one notation."""

from __future__ import annotations

import re
import unicodedata

from bot.understanding.slots.amounts import numbers_of
from bot.understanding.slots.scanning import normalised, tokens_of

Table = tuple[tuple[str, str], ...]

SIGNS: Table = (
    ("×|✕|⋅|·|∙", "*"),
    ("÷", "/"),
    (r"(?<=\d)\s*:\s*(?=\d)", "/"),
    (r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", "*"),
    ("−|–|—", "-"),
    (r"\*\*", "^"),
    ("²", "^2"),
    ("³", "^3"),
    ("√", "sqrt "),
    ("π", "pi"),
    ("¼", "(1/4)"),
    ("½", "(1/2)"),
    ("¾", "(3/4)"),
    ("→|⇒|->", " to "),
    ("℃", "°C"),
    ("℉", "°F"),
)
ENGLISH: Table = (
    (r"\b(?:a )?half(?= of\b)", "(1/2)"),
    (r"\b(?:a |1 )quarter(?= of\b)", "(1/4)"),
    (r"\b(?:a |1 )third(?= of\b)", "(1/3)"),
    (r"\bmultiplied by\b|\btimes\b", "*"),
    (r"\bdivided by\b|\bover\b", "/"),
    (r"\bplus\b", "+"),
    (r"\bminus\b|\bless\b", "-"),
    (r"\b(?:to the power of|raised to(?: the)?(?: power(?: of)?)?)\b", "^"),
    (r"\bsquared\b", "^2"),
    (r"\bcubed\b", "^3"),
    (r"\b(?:the )?square root(?: of)?\b", "sqrt "),
    (r"\bmod(?:ulo)?\b", "mod"),
    (r"\bper ?cent\b", "%"),
    (r"\b(?:converted (?:in)?to|expressed in|into)\b", " to "),
    (r"\bdegrees? celsius\b|\bcelsius\b|\bdegrees? c\b", "°C"),
    (r"\bdegrees? fahrenheit\b|\bfahrenheit\b|\bdegrees? f\b", "°F"),
    (r"\bper\b", "/"),
)
CHINESE: Table = (
    (r"([\d.]+)的平方根", r"sqrt \1"),
    ("平方根|根号", "sqrt "),
    (r"百分之\s*([\d.]+)", r"\1%"),
    ("加上?", "+"),
    ("减去?", "-"),
    ("乘以?", "*"),
    ("除以", "/"),
    ("的平方(?!根)", "^2"),
    ("的立方", "^3"),
    (r"的(?=\s*[\d.]+\s*%)", "*"),
    ("左括号", "("),
    ("右括号", ")"),
    ("转换成|换算成|换成|化成|转成|变成", " to "),
    ("平方公里", " km^2 "),
    ("平方米", " m^2 "),
    ("立方米", " m^3 "),
    ("公里|千米", " km "),
    ("厘米", " cm "),
    ("毫米", " mm "),
    ("英里", " mile "),
    ("英尺", " ft "),
    ("英寸", " inch "),
    ("(?<![A-Za-z])米", " m "),
    ("公斤|千克", " kg "),
    ("毫升", " ml "),
    ("升", " l "),
    ("磅", " lb "),
    ("盎司", " oz "),
    ("斤", " jin "),
    ("毫克", " mg "),
    ("克", " g "),
    ("吨", " tonne "),
    ("小时", " hour "),
    ("分钟", " minute "),
    ("秒钟?", " second "),
    ("天", " day "),
    ("周|星期", " week "),
    ("摄氏度", "°C"),
    ("华氏度", "°F"),
    ("每", "/"),
)
# a question about an amount: which unit is wanted, and of what
ASKED: Table = (
    (r"^(?:how many|how much)\s+(?P<unit>[^\d]+?)\s+(?:is|are|in|make|makes|go into)\s+(?P<amount>.+)$", "en"),
    (r"^(?P<amount>.+?)(?:等于|是|有|合)(?:多少|几)(?:个)?(?P<unit>[^\d?]+)$", "zh"),
)
_ASKING = (
    r"^(?:please\s+)?(?:what(?:'s|s| is| are)|how much (?:is|are)|calculate|compute|work out|convert|solve|evaluate"
    r"|请?(?:帮我)?(?:计算|算一下|算算|算|求))(?:一下)?\s*"
)
_ENDING = r"(?:\s*(?:=|equals?|等于(?:多少|几)?|是(?:多少|几)|得(?:多少|几)))?(?:[\s?.。？！呢]|(?<![\d)])!)*$"
AROUND = re.compile(f"{_ASKING}|{_ENDING}", re.IGNORECASE)
"""What only makes it a question."""


def plain(text: str) -> str:
    """The text in signs and ASCII words, without what only makes it a question."""
    for sign, told in SIGNS:  # before NFKC, which writes ½ as 1⁄2
        text = re.sub(sign, told, text)
    text = _in_figures(AROUND.sub("", unicodedata.normalize("NFKC", text).strip()))
    for pattern, _ in ASKED:
        if match := re.match(pattern, text, re.IGNORECASE):
            text = f"{match['amount']} to {match['unit']}"
            break
    for pattern, told in (*ENGLISH, *CHINESE):
        text = re.sub(pattern, told, text, flags=re.IGNORECASE)
    return text.strip()


def _in_figures(text: str) -> str:
    """The text with numbers in words written in figures."""
    if "百分之" in text:  # its hundred is none
        return "百分之".join(map(_in_figures, text.split("百分之")))
    told = normalised(text)
    for number in reversed(numbers_of(tokens_of(told), told)):
        if not any(sign.isdecimal() for sign in number.text):
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    return text
