"""`spacy-jere.TransformerModel.v1`: the transformer of spacy-transformers, read token by token."""

from typing import Any, Callable, Dict, List, cast

from spacy.tokens import Doc, Span
from thinc.api import Model

from ...errors import Errors


def build_transformer_model_v1(
    name: str,
    get_spans: Callable[[List[Doc]], List[List[Span]]],
    tokenizer_config: Dict[str, Any] = {},  # noqa: B006
    transformer_config: Dict[str, Any] = {},  # noqa: B006
    mixed_precision: bool = False,
    grad_scaler_config: Dict[str, Any] = {},  # noqa: B006
    bfloat16: bool = False,
) -> Model[List[Doc], Any]:
    """Build the model of a `transformer` component. All but the last setting are those of
    `spacy-transformers.TransformerModel.v3`.

    name (str): A model with a WordPiece vocabulary, such as BERT, by hub name or folder.
    get_spans (Callable): Which parts of the Docs are read together, such as
        `spacy-jere.window_spans.v1`.
    bfloat16 (bool): Compute in bfloat16 where that is safe (autocast), on the CPU or a GPU. It
        halves the time on processors with AVX512-BF16 or AMX, and slows down others.
    RAISES (ImportError): spacy-transformers is not installed.
    """
    try:  # Its base class needs the optional package.
        from .token_transformer import TokenTransformer
    except ImportError as error:
        raise ImportError(Errors.E450) from error

    model = TokenTransformer(
        name,
        get_spans,
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
        bfloat16,
    )
    return cast(Model[List[Doc], Any], model)
