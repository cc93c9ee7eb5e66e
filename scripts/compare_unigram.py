"""Differential test: onoma's Unigram model and precompiled charsmaps against Hugging Face's.

Usage: python scripts/compare_unigram.py DRIVER [MODEL.model ...] [--data DATA] [--models N] [--maps N] [--words N]
DRIVER is the program of tests/fuzz/unigram_driver.cpp. The .model files of SentencePiece are compared over all
corpora of DATA and over random strings, each without and with its charsmap; beside them N random vocabularies
with ties, huge scores and missing pieces, and N random charsmaps. Prints the number of differences.
Needs: tokenizers, sentencepiece.
"""

import argparse
import json
import random
import subprocess
import sys
import threading

from sentencepiece import sentencepiece_model_pb2 as spm
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from charsmap_builder import build_charsmap
from compare_tokenizer import HOSTILE, random_text, sentences

CLUSTERS = (
    "aAe\u0301\u0308\u0323\u200d\u200c\u00a9\u00ae\u0600\u06dd\u0903\u093e\u094d\u0915\u0937\u1100\u1161\u11a8\uac00\uac01"
    "\U0001f1e6\U0001f1e7\U0001f468\U0001f3fd\u2764\ufe0f\r\n\t \x1e\x7f\u00ad\u0e33\u0e01\u0d4e\u0cbf\u1b44\u1b13\u2122\ufdfa\uff71\uff9e"
)


