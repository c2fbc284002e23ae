"""The component `long_text_sentencizer`: sentences for texts that are too long to be one window."""

from typing import List, Optional

from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from ..errors import Errors


@Language.factory(
    "long_text_sentencizer",
    assigns=["token.is_sent_start", "doc.sents"],
    default_config={"longer_than": 400, "punct_chars": None},
)
def make_long_text_sentencizer(
    nlp: Language, name: str, longer_than: int, punct_chars: Optional[List[str]]
) -> "LongTextSentencizer":
    """Construct the component.

    longer_than (int): Docs with up to so many tokens are left as they are.
    punct_chars (Optional[List[str]]): As of spaCy's `sentencizer`.
    RAISES (ValueError): `longer_than` is negative.
    """
    if longer_than < 0:
        wanted = "a whole number from 0 on"
        error = Errors.E211.format(setting="longer_than", wanted=wanted, value=longer_than)
        raise ValueError(error)
    return LongTextSentencizer(name, longer_than=longer_than, punct_chars=punct_chars)


class LongTextSentencizer(Sentencizer):
    """spaCy's `sentencizer` for Docs that are long and have no sentence boundaries. Corpora of
    single sentences stay as they are: the rule divides some of these. It has no scores of its own,
    which would count in the choice of the best pipeline."""

    def __init__(self, name: str, *, longer_than: int, punct_chars: Optional[List[str]] = None):
        super().__init__(name, punct_chars=punct_chars, overwrite=False, scorer=None)
        self.longer_than = longer_than

    def __call__(self, doc: Doc) -> Doc:
        if len(doc) <= self.longer_than or doc.has_annotation("SENT_START"):
            return doc
        divided: Doc = super().__call__(doc)
        return divided
