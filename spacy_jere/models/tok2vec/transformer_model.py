"""`spacy-jere.TransformerModel.v1`: the transformer of spacy-transformers, read token by token."""

from typing import Any, Callable, Dict, List, Optional, cast

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
    stride: Optional[int] = None,
    gradient_checkpointing: bool = False,
) -> Model[List[Doc], Any]:
    """Build the model of a `transformer` component. All but the last three settings are those of
    `spacy-transformers.TransformerModel.v3`.

    name (str): An encoder with a fast tokenizer, such as BERT, RoBERTa, XLM-R, DeBERTa or
        ModernBERT, by hub name or folder.
    get_spans (Callable): Which parts of the Docs are read together, such as
        `spacy-jere.window_spans.v1`.
    bfloat16 (bool): Compute in bfloat16 where that is safe (autocast), on the CPU or a GPU. It
        halves the time on processors with AVX512-BF16 or AMX, and slows down others.
    stride (Optional[int]): A text that is longer than the transformer can read is read in windows.
        So many word pieces lie between the beginnings of two windows, at most; null for three
        quarters of a window. Each token is taken from the window where it has most context. Windows
        don't overlap where the stride is as long as a window.
    gradient_checkpointing (bool): In training, keep the activations of a layer's input only and
        compute the others again. It takes less memory and more time.
    RAISES (ImportError): spacy-transformers is not installed.
    RAISES (ValueError): `stride` is no positive number.
    """
    if stride is not None and (type(stride) is not int or stride < 1):
        wanted = "null or a positive number"
        raise ValueError(Errors.E405.format(setting="stride", wanted=wanted, value=stride))
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
        stride,
        gradient_checkpointing,
    )
    return cast(Model[List[Doc], Any], model)
