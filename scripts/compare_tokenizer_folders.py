"""Differential test: the tokenizers that onoma and transformers make of the same random folders.

Usage: python scripts/compare_tokenizer_folders.py DRIVER [--count N] [--seed N] [--show N]
DRIVER is the program of tests/fuzz/tokenizer_folders_driver.cpp. Folders have a small vocabulary as vocab.txt, as
vocab.json with merges.txt or inside a tokenizer.json, and special and added tokens in any of the files that may name
them, for classes and types of models that are known and that are not. Prints how many folders give the same answers,
how many only one side loads, and those that differ. Needs: transformers.
"""

import argparse
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import transformers  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

transformers.logging.set_verbosity(50)

WORDS = ["anna", "oslo", "foo", "##a", "##o", "e", "x", "ent", "[", "]", "<", ">", "Anna", "é", "中"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "<pad>", "</s>", "<unk>", "<mask>"]
OWN = ["[ENT]", "<ent>", "FOO", "[X]", "<extra>"]  # no two the same in lower case: then chance decides in tokenizers
KEYS = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "x_token"]
TEXTS = ["anna zzz oslo", "Anna[MASK]oslo <mask> foo", "x [ENT] <s> <ent>FOO [X]Foo", "  [CLS] é 中中 </s>\u00a0<extra> e", "",
         "[PAD][UNK]<pad> <unk>x", "[unk] [mask] <MASK> [sep]", "e <mask>\u3000<s> x</s> ] <unk> <pad> foo <ent> ",
         "xfoo foox foo-[ENT]- [CLS] [PAD] ."]
WORDPIECE = ["BertTokenizer", "BertTokenizerFast", "MPNetTokenizer", "DistilBertTokenizer", "ElectraTokenizerFast"]
BYTES = ["RobertaTokenizer", "RobertaTokenizerFast", "LongformerTokenizer"]
OTHER = ["PreTrainedTokenizerFast", "XLMTokenizer", "FlaubertTokenizer", "BertJapaneseTokenizer", "PhobertTokenizer",
         "BertweetTokenizer", "CTRLTokenizer", "FSMTTokenizer", "NoSuchTokenizer", "GPT2Tokenizer", "TapasTokenizer"]
SUFFIX = ["HerbertTokenizer", "HerbertTokenizerFast"]
TYPES = {"w": ["bert", "mpnet", "distilbert", "electra"], "b": ["roberta", "longformer"], "h": ["herbert"]}


def token(rng, contents, typed):
    content = rng.choice(contents)
    if rng.random() < 0.7:
        return content
    flags = {name: rng.random() < 0.3 for name in ("lstrip", "rstrip", "single_word")}
    value = {"content": content, **flags, "normalized": rng.random() < 0.3}
    if typed:
        value["__type"] = "AddedToken"
    return value


def tokens(rng, contents, typed):
    """A file that names special tokens."""
    found = {}
    for key in KEYS:
        if rng.random() < 0.25:
            found[key] = token(rng, contents, typed)
        elif rng.random() < 0.03:
            found[key] = None
    if rng.random() < 0.2:
        key = rng.choice(["additional_special_tokens", "extra_special_tokens"])
        found[key] = [rng.choice(contents) if not typed else token(rng, contents, typed) for _ in range(rng.randrange(3))]
    return found


def numbered(rng, size, vocabulary):
    found = {}
    for content in rng.sample(OWN + SPECIAL[:5], rng.randrange(1, 4)):
        known = vocabulary.get(content)
        if known is None:
            known, size = size, size + 1
        found[content] = known if rng.random() < 0.95 else known + 1
    return found


def pieces(rng, kind):
    if kind == "w":
        keep = [piece for piece in SPECIAL if rng.random() < 0.95]
        words = WORDS + rng.sample(OWN, rng.randrange(3))
        listed = keep + rng.sample(words, rng.randrange(8, len(words) + 1))
        if rng.random() < 0.1:
            listed.append(rng.choice(listed))
        if rng.random() < 0.1:
            listed.insert(rng.choice([len(listed), rng.randrange(len(listed))]), "")
        return listed
    alphabet = list("anoslfex[]<>UNKCLSEPAD") + (["Ġ"] if kind == "b" else [c + "</w>" for c in "anoslfex"])
    if kind == "b" and rng.random() < 0.5:
        alphabet += ["Ã", "©"]
    special = [piece for piece in SPECIAL if rng.random() < 0.95]
    if kind == "h" and rng.random() < 0.9:
        special = ["<s>", "<pad>", "</s>", "<unk>", *(piece for piece in special if piece in ("<mask>", "[CLS]", "[SEP]"))]
    own = rng.sample(OWN[:4], rng.randrange(3))
    return special + list(dict.fromkeys(alphabet)) + ["an", "na" if kind == "b" else "na</w>", "os"] + own


