"""Writes the first inputs of the fuzz targets from the golden files: make_corpus.py GOLDEN_DATA FOLDER.

Each target has a folder in FOLDER. What the targets expect in an input stands in their files.
"""
import json
import pathlib
import struct
import sys
import zipfile

data, out = map(pathlib.Path, sys.argv[1:])
seeds = {}


def add(target, name, content):
    seeds[f"{target}/{name}"] = content if isinstance(content, bytes) else content.encode()


def header(file):
    content = file.read_bytes()
    return content[8 : 8 + struct.unpack("<Q", content[:8])[0]]


for folder in sorted(data.glob("*-tiny")):
    add("readers", f"config-{folder.name}", b"j" + (folder / "config.json").read_bytes())
    add("readers", f"weights-{folder.name}", b"s" + header(folder / "model.safetensors"))
    add("model_folder", f"config-{folder.name}", b"c" + (folder / "config.json").read_bytes())
add("readers", "vocabulary", b"v" + (data / "bert-tiny" / "vocab.txt").read_bytes())
add("readers", "conll", "cjane B-PER\nwas O\nin O\nberlin B-LOC\n\n# a\n1\tanna\tB-PER\n\n")
rules = (data / "rules.jsonl").read_text().splitlines()
for first in range(0, min(len(rules), 400), 40):
    patterns = [rule for line in rules[first : first + 40] for rule in json.loads(line).get("patterns", [])]
    add("readers", f"rules-{first}", "r" + "\n".join(map(json.dumps, patterns))[:3000] + "\n\nThe U.S. Bank of 12 Apples")
add("readers", "gazetteer-text", "tNew York\tCITY\tny\nJane Doe\tPER\n\nS\u00e3o Paulo\n")
add("readers", "merges", 'm{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "ab": 6}\n\n#version: 0.2\na b\n')
for file in sorted((data / "tokenizers").glob("*.json")):
    add("tokenizer_json", file.stem, json.dumps(json.loads(file.read_text())["tokenizer"]))
for file in sorted((data / "torch-files").glob("*.bin")):
    add("pytorch_file", file.stem, b"z" + file.read_bytes())
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    add("pytorch_file", file.stem + "-pickle", b"p" + archive.read(name))
for file in sorted(data.rglob("*.model")):
    add("sentencepiece_file", file.stem, b"m" + file.read_bytes())
add("sentencepiece_file", "rules", b"r" + bytes(range(64)) + b"a\0b\0\n\nab")
for name, content in seeds.items():
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(content)
