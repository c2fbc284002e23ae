"""JSON values, checked: keys that stand once, brackets of bounded depth, whole characters."""

import json
import re
from functools import lru_cache
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ._faults import Place, shorten

# Besides broken JSON: numbers of thousands of digits, and brackets nested thousands deep
BROKEN = (ValueError, RecursionError)
MAX_DEPTH = 100
_HALF = re.compile(r"\\u[dD]")


class Decoder:
    """Decodes values that stand one after another in a text."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._double: Optional[str] = None

    def decode(self, text: str, position: int = 0) -> Tuple[Any, int, Optional[str]]:
        """Decode the value at a position.

        RETURNS (Tuple[Any, int, Optional[str]]): The value, the position after it, and what is
            wrong with it, if it can be parsed but not be used.
        RAISES (ValueError, RecursionError): Those of BROKEN.
        """
        self._double = None
        item, end = self._decoder.raw_decode(text, position)
        reason = None
        if self._double is not None:
            reason = f"the key {shorten(self._double)!r} stands twice in one object"
        elif _is_deep(item):
            reason = f"brackets are nested more than {MAX_DEPTH} deep"
        elif _HALF.search(text, position, end):
            reason = _half_character(item)
        return item, end, reason

    def _object(self, pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        item = dict(pairs)
        if len(item) < len(pairs):
            seen = set()
            for key, _ in pairs:
                if key in seen:
                    self._double = key
                seen.add(key)
        return item


def explain(error: Exception) -> str:
    """RETURNS (str): What is wrong with broken JSON."""
    if isinstance(error, RecursionError):
        return f"brackets are nested more than {MAX_DEPTH} deep"
    return shorten(str(getattr(error, "msg", error)), 200)


def check_keys(item: Dict[str, Any], known: Sequence[str]) -> Optional[str]:
    """Look for misspelt keys: unknown ones that look like one that isn't there.

    known (Sequence[str]): The keys of the format.
    RETURNS (Optional[str]): What is wrong; None if nothing is.
    """
    for key in item:
        if key not in known:
            meant = [x for x in _similar(key, tuple(known)) if x not in item]
            if meant:
                return f"unknown key {shorten(repr(key))}: is it '{meant[0]}'? Correct the key"
    return None


def get_list(place: Place, item: Dict[str, Any], key: str) -> List[Any]:
    """RETURNS (List[Any]): The list under a key. The key must be there."""
    values = item.get(key)
    if not isinstance(values, list):
        place.fail(f"'{key}' must be a list, found {shorten(repr(values))}")
    return values


def get_string(place: Place, item: Dict[str, Any], key: str) -> str:
    """RETURNS (str): The text under a key. It must be there and not be empty."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        place.fail(f"'{key}' must be a string that is not empty, found {shorten(repr(value))}")
    return value


def get_words(place: Place, item: Dict[str, Any], key: str) -> List[str]:
    """RETURNS (List[str]): The tokens under a key. The key must be there."""
    return check_words(place, item.get(key), key)


def check_words(place: Place, words: Any, key: str) -> List[str]:
    """RETURNS (List[str]): The tokens: at least one, and none of them empty."""
    if not isinstance(words, list) or not words or not all(isinstance(x, str) and x for x in words):
        place.fail(f"'{key}' must be a list of strings, none of them empty")
    return words


def _is_deep(item: Any) -> bool:
    """RETURNS (bool): Whether lists and objects are nested too deep for what works recursively."""
    level = [item]
    for _ in range(MAX_DEPTH):
        level = [x for value in level for x in _children(value) if isinstance(x, (dict, list))]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _half_character(item: Any) -> Optional[str]:
    # JSON can escape one half of a character beyond U+FFFF; no UTF-8 text can hold that.
    try:
        json.dumps(item, ensure_ascii=False).encode("utf8")
    except UnicodeEncodeError as error:
        return f"the text holds half a character ({error.object[error.start]!a})"
    return None


@lru_cache(maxsize=4096)
def _similar(key: str, known: Tuple[str, ...]) -> List[str]:
    """RETURNS (List[str]): The known keys that somebody who wrote this key may have meant."""
    return [right for right in known if _looks_like(_plain(key), _plain(right))]


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key).casefold()


def _looks_like(key: str, right: str) -> bool:
    if key == right:
        return True
    longest = max(len(key), len(right))
    if longest <= 2 or abs(len(key) - len(right)) > 2:
        return False
    if longest <= 5:  # other words are near: "next" is no "text"
        is_other_word = len(key) == len(right) and sorted(key) != sorted(right)
        return not is_other_word and _distance(key, right) <= 1
    return _distance(key, right) <= 2


def _distance(left: str, right: str) -> int:
    """RETURNS (int): How many letters to insert, leave out, replace or swap with the next one."""
    before: List[int] = []
    row = list(range(len(right) + 1))
    for i, x in enumerate(left, 1):
        two_before, before, row = before, row, [i]
        for j, y in enumerate(right, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == right[j - 2] and left[i - 2] == y:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
    return row[-1]
