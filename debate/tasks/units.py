"""What may follow the digits of a number: words that multiply it, and units that do not."""

from __future__ import annotations

from collections.abc import Sequence

from debate.tasks.notation import Token


def split_words(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


CURRENCIES = frozenset("$€£¥₹₩₽₺₫₱฿")

SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "lakh": 10**5,
    "crore": 10**7,
    "dozen": 12,
}
_ABBREVIATED = {"k": 10**3, "bn": 10**9, "tn": 10**12}
_OF_MONEY = {"K": 10**3, "m": 10**6, "M": 10**6, "mn": 10**6}
_OF_MONEY |= {"b": 10**9, "B": 10**9, "t": 10**12, "T": 10**12}
"""Without a currency these are metres, kelvin, bytes, tonnes or factors, or cannot be told."""

_SPACED_LETTERS = frozenset("mgshLltNJWVACFdΩ")
_ADJACENT_LETTERS = frozenset("gshLlNJWVΩ")
_ADJACENT = split_words(
    """
    km cm mm nm μm µm kg mg ml mL cl dl lb lbs oz ft in yd mi mph kph kmh hr hrs min sec ms
    ns Hz kHz MHz GHz kW MW GW kWh kJ kN Pa kPa MPa KB kB MB GB TB mol rad deg ppm pts pcs
    USD EUR GBP INR JPY CNY
    """
)
"""Short words that are units although they touch the digits, where `ab` would be a product."""

_AFTER_METRE = frozenset(
    ("", "²", "³", "^", "/", ")", "·", "long", "high", "deep", "wide", "tall", "per")
)
"""What may follow `m`: with anything else, as in `5 m dollars`, it may be a million."""

_AFTER_MONEY = split_words(
    "per a an off for in of all net each CAD AUD USD EUR GBP CHF INR JPY 円 元"
)

_NO_UNITS = split_words(
    """
    rounded estimated estimate doubled tripled halved twice raised power root base binary hex
    hexadecimal octal etc guess short shy doz thou mill bill trill und
    cr dz mln bln trln mlrd mld mlr mia bio tys tis md jt rb trieu ty nghin ngan ming elfu laki
    and or to plus minus times over point divided by multiplied squared cubed factorial mod
    modulo not no never cannot is isn was wasn are aren wrong incorrect false maybe perhaps
    possibly probably likely if unless except but because so then rather instead than versus
    vs more less fewer least most about approximately approx around roughly nearly almost
    circa ish odd some above below under between greater smaller higher lower larger up down
    max min maximum minimum out onwards else half halves third thirds quarter quarters
    fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths
    tenth tenths hundredth hundredths thousandth thousandths millionth millionths one two
    three four five six seven eight nine ten ones twos tens eleven twelve score scores gross
    grand myriad lac lacs mil mio mrd mille mila bin yüz ribu juta ratus triệu nghìn ngàn tỷ
    tỉ trăm vạn cento cien ciento cientos docena docenas douzaine dozzina dutzend oder und
    ou et mehr weniger más menos mais più meno pas nicht x y z n i e pi π th st nd rd k K M
    B T bn tn mn и или не более менее больше меньше
    """
)
_NO_UNIT_STEMS = (
    *("hundred", "thousand", "million", "billion", "trillion", "quadrill", "quintill", "lakh"),
    *("crore", "dozen", "milliard", "millón", "millon", "milion", "miljo", "miljard", "milh"),
    *("milyon", "milyar", "miliar", "bilh", "bilion", "billon", "trilh", "trilion", "tausend"),
    *("duizend", "hundert", "tysi", "tisíc", "tusen", "тыс", "милл", "млн", "млрд", "трил"),
    *("трлн", "сот", "десят", "дюжин", "хиляд", "хиљад", "тисяч", "мільй", "мілья", "милиј", "пол"),
)
_COUNTERS = split_words(
    """
    个 個 人 名 只 隻 头 頭 条 條 本 冊 册 枚 台 匹 岁 歳 才 年 月 日
    天 个人 个月 個月 小时 小時 時間 分 分钟 分鐘 秒 秒钟 次 回 倍 度 克 公斤 米 公里 厘米 升 元
    円 圆 块 美元 日元 欧元 人民币 ドル 点 點 票 页 頁 つ 개 명 원 살 년 월 일 시간
    분 초 번 권 마리 장 대 달러
    """
)
_SIGNS = frozenset("/%°.'()·-^") | CURRENCIES
_FIRST_SIGNS = frozenset("/(%°") | CURRENCIES