class Comparison:
    def __init__(self, driver):
        self.process = subprocess.Popen([driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.differences = self.cases = 0

    def ask(self, questions):
        """Answers in order. A thread writes, since the driver waits where nobody reads."""
        def write():
            for question in questions:
                self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        for _ in questions:
            yield json.loads(self.process.stdout.readline())
        writer.join()

    def check(self, what, question, expected, found):
        self.cases += 1
        if expected != found:
            self.differences += 1
            if self.differences <= 10:
                print(f"{what}: {question!r}\n  expected {expected!r}\n  found    {found!r}", file=sys.stderr)


def byte_places(text):
    places, at = [], 0
    for c in text:
        places.append(at)
        at += len(c.encode())
    return [*places, at]


def pieces_of(tokenizer, word):
    try:
        encoding = tokenizer.encode(word, add_special_tokens=False)
    except Exception as problem:
        return f"error: {problem}"
    places = byte_places(word)
    return [[i, places[a], places[b]] for i, (a, b) in zip(encoding.ids, encoding.offsets)]


def compare_words(comparison, what, vocab, unknown, fallback, words):
    tokenizer = Tokenizer(models.Unigram(vocab, unknown, fallback))
    (ready,) = comparison.ask([{"vocab": vocab, "unk_id": unknown, "byte_fallback": fallback}])
    assert ready == "ok", ready
    words = [w for w in words if w]
    for word, found in zip(words, comparison.ask([{"word": w} for w in words])):
        expected = pieces_of(tokenizer, word)
        if isinstance(expected, str) and isinstance(found, str):
            expected = found
        comparison.check(what, word, expected, found)


def compare_maps(comparison, what, charsmap, texts):
    normalizer = normalizers.Precompiled(charsmap)
    (ready,) = comparison.ask([{"charsmap": charsmap.hex()}])
    assert ready == "ok", ready
    characters = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    characters.normalizer = normalizer
    characters.pre_tokenizer = pre_tokenizers.FixedLength(1)
    for text, found in zip(texts, comparison.ask([{"text": t} for t in texts])):
        try:
            result = normalizer.normalize_str(text)
            offsets = characters.encode(text).offsets
        except BaseException as problem:  # a panic there
            comparison.cases += 1
            print(f"{what}: panic for {text!r}", file=sys.stderr)
            continue
        places = byte_places(text)
        spans = [[places[a], places[b]] for c, (a, b) in zip(result, offsets) for _ in c.encode()]
        comparison.check(what, text, [result, spans], found)


def random_vocabulary(generator):
    alphabet = generator.sample("ab▁éж中\U0001f600<>unkx0", generator.randrange(2, 8))
    pieces = {"".join(generator.choices(alphabet, k=generator.randrange(1, 6))) for _ in range(generator.randrange(1, 40))}
    pieces = [*pieces, *generator.sample([f"<0x{b:02X}>" for b in range(256)], generator.choice((0, 3, 256)))]
    pieces += generator.choice(([], ["<unk>"], ["<unk>", "<unk>"], [pieces[0]]))
    generator.shuffle(pieces)
    scale = generator.choice((1, 1, 10, 1e308))
    score = generator.choice((lambda: -scale * generator.random(), lambda: float(-generator.randrange(4)),
                              lambda: scale * generator.random(), lambda: generator.choice((-0.1, 1 / 3, -20.0, 30.0))))
    unknown = generator.choice((None, *[generator.randrange(len(pieces))] * 6))
    if "<unk>" in pieces and generator.random() < 0.8:
        unknown = pieces.index("<unk>")
    words = ["".join(generator.choices(alphabet + ["z", "é", "<unk>", "\0"], k=generator.choice((1, 2, 3, 5, 9, 40))))
             for _ in range(100)]
    return [(p, score()) for p in pieces], unknown, generator.random() < 0.5, words


def random_map(generator):
    alphabet = generator.sample(CLUSTERS, generator.randrange(2, 12))
    rules = {}
    for _ in range(generator.randrange(1, 30)):
        key = "".join(generator.choices(alphabet, k=generator.choice((1, 1, 1, 2, 3))))
        rules[key] = "".join(generator.choices(CLUSTERS + "xyz", k=generator.choice((0, 1, 1, 2, 3, 7))))
    texts = ["".join(generator.choices(alphabet if generator.random() < 0.7 else CLUSTERS + "bcd ", k=generator.choice((1, 2, 3, 5, 9, 40))))
             for _ in range(100)]
    return rules, texts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--data")
    parser.add_argument("--models", type=int, default=1000, dest="vocabularies")
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--words", type=int, default=50000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    comparison = Comparison(args.driver)
    generator = random.Random(args.seed)
    for _ in range(args.vocabularies):
        compare_words(comparison, "random vocabulary", *random_vocabulary(generator))
    print(f"random vocabularies: {comparison.cases} words, {comparison.differences} differences", flush=True)
    for _ in range(args.maps):
        rules, texts = random_map(generator)
        rules = {k: v for k, v in rules.items() if k}
        compare_maps(comparison, f"random map {rules}", build_charsmap(rules), texts)
    print(f"and random maps: {comparison.cases} cases, {comparison.differences} differences", flush=True)
    texts = []
    if args.data:
        texts = list({s if isinstance(s, str) else " ".join(s) for s in sentences(args.data)})
    texts += [random_text(generator) for _ in range(args.words)]
    texts += ["".join(generator.choices(CLUSTERS + HOSTILE, k=generator.choice((2, 4, 8, 30)))) for _ in range(args.words)]
    for name in args.models:
        model = spm.ModelProto()
        with open(name, "rb") as file:
            model.ParseFromString(file.read())
        vocab = [(p.piece, p.score) for p in model.pieces]
        unknown = next(i for i, p in enumerate(model.pieces) if p.type == 2)
        if model.trainer_spec.model_type == 1:
            words = [t.replace(" ", "▁") for t in texts]
            compare_words(comparison, name, vocab, unknown, model.trainer_spec.byte_fallback, words)
        print(f"and {name}: {comparison.cases} cases, {comparison.differences} differences", flush=True)
        charsmap = model.normalizer_spec.precompiled_charsmap
        if charsmap:
            compare_maps(comparison, name, charsmap, texts)
            print(f"and its map: {comparison.cases} cases, {comparison.differences} differences", flush=True)
    return comparison.differences > 0


if __name__ == "__main__":
    sys.exit(main())
