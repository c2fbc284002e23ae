"""What a transformer knows of single words, as a table of vectors.

A word's vector is the mean of the hidden states of its pieces, of several layers side by side,
reduced to fewer dimensions by a principal component analysis.
"""

from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Sequence, Tuple, cast

import numpy
from numpy.typing import NDArray

from ..errors import Errors

Table = NDArray[numpy.float32]
# Pieces, padding included, that go through the transformer at once
_PIECES_AT_ONCE = 8192
# A word that is longer in pieces is cut.
_MOST_PIECES = 24
# Marks that word pieces have where a word begins or goes on
_BEGINS, _GOES_ON = ("Ġ", "▁"), "##"


class Encoder(NamedTuple):
    """A transformer of transformers with its tokenizer."""

    tokenizer: Any
    transformer: Any


def load_encoder(name: str) -> Encoder:
    """Load a transformer by hub name or folder.

    RAISES (ImportError): spacy-transformers is not installed.
    RAISES (ValueError): There is no such transformer, or it can't be read.
    """
    try:  # Optional dependency
        from ..models.tok2vec.pretrained import load_pretrained
    except ImportError as error:
        raise ImportError(Errors.E450) from error

    found = load_pretrained(name, {}, {"output_hidden_states": True})
    cast(Any, found.transformer).eval()
    return Encoder(found.tokenizer, found.transformer)


def vocabulary_words(encoder: Encoder) -> List[str]:
    """RETURNS (List[str]): The pieces of the encoder's vocabulary that are whole words, most
    frequent first, as far as the vocabulary has that order."""
    pieces = sorted(encoder.tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = set(encoder.tokenizer.all_special_tokens)
    begins = [x for x in _BEGINS if any(piece.startswith(x) for piece, _ in pieces)]
    words: Dict[str, None] = {}
    for piece, _ in pieces:
        mark = next((x for x in begins if piece.startswith(x)), "")
        word = piece[len(mark) :]
        if mark == _BEGINS[0]:  # byte-level: the piece is spelled in bytes
            word = encoder.tokenizer.convert_tokens_to_string([piece]).strip()
        whole = mark if begins else not piece.startswith(_GOES_ON)
        if (
            piece not in special
            and whole
            and word
            and not word.startswith("[unused")
            and "\ufffd" not in word
        ):
            words[word] = None
    return list(words)


def word_vectors(encoder: Encoder, words: Sequence[str], layers: Sequence[int]) -> Table:
    """Read each word alone.

    layers (Sequence[int]): Hidden states, 0 are the embeddings. Their vectors stand side by side.
    RETURNS (Table): [n_words, n_layers * width]
    RAISES (ValueError): A layer that the transformer doesn't have.
    """
    import torch  # Deferred, so that commands start quickly

    n_layers = encoder.transformer.config.num_hidden_layers
    for layer in layers:
        if not -n_layers - 1 <= layer <= n_layers:
            wanted = f"between 0 and {n_layers}"
            raise ValueError(Errors.E405.format(setting="layers", wanted=wanted, value=layer))
    width = encoder.transformer.config.hidden_size
    table = numpy.zeros((len(words), len(layers) * width), dtype="f")
    device = encoder.transformer.device
    for rows, read, inside in _batches(encoder, words):
        inputs = {"input_ids": read.ids, "attention_mask": read.mask}
        if read.types is not None:
            inputs["token_type_ids"] = read.types
        tensors = {key: torch.as_tensor(x, device=device) for key, x in inputs.items()}
        with torch.no_grad():
            output = encoder.transformer(**tensors)
        weights = torch.as_tensor(inside / inside.sum(1, keepdims=True), device=device)
        means = [torch.einsum("wp,wpd->wd", weights, output.hidden_states[i]) for i in layers]
        table[rows] = torch.cat(means, 1).float().cpu().numpy()
    return table


def _batches(encoder: Encoder, words: Sequence[str]) -> Iterator[Tuple[List[int], Any, Any]]:
    """RETURNS (Iterator): Words of similar length: their numbers, what the transformer reads
    (`Rows`), and which pieces are those of the word, [n_words, n_pieces]."""
    from ..models.tok2vec.encoder_input import frame_of, make_rows
    from ..models.tok2vec.word_pieces import Pieces, Reading, splitter_of

    tokenizer, transformer = encoder
    splitter, first = splitter_of(tokenizer), len(frame_of(tokenizer).before.ids)
    split = [splitter[f"{splitter.space}{word}"] for word in words]  # as after a space
    cut = [Pieces(x.ids[:_MOST_PIECES], x.strings[:_MOST_PIECES]) for x in split]
    sizes = [len(x.ids) for x in cut]
    for rows in _chunks(sorted(range(len(words)), key=lambda i: sizes[i]), sizes):
        readings = [Reading(i, cast(Any, None), [cut[i]], None) for i in rows]
        read = make_rows(tokenizer, transformer, readings)
        place = numpy.arange(read.ids.shape[1]) - first
        inside = (place >= 0) & (place < numpy.asarray([sizes[i] for i in rows])[:, None])
        yield rows, read, inside.astype("f")


def _chunks(order: Iterable[int], lengths: List[int]) -> Iterator[List[int]]:
    chunk: List[int] = []
    for i in order:
        if chunk and (len(chunk) + 1) * lengths[i] > _PIECES_AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk


def reduced(table: Table, n_dimensions: int, n_common: int = 0) -> Table:
    """Keep the principal components.

    n_dimensions (int): How many are kept.
    n_common (int): How many of the strongest are left out: they say what all words have in common
        (Mu and Viswanath 2018, arXiv 1702.01417).
    RETURNS (Table): Vectors of one length, with a root mean square of 0.5. [n_words, n_dimensions]
    RAISES (ValueError): The table has fewer dimensions or words.
    """
    most = min(table.shape) - n_common
    if not 1 <= n_dimensions <= most:
        raise ValueError(Errors.E438.format(wanted=n_dimensions, most=most))
    centred = table - table.mean(0)
    _, vectors = numpy.linalg.eigh(centred.T @ centred)
    strongest = vectors[:, ::-1][:, n_common : n_common + n_dimensions]
    small = centred @ strongest
    lengths = numpy.linalg.norm(small, axis=1, keepdims=True)
    scaled = small * (0.5 * n_dimensions**0.5 / numpy.maximum(lengths, 1e-6))
    return cast(Table, scaled.astype("f"))