def read_scales(tokens: Sequence[Token], *, money: bool) -> tuple[int, Sequence[Token]]:
    """Return the factor that the first words give, and the tokens after them.

    `3 hundred thousand` has two such words; `$1.2m` is money, `1.2 m` is a length.
    """
    factor, place = 1, 0
    while place < len(tokens) and (size := _get_scale(tokens[place].text)):
        factor, place = factor * size, place + 1
    if place == 0 and tokens:
        known = _ABBREVIATED | _OF_MONEY if money else _ABBREVIATED
        factor = known.get(tokens[0].text, 1)
        place = int(tokens[0].text in known)
    return factor, tokens[place:]


def _get_scale(word: str) -> int | None:
    return SCALES.get(word.lower()) or SCALES.get(word.lower().removesuffix("s"))


def is_unit(tokens: Sequence[Token], *, money: bool = False) -> bool:
    """Return whether the tokens after a number are a unit, such as `km/h` or `eggs per day`.

    No unit are a further number, an operator, a word that multiplies, relates, doubts or rejects,
    and a letter that may be a factor. After money, a short word may be a factor as well: `₹3 L`.
    """
    if not tokens:
        return True
    first = tokens[0]
    if first.kind == "word":
        if not may_follow_number(first, tokens[1].text if len(tokens) > 1 else ""):
            return False
        if money and len(first.text) <= 3 and first.text not in _AFTER_MONEY:
            return False
    elif first.text not in _FIRST_SIGNS:
        return False
    before = (None, *tokens)
    after = (*tokens[1:], None)
    return all(map(_fits, before, tokens, after))


def _fits(previous: Token | None, token: Token, following: Token | None) -> bool:
    """Return whether a token may stand between these two in a unit."""
    if token.kind == "word":
        return is_plain_word(token.text)
    if token.kind == "raised":
        return previous is not None and previous.kind == "word" and not token.spaced
    if token.kind == "number":
        return previous is not None and previous.text == "^"
    if token.text == "^":
        return previous is not None and previous.kind == "word"
    if token.text == "-":
        return following is not None and not (token.spaced or following.spaced)
    if token.text == "/":
        return following is not None and following.kind == "word"
    return token.text in _SIGNS


def may_follow_number(word: Token, following: str = "") -> bool:
    """Return whether a word after digits is a unit rather than a factor: `5 m`, not `5x`."""
    text = word.text
    if text == "m" and following not in _AFTER_METRE:
        return False
    if text in _COUNTERS or (text == "m" and following in ("²", "³", "^", "/")):
        return True
    if len(text) == 1:
        return text in (_SPACED_LETTERS if word.spaced else _ADJACENT_LETTERS)
    return word.spaced or len(text) > 3 or text in _ADJACENT


def is_plain_word(text: str) -> bool:
    """Return whether a word leaves the number as it is; False for one that we cannot know."""
    if text in _COUNTERS:
        return True
    lower = text.lower()
    if text in _NO_UNITS or (len(text) > 1 and lower in _NO_UNITS):
        return False
    return not lower.startswith(_NO_UNIT_STEMS) and all(map(_is_known_letter, lower))


def _is_known_letter(letter: str) -> bool:
    """Return whether a letter is Latin, Cyrillic or of a unit's name."""
    code = ord(letter)
    return code < 0x250 or 0x400 <= code < 0x500 or 0x1E00 <= code < 0x1F00 or letter in "μΩω"
