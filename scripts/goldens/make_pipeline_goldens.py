"""Makes tests/golden/data/pipeline*.json: what transformers' TokenClassificationPipeline finds.

The tiny random models of make_model_goldens.py tag our own sentences with every aggregation strategy,
whole and in windows: a BERT with its WordPiece (pipeline.json), and two whose tokenizers have no prefix
for pieces that continue a word, with the tokenizer in the file: byte-level BPE (pipeline-roberta.json)
and Unigram (pipeline-xlm-roberta.json). Needs torch, tokenizers, transformers. Run from the
repository's root, for all files or for those named:
python scripts/goldens/make_pipeline_goldens.py [pipeline.json ...]
"""

import json
import sys

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from tokenizers.processors import RobertaProcessing
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    TokenClassificationPipeline,
)

DATA = "tests/golden/data"
SENTENCES = [
    "Jane visited Berlin in April.",
    "The company, founded last year, wrote a book about York.",
    "John said: \"his friend won the game!\"",
    "Zürich, Málaga & São Paulo (south) ...",
    "İstanbul met Jane; naïve café — 中文 in Paris?",
    "😀 Jane 👩‍👩‍👧 Doe",
    "new york's oldest museum-train",
    "a",
    "Berlin Berlin Berlin paris PARIS Paris",
    "antidisestablishmentarianism 1234567890 x",
    "e\u0301te\u0301 de\u0301ja\u0300 vu",
    "the river of the south and the river of the north met in a city by the river in april on a monday",
]
# For vocabularies of 61 pieces, and short enough for models of 40 tokens.
SPACED = [
    "Jane met Bob in Berlin.",
    "Jane, Bob's son, lost...",
    " Jane  Bob\n\tBerlin ",
    "JaneBobBerlin",
    "😀 Jane 😀😀Bob é",
    "中中 Jane中 中Bob.",
    "Jane-Bob  -  Berlin.Bob",
    " ",
    "an old man sent Jane, his son, to Bern.",
    "anoldmansentJane,hissontoBerlin",
    "Jane <mask>Bob<mask> Berlin",
]
WORDS = [["Jane", "met", "Bob's", "son", "."], ["Jane", "", "Berlin"], ["J", "an", "e"],
         ["Jane Bob", "中中", "😀", "é"]]


def with_specials(tokenizer):
    for content in ("<s>", "<pad>", "</s>", "<unk>", "<mask>"):
        tokenizer.add_special_tokens([AddedToken(content, normalized=False, lstrip=content == "<mask>")])
    return tokenizer


def byte_level():
    """61 pieces: letters, some signs, the bytes of three characters; other bytes are left out."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", "Ċ", "ĉ", ".", ",", "'", "-"]
    pieces += list("abdehilmnorstyBJ")
    for character in "😀é中":
        pieces += list(ByteLevel(add_prefix_space=False).pre_tokenize_str(character)[0][0])
    merges = [("a", "n"), ("J", "an"), ("Ġ", "J"), ("ĠJ", "an"), ("e", "r"), ("B", "o"), ("Ġ", "B"),
              ("ĠB", "o"), ("ĠB", "er"), ("l", "i"), ("o", "n"), ("Ġ", "s"), ("m", "e"), ("Ġ", "Ġ"),
              ("s", "t"), ("i", "n"), ("Ġ", "t"), ("ä", "¸"), ("Ġ", "a"), ("s", "e"), ("t", "o"),
              ("Ġ", "me")]
    pieces += [a + b for a, b in merges]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    assert len(vocabulary) <= 61
    # As published tokenizers have it: an empty prefix is none.
    tokenizer = Tokenizer(BPE(vocabulary, merges, continuing_subword_prefix=""))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    return with_specials(tokenizer)


def unigram():
    letters = [(letter, -5.0) for letter in "abdehilmnorstyBJ.,'-中"]
    words = ["▁", "▁Jan", "Jan", "▁B", "er", "lin", "▁Bo", "on", "an", "▁an", "▁s", "▁t", "me", "▁me", "st",
             "▁中", "▁la", "ent", "ial", "▁o", "▁so", "▁to", "▁and"]
    specials = [(content, 0.0) for content in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    pieces = specials + letters + [(word, -3.0 - 0.1 * i) for i, word in enumerate(words)]
    assert len(pieces) <= 61
    tokenizer = Tokenizer(Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = Metaspace(prepend_scheme="always")
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    return with_specials(tokenizer)


def plain(entities):
    return [{k: (float(v) if k == "score" else v) for k, v in e.items() if k != "word"} for e in entities]


def cases_of(folder, tokenizer, sentences, word_lists=()):
    model = AutoModelForTokenClassification.from_pretrained(folder)
    cases = []
    for strategy in ("none", "simple", "first", "average", "max"):
        pipe = TokenClassificationPipeline(model=model, tokenizer=tokenizer,
                                           aggregation_strategy=strategy)
        for text in sentences:
            cases.append({"text": text, "strategy": strategy, "entities": plain(pipe(text))})
        for words in word_lists:
            found = pipe(words, is_split_into_words=True, delimiter=" ")
            cases.append({"words": words, "strategy": strategy, "entities": plain(found[0])})
        if strategy == "none":
            continue  # windows need an aggregation there
        longest = tokenizer.model_max_length
        tokenizer.model_max_length = 16
        windowed = TokenClassificationPipeline(model=model, tokenizer=tokenizer,
                                               aggregation_strategy=strategy, stride=5)
        for text in sentences:
            cases.append({"text": text, "strategy": strategy, "max_length": 16, "stride": 5,
                          "entities": plain(windowed(text))})
        tokenizer.model_max_length = longest
    return cases


def of_bert():
    folder = f"{DATA}/bert-tiny"
    return cases_of(folder, AutoTokenizer.from_pretrained(folder), SENTENCES)


def of_tokenizer(folder, tokenizer):
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>",
                                      model_max_length=40)
    stored = json.loads(tokenizer.to_str())  # without the truncation that the pipeline sets
    return {"tokenizer": stored, "cases": cases_of(folder, wrapped, SPACED, WORDS)}


FILES = {
    "pipeline.json": of_bert,
    "pipeline-roberta.json": lambda: of_tokenizer(f"{DATA}/roberta-tiny", byte_level()),
    "pipeline-xlm-roberta.json": lambda: of_tokenizer(f"{DATA}/xlm-roberta-tiny", unigram()),
}


def main():
    for name in sys.argv[1:] or FILES:
        with open(f"{DATA}/{name}", "w", encoding="utf-8") as out:
            json.dump(FILES[name](), out, separators=(",", ":"), ensure_ascii=False)
            out.write("\n")


if __name__ == "__main__":
    main()
