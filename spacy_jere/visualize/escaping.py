"""Text made safe for HTML and XML."""

import html
import unicodedata


def escape(text: str) -> str:
    """RETURNS (str): The text with markup escaped, and without the control characters that XML forbids."""
    return html.escape("".join(_allowed(char) for char in text))


def _allowed(char: str) -> str:
    forbidden = unicodedata.category(char) in ("Cc", "Cs") or char in "\ufffe\uffff"
    return "\ufffd" if forbidden and char not in "\t\n\r" else char
