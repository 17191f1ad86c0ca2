"""Captions to token ids: cleaning, the byte-level BPE, padding."""

import gzip
import html

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from towers import CONTEXT_LENGTH, EOT_ID, PAD_ID, SOT_ID, VOCABULARY_SIZE

# Capital letters: a cleaned caption is lower case, so none can spell a special token.
SPECIAL = ["<|PAD|>", "<|SOT|>", "<|EOT|>"]


def clean(caption):
    """The cleaning that the manifest names, in its order."""
    return " ".join(html.unescape(html.unescape(caption)).split()).lower()


def train_tokenizer(captions, path):
    """Train the byte-level BPE on cleaned captions and write it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE, special_tokens=SPECIAL, min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.save(str(path), pretty=False)


def load_tokenizer(path):
    return Tokenizer.from_file(str(path))


def encode(tokenizer, caption):
    """Ids of a caption that is already clean, SOT and EOT included, cut to the context."""
    ids = [SOT_ID] + tokenizer.encode(caption, add_special_tokens=False).ids + [EOT_ID]
    if len(ids) > CONTEXT_LENGTH:
        ids = ids[: CONTEXT_LENGTH - 1] + [EOT_ID]
    return ids


def pad(rows):
    """Lists of ids to one `[N, L]` i64 array, L the longest."""
    out = np.full((len(rows), max(map(len, rows))), PAD_ID, np.int64)
    for row, ids in zip(out, rows):
        row[: len(ids)] = ids
    return out


def plain_captions(path):
    """The cleaned lines of a gzipped caption list."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [clean(line) for line in lines if line.strip()]
