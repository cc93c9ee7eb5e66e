"""Differential test: onoma's tokenizer against Hugging Face's on corpora, code points and random strings.

Usage: python scripts/compare_tokenizer.py DRIVER TOKENIZER.json [FILE ...] [--random N [--every N]]
DRIVER is the program of tests/fuzz/tokenizer_driver.cpp. Prints the number of differences.
Needs: tokenizers.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

HOSTILE = (
    "aAbZ09 \t\n\r.,'\"-_[]#@%&éÉüßİıǅﬁ中文字日本語한글ไทย\u0301\u0308\u0323\u0327\u05b0\u064b\u093f"
    "\u200b\u200d\ufeff\u00a0\u3000\u2028\u0000\u0007\u007f\u0085\ufffd\U0001f600\U0001f468\U0001f3fd"
    "\u0130\u03c2\u0386\u1e9e\u1f82\u0344\u0f73\u1100\u1161\u11a8\uac00\ud7a3\u2f800\uf900"
)


def random_text(generator):
    length = generator.choice((1, 2, 3, 5, 8, 13, 30, 120))
    out = []
    for _ in range(length):
        kind = generator.random()
        if kind < 0.5:
            out.append(generator.choice(HOSTILE))
        elif kind < 0.6:
            out.append(generator.choice(("[MASK]", "[SEP]", "[CLS]", "[UNK]", "##ing", "[mask]", "[MASK", "<mask>",
                                         "<s>", " <mask>", "  x", "foo", "'ll", "'s", "\u00a0<mask>")))
        elif kind < 0.8:
            out.append(chr(generator.randrange(0x20, 0x250)))
        else:
            point = generator.randrange(0x110000)
            out.append(chr(point) if not 0xD800 <= point < 0xE000 else "x")
    return "".join(out)


def questions(args):
    for file in args.files:
        with open(file, encoding="utf-8", errors="replace", newline="") as lines:
            words = []
            for line in lines:
                yield {"text": line}
                word = line.rstrip("\r\n").split("\t")[0]
                if word.strip():
                    words.append(word)
                elif words:
                    yield {"words": words}
                    yield {"words": words, "max_length": 12, "stride": 3}
                    words = []
    if args.random:
        for point in range(0, 0x110000, args.every):
            if not 0xD800 <= point < 0xE000:
                yield {"text": f"{chr(point)} a{chr(point)}b"}
    generator = random.Random(1)
    for _ in range(args.random):
        question = {"text": random_text(generator)}
        if generator.random() < 0.3:
            question = {"words": [random_text(generator) for _ in range(generator.randrange(6))]}
        if generator.random() < 0.3:
            question["max_length"] = generator.randrange(6, 20)
            question["stride"] = generator.randrange(0, question["max_length"] - 3)
        yield question


def answer(tokenizer, question):
    if "max_length" in question:
        tokenizer.enable_truncation(question["max_length"], stride=question["stride"])
    else:
        tokenizer.no_truncation()
    if "words" in question:
        first = tokenizer.encode(question["words"], is_pretokenized=True)
    else:
        first = tokenizer.encode(question["text"])
    return [
        [e.ids, [-1 if w is None else w for w in e.word_ids], [list(o) for o in e.offsets]]
        for e in [first, *first.overflowing]
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("tokenizer")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="of the code points, every Nth")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()

    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        for question in questions(args):
            file.write(json.dumps(question) + "\n")
        file.seek(0)
        ours = subprocess.run([args.driver, args.tokenizer], stdin=file, stdout=subprocess.PIPE,
                              check=True, text=True, encoding="utf-8")
        lines = ours.stdout.splitlines()
    count = differences = 0
    for question, line in zip(questions(args), lines, strict=True):
        expected = answer(tokenizer, question)
        count += 1
        if json.loads(line) != expected:
            differences += 1
            if differences <= 5:
                print("question", ascii(question), "\n  ours    ", line, "\n  expected", json.dumps(expected))
    print(f"{count} questions, {differences} differences")
    return differences != 0


if __name__ == "__main__":
    sys.exit(main())
