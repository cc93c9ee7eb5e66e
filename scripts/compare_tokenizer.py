"""Differential test: onoma's tokenizer against Hugging Face's on corpora, code points and random strings.

Usage: python scripts/compare_tokenizer.py DRIVER --data DATA [--only NAME,NAME] [--corpora] [--points EVERY] [--random N]
       python scripts/compare_tokenizer.py DRIVER TOKENIZER.json ... [--data DATA --corpora] [--points EVERY] [--random N]
DRIVER is the program of tests/fuzz/tokenizer_driver.cpp, DATA the folder of external data. Without files, the
configurations of scripts/tokenizer_configurations.py are built and compared (or those that --only names).
Prints one line per tokenizer, with the number of differences. Words of byte-level tokenizers without
add_prefix_space are compared with spaces between them (spaced_words.py). Needs: tokenizers.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from spaced_words import spacer, windows
from tokenizers import Tokenizer

HOSTILE = (
    "aAbZ09 \t\n\r.,'\"-_[]#@%&éÉüßİıǅﬁ中文字日本語한글ไทย\u0301\u0308\u0323\u0327\u05b0\u064b\u093f"
    "\u200b\u200d\ufeff\u00a0\u3000\u2028\u0000\u0007\u007f\u0085\ufffd\U0001f600\U0001f468\U0001f3fd"
    "\u0130\u03c2\u0386\u1e9e\u1f82\u0344\u0f73\u1100\u1161\u11a8\uac00\ud7a3\U0002f800\uf900"
    "▁Ġ`½²Ⅷ٣ﷺ㍿\u0345\u0f71\u0f72\u0f74\u0f81\u2126\u212b\u2adc\U0001d15f\U0001d165\u0958\u09be\u09c7\u0ddd\u1b06\u2581"
)
MARKS = ("[MASK]", "[SEP]", "[CLS]", "[UNK]", "##ing", "[mask]", "[MASK", "<mask>", "<s>", " <mask>", "  x", "foo", "'ll",
         "'s", "\u00a0<mask>", "<mask> ", "  ", "▁▁", "``", "''", "x x", "café bar", "FOO", "<|endoftext|>", "<0x41>",
         "\r\n", "e\u0301\u0323", "\u1100\u1161\u11a8", "ﬁ\u0301", "123456", "don't", "<unk>", "</s>", "Ａｂ", "¨", "ｶﾞ")


def random_text(generator):
    length = generator.choice((1, 2, 3, 5, 8, 13, 30, 120))
    out = []
    for _ in range(length):
        kind = generator.random()
        if kind < 0.5:
            out.append(generator.choice(HOSTILE))
        elif kind < 0.6:
            out.append(generator.choice(MARKS))
        elif kind < 0.8:
            out.append(chr(generator.randrange(0x20, 0x250)))
        elif kind < 0.85:
            out.append(generator.choice("aeiou st") * generator.randrange(1, 12))
        else:
            point = generator.randrange(generator.choice((0x3000, 0x10000, 0x110000)))
            out.append(chr(point) if not 0xD800 <= point < 0xE000 else "x")
    return "".join(out)


def columns(path):
    """Sentences of a file of columns: lists of words."""
    words = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("# text"):
            yield line[7:].strip()
        cells = line.split("\t") if "\t" in line else line.split(" ")
        if line.startswith("#") or not line.strip() or line.startswith("-DOCSTART-"):
            if words:
                yield words
            words = []
        else:
            words.append(cells[1] if path.suffix == ".iob2" and len(cells) > 1 else cells[0])
    if words:
        yield words


def sentences(data):
    """Of all corpora: texts, and lists of words."""
    for path in sorted(Path(data, "corpora").rglob("*")):
        if path.is_dir():
            continue
        if path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                yield json.loads(line)["tokens"]
        elif path.suffix == ".json":
            for entry in json.loads(path.read_text(encoding="utf-8")):
                yield entry["text"]
        elif path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield row["ingredients"]
        elif "LICENSE" in path.name.upper() or path.suffix == ".md" or path.name in ("SOURCE.txt", "NOTE.txt"):
            yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
        else:
            yield from columns(path)
    folder = Path(data, "conformance/hf-tokenizer")
    for entry in json.loads((folder / "basic_tokenized_questions.json").read_text(encoding="utf-8")):
        yield " ".join(entry) if isinstance(entry, list) else str(entry)
    for path in sorted(folder.glob("*encoded*.json")):
        yield path.read_text(encoding="utf-8")
    for path in sorted(Path(data, "vocab/sentencepiece").glob("*t*[vx]")):
        yield from path.read_text(encoding="utf-8").splitlines()
    for path in sorted(Path(data, "corpora/uner").rglob("*test.iob2")):
        yield path.read_text(encoding="utf-8")[:200000]  # a long text with its lines and tabs


def corpus_questions(data):
    seen = set()
    for number, sentence in enumerate(sentences(data)):
        text = sentence if isinstance(sentence, str) else " ".join(sentence)
        if text not in seen:
            seen.add(text)
            yield {"text": text}
        if isinstance(sentence, list) and number % 4 == 0:
            yield {"words": sentence}
            if number % 8 == 0:
                yield {"words": sentence, "max_length": 12, "stride": 3}


def questions(args):
    if args.corpora:
        yield from corpus_questions(args.data)
    if args.points:
        for point in range(0, 0x110000, args.points):
            if not 0xD800 <= point < 0xE000:
                yield {"text": f"{chr(point)} a{chr(point)}b"}
    generator = random.Random(args.seed)
    for _ in range(args.random):
        question = {"text": random_text(generator)}
        if generator.random() < 0.2:
            question = {"words": [random_text(generator) for _ in range(generator.randrange(6))]}
        if generator.random() < 0.2:
            question["max_length"] = generator.randrange(6, 20)
            question["stride"] = generator.randrange(0, question["max_length"] - 3)
        yield question


def answer(tokenizer, question, add_spaces):
    words = question.get("words", [])
    spaced = add_spaces(words) if add_spaces else words
    if "max_length" in question:
        tokenizer.enable_truncation(question["max_length"], stride=question["stride"])
    else:
        tokenizer.no_truncation()
    try:
        if "words" in question:
            first = tokenizer.encode(spaced, is_pretokenized=True)
        else:
            first = tokenizer.encode(question["text"])
    except BaseException as problem:  # Rust panics are no Exceptions
        return f"no answer: {problem}"
    return windows(first, words, spaced)


def compare(driver, path, file, show):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    add_spaces = spacer(tokenizer)
    file.seek(0)
    ours = subprocess.Popen([driver, path], stdin=file, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    count = differences = without = 0
    with open(file.name, encoding="utf-8") as lines:
        for line in lines:
            question = json.loads(line)
            expected = answer(tokenizer, question, add_spaces)
            found = ours.stdout.readline()
            count += 1
            if isinstance(expected, str):
                without += 1
                continue
            if not found or json.loads(found) != expected:
                differences += 1
                if differences <= show:
                    print("question", ascii(question), "\n  ours    ", found.strip(), "\n  expected", json.dumps(expected))
                if not found:
                    break
    code = ours.wait()
    return f"{count} questions, {differences} differences" + (
        f", {without} that Hugging Face cannot answer" if without else "") + (f", exit status {code}" if code else ""), differences + code


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("tokenizers", nargs="*")
    parser.add_argument("--data")
    parser.add_argument("--only", default="")
    parser.add_argument("--corpora", action="store_true")
    parser.add_argument("--points", type=int, default=0, help="every Nth code point")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="differences to print")
    args = parser.parse_args()

    total = 0
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        for question in questions(args):
            file.write(json.dumps(question) + "\n")
        file.flush()
        files = {path: path for path in args.tokenizers}
        if not files:
            import tokenizer_configurations as configurations
            for name in args.only.split(",") if args.only else configurations.CONFIGURATIONS:
                files[name] = f"{folder}/{name}.json"
                Path(files[name]).write_text(configurations.build(args.data, name), encoding="utf-8")
        for name, path in files.items():
            text, bad = compare(args.driver, path, file, args.show)
            total += bad
            print(f"{name}: {text}", flush=True)
    return total != 0


if __name__ == "__main__":
    sys.exit(main())
