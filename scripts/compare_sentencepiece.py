"""Differential test: tokenizers from SentencePiece's files alone, onoma's against transformers'.

Usage: python scripts/compare_sentencepiece.py DRIVER MODEL.model ... [--data DATA] [--random N] [--every N]
DRIVER is the program of tests/fuzz/unigram_driver.cpp. XLM-R, CamemBERT and T5 are what transformers 5.24 loads
from a folder with the file; ALBERT and DeBERTa what its converters (convert_slow_tokenizer.py) build, ALBERT's
behind WhitespaceSplit and without the last Replace, as the Hub's tokenizer.json. Prints the number of
differences. Needs: transformers, tokenizers, sentencepiece.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from tokenizers import normalizers, pre_tokenizers
from transformers import CamembertTokenizer, T5Tokenizer, XLMRobertaTokenizer
from transformers.convert_slow_tokenizer import AlbertConverter, DebertaV2Converter

from compare_tokenizer import random_text, sentences
from compare_unigram import CLUSTERS, Comparison, byte_places

LOADED = {
    "xlm-roberta": (XLMRobertaTokenizer, "sentencepiece.bpe.model"),
    "camembert": (CamembertTokenizer, "sentencepiece.bpe.model"),
    "t5": (T5Tokenizer, "spiece.model"),
}
CONVERTED = {
    "albert": (AlbertConverter, True, ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")),
    "deberta-v2": (DebertaV2Converter, False, ("[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]")),
}


def load(family, path):
    if family in LOADED:
        kind, name = LOADED[family]
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, Path(folder, name))
            return kind.from_pretrained(folder)._tokenizer
    converter, lowercase, special = CONVERTED[family]
    original = SimpleNamespace(vocab_file=str(path), do_lower_case=lowercase, keep_accents=False, split_by_punct=False,
                               add_prefix_space=True, legacy=True)
    built = converter(original)
    built.post_processor = lambda: None  # [CLS] and [SEP] are added here, behind the pieces
    tokenizer = built.converted()
    tokenizer.add_special_tokens(list(special))
    if family == "albert":
        tokenizer.normalizer = normalizers.Sequence(list(tokenizer.normalizer)[:-1])
        metaspace = pre_tokenizers.Metaspace(prepend_scheme="always")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    return tokenizer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data")
    parser.add_argument("--random", type=int, default=10000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = random.Random(args.seed)
    texts = [random_text(generator) for _ in range(args.random)]
    texts += ["".join(generator.choices(CLUSTERS + " ab1,", k=generator.choice((2, 4, 8, 30)))) for _ in range(args.random)]
    if args.data:
        texts += list(dict.fromkeys(s if isinstance(s, str) else " ".join(s) for s in sentences(args.data)))[:: args.every]
    comparison = Comparison(args.driver)
    for path in args.models:
        for family in (*LOADED, *CONVERTED):
            if family == "t5" and "t5" not in path:
                continue  # transformers takes piece 2 for the unknown one
            tokenizer = load(family, path)
            (ready,) = comparison.ask([{"sentencepiece": path, "family": family}])
            assert ready == "ok", ready
            own = family in CONVERTED
            for text, found in zip(texts, comparison.ask([{"encode": t} for t in texts])):
                encoding = tokenizer.encode(text)
                places = byte_places(text)
                expected = [[i, places[a], places[b]] for i, (a, b) in zip(encoding.ids, encoding.offsets)]
                comparison.check(f"{path} as {family}", text, expected, found[1:-1] if own else found)
            print(f"{path} as {family}: {comparison.cases} cases so far, {comparison.differences} differences", flush=True)
    return comparison.differences > 0


if __name__ == "__main__":
    sys.exit(main())