def write(folder, name, value):
    Path(folder, name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def tokenizer_json(rng, kind, vocabulary):
    unknown = rng.choice(["[UNK]", "<unk>", "x"])
    if kind == "w":
        if unknown not in vocabulary:
            unknown = next(iter(vocabulary))
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=rng.random() < 0.5)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        tokenizer = Tokenizer(models.BPE(vocabulary, [("a", "n"), ("o", "s")]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=rng.random() < 0.5)
    known = [piece for piece in SPECIAL if piece in vocabulary]
    if len(known) > 1 and rng.random() < 0.8:
        first, last = rng.choice([("[CLS]", "[SEP]"), ("<s>", "</s>"), (known[0], known[1])])
        if first in vocabulary and last in vocabulary:
            pair = [(last, vocabulary[last]), (first, vocabulary[first])]
            tokenizer.post_processor = processors.RobertaProcessing(*pair) if kind == "b" else processors.BertProcessing(*pair)
    tokenizer.add_special_tokens(rng.sample(known, rng.randrange(len(known) + 1)))
    return tokenizer.to_str()


def make_folder(rng, folder):
    kind = rng.choice("wwwbbh")
    listed = pieces(rng, kind)
    vocabulary = {piece: i for i, piece in enumerate(listed)}
    contents = SPECIAL + OWN + ["anna", "x"]
    as_json = kind != "h" and rng.random() < 0.25
    if as_json:
        listed = [piece for piece in vocabulary if piece]
        vocabulary = {piece: i for i, piece in enumerate(listed)}
        write(folder, "tokenizer.json", tokenizer_json(rng, kind, vocabulary))
    elif kind == "w":
        write(folder, "vocab.txt", "".join(piece + "\n" for piece in listed))
    else:
        write(folder, "vocab.json", vocabulary)
        merges = ["a n", "o s"] + ([] if kind == "b" else ["n a</w>"])
        write(folder, "merges.txt", "#version: 0.2\n" + "".join(line + "\n" for line in merges))
    config = {}
    classes = {"w": WORDPIECE, "b": BYTES, "h": SUFFIX}[kind]
    model = {"model_type": rng.choice(TYPES[kind])} if rng.random() < 0.9 else {}
    if rng.random() < 0.6 or kind == "h":
        config["tokenizer_class"] = rng.choice(classes if rng.random() < 0.85 else OTHER[:1] if as_json else OTHER)
    elif rng.random() < 0.1:
        model["tokenizer_class"] = rng.choice(classes)
    if rng.random() < 0.5:
        config.update(tokens(rng, contents, True))
    if rng.random() < 0.3:
        write(folder, "special_tokens_map.json", tokens(rng, contents, False))
    for name in ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space", "trim_offsets"):
        if rng.random() < 0.1:
            config[name] = rng.random() < 0.5
    size = len(set(listed))
    if rng.random() < 0.2:
        found = numbered(rng, size, vocabulary)
        if rng.random() < 0.5 and not as_json:
            write(folder, "added_tokens.json", found)
        else:
            config["added_tokens_decoder"] = {
                str(i): {"content": c, "special": rng.random() < 0.7, "normalized": rng.random() < 0.3,
                         "lstrip": rng.random() < 0.3, "rstrip": False, "single_word": False} for c, i in found.items()}
    if model:
        write(folder, "config.json", model)
    if config or rng.random() < 0.5:
        write(folder, "tokenizer_config.json", config)


def theirs(folder):
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except BaseException as problem:
        return f"{type(problem).__name__}: {problem}"
    answers = []
    for text in TEXTS:
        try:
            found = tokenizer(text, return_offsets_mapping=True)
            answers.append([found["input_ids"], [list(pair) for pair in found["offset_mapping"]]])
        except BaseException as problem:
            answers.append(f"{type(problem).__name__}: {problem}")
    return answers


def differs(ours, expected):
    return any(not isinstance(b, str) and a != b for a, b in zip(ours, expected))


def has_foreign_ends(folder, expected):
    """Whether transformers puts special tokens around texts that are no pieces of a tokenizer.json."""
    path = Path(folder, "tokenizer.json")
    if not path.exists():
        return False
    size = len(json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"])
    return any(not isinstance(answer, str) and answer[0] and max(answer[0][0], answer[0][-1]) >= size for answer in expected)


def has_repeats(folder):
    path = Path(folder, "vocab.txt")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return len(set(lines)) < len(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    driver = subprocess.Popen([args.driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as root:
        for number in range(args.count):
            folder = os.path.join(root, str(number))
            os.mkdir(folder)
            make_folder(rng, folder)
            expected = theirs(folder)
            driver.stdin.write(json.dumps({"folder": folder, "texts": TEXTS}) + "\n")
            driver.stdin.flush()
            ours = json.loads(driver.stdout.readline())
            if isinstance(ours, str):
                what = "both refuse" if isinstance(expected, str) else "only onoma refuses: " + re.sub(
                    r"'[^']*'|/\S*|\d+", "_", ours)[:150]
            elif isinstance(expected, str):
                what = "only transformers refuses: " + re.sub(r"'[^']*'|/\S*|\d+", "_", expected)[:90]
            elif differs(ours, expected) and has_repeats(folder):
                what = "pieces that come again take the ids of tokens without a piece in transformers"
            elif differs(ours, expected) and has_foreign_ends(folder, expected):
                what = "transformers puts tokens around texts that are no pieces, onoma those of tokenizer.json"
            elif differs(ours, expected):
                what = "different"
                if counts[what] < args.show:
                    print("--", folder)
                    for path in sorted(Path(folder).iterdir()):
                        print(f"  {path.name}: {path.read_text(encoding='utf-8')!r}")
                    for text, a, b in zip(TEXTS, ours, expected):
                        if a != b:
                            print(f"  {text!r}\n    ours     {a}\n    expected {b}")
            else:
                what = "same"
            counts[what] += 1
            shutil.rmtree(folder)
    for what, count in counts.most_common():
        print(f"{count:6} {what}")
    return counts["different"] != 0


if __name__ == "__main__":
    sys.exit(main())
