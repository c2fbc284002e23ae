"""The width of a text, estimated without a font.

The widths are those of Helvetica, which Arial, Liberation Sans and many others share. Other scripts
get an average. SVG's `textLength` then fits the drawn text to the estimate: a wrong estimate makes
letters a little wider or narrower, and frames and arcs stay in place.
"""

import unicodedata

_ZERO_WIDTH = {"Mn", "Me", "Cf", "Cc"}
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_PAIRED_LETTERS = range(0x1F1E6, 0x1F200)  # two of them make a flag
_BY_WIDTH = {
    191: "'",
    222: "ijl‘’",
    260: "|",
    278: " !,./:;I[\\]ft\xa0",
    333: "()-`r“”",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckvxyz",
    556: "#$0123456789?L_abdeghnopqu–€",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "—…",
    1015: "@",
}
_WIDTHS = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}
_NARROW = "וזיןג" + "اأإآلدذرزةوىي"  # in Hebrew and in Arabic
_WIDE, _EMOJI, _OTHER, _OTHER_CAPITAL, _ARABIC, _NARROW_WIDTH = 1000, 1300, 560, 700, 480, 300
BOLD = 1.08  # bold letters are wider by about this factor


def text_width(text: str, size: float) -> float:
    """RETURNS (float): The width, in the unit of the font's size."""
    total, previous = 0, ""
    for char in text:
        if previous != _JOINER or char.isalpha():  # a joiner makes one picture of two emoji
            total += _char_width(char)
        previous = char
    return total * size / 1000


def continues(text: str, position: int) -> bool:
    """RETURNS (bool): Whether a cut before this character would break a letter or an emoji."""
    char = text[position]
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or _JOINER in (char, text[position - 1])
        or ord(char) in _SKIN_TONES
        or (ord(char) in _PAIRED_LETTERS and ord(text[position - 1]) in _PAIRED_LETTERS)
    )


def is_wide(char: str) -> bool:
    """RETURNS (bool): Whether a character is Chinese, Japanese or Korean, or an emoji."""
    return unicodedata.east_asian_width(char) in ("W", "F")


def _char_width(char: str) -> int:
    if char in _WIDTHS:
        return _WIDTHS[char]
    category = unicodedata.category(char)
    if category in _ZERO_WIDTH or ord(char) in _SKIN_TONES:
        return 0
    if ord(char) in _PAIRED_LETTERS:
        return _EMOJI // 2
    if is_wide(char):
        return _EMOJI if category == "So" else _WIDE
    base = unicodedata.normalize("NFD", char)[0]
    if base in _WIDTHS:  # é is as wide as e
        return _WIDTHS[base]
    if char in _NARROW:
        return _NARROW_WIDTH
    if unicodedata.bidirectional(char) == "AL":
        return _ARABIC
    return _OTHER_CAPITAL if category == "Lu" else _OTHER
