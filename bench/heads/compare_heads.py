"""Which head for which data: trains models of several kinds on the same corpora and prints one table.

    python bench/heads/compare_heads.py ONOMA ENCODER CORPUS... [--heads classic token crf span] [--seeds 3]
        [--epochs 3] [--learning-rate 3e-4] [--threads 2]

ONOMA is the command, ENCODER a folder with a pretrained encoder. A CORPUS is a folder with files train*, dev* and
test* of CoNLL columns. "classic" is the linear chain without a network, and "classic+gazetteer" the same that also
knows the entities of the training data as a gazetteer. Needs no Python package.

F1 is the mean over the seeds, in percent, of entities of the test file; times are seconds of the whole command, with
loading and the evaluation of the dev data after each epoch; words per second are those of `onoma evaluate` on the test
file, loading taken off; bytes are those of all files of the model.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def run(command):
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return time.perf_counter() - start, done.stdout


def file_of(corpus, *names):
    for name in names:
        found = sorted(p for p in Path(corpus).iterdir() if p.name.startswith(name))
        if found:
            return found[0]
    raise SystemExit(f"{corpus}: no file begins with {' or '.join(names)}")


def sentences_of(path):
    words, tags = [], []
    for line in path.read_text(encoding="utf-8").splitlines() + [""]:
        columns = line.split("\t") if "\t" in line else line.split(" ")
        if line.strip():
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            yield words, tags
            words, tags = [], []


def write_gazetteer(train, path):
    """The entities of the training data, a line each."""
    phrases = set()
    for words, tags in sentences_of(train):
        begin = None
        for i, tag in enumerate(tags + ["O"]):
            if begin is not None and not (tag.startswith("I-") and tag[2:] == tags[begin][2:]):
                phrases.add((" ".join(words[begin:i]), tags[begin][2:]))
                begin = None
            if tag.startswith("B-"):
                begin = i
    path.write_text("".join(f"{phrase}\t{label}\n" for phrase, label in sorted(phrases)), encoding="utf-8")


def size_of(model):
    if model.is_file():
        return model.stat().st_size
    return sum(p.stat().st_size for p in model.rglob("*") if p.is_file())


def measure(options, corpus, head, seed, folder):
    train, dev, test = file_of(corpus, "train"), file_of(corpus, "dev"), file_of(corpus, "test")
    model = folder / f"{Path(corpus).name}-{head}-{seed}"
    command = [options.onoma, "train", "--train", train, "--dev", dev, "--output", model, "--threads", options.threads,
               "--quiet"]
    if head.startswith("classic"):
        command += ["--classic"]
        if head == "classic+gazetteer":
            phrases = folder / "phrases.txt"
            write_gazetteer(train, phrases)
            command += ["--gazetteer", phrases]
    else:
        command += ["--encoder", options.encoder, "--head", head, "--epochs", options.epochs,
                    "--learning-rate", options.learning_rate, "--seed", seed]
    trained, _ = run(command)
    evaluate = [options.onoma, "evaluate", "--model", model, "--threads", options.threads, "--json"]
    took, report = run(evaluate + [test])
    few = folder / "few.conll"
    few.write_text("\n".join(test.read_text(encoding="utf-8").split("\n\n")[0].splitlines()) + "\n\n", encoding="utf-8")
    loaded, _ = run(evaluate + [few])
    report = json.loads(report)
    words = sum(len(words) for words, _ in sentences_of(test))
    return {"f1": 100 * report["micro"]["f1"], "train": trained, "speed": words / max(took - loaded, 1e-3),
            "bytes": size_of(model)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onoma")
    parser.add_argument("encoder")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--heads", nargs="+", default=["classic", "classic+gazetteer", "token", "crf", "span"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", default="3e-4")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print("| corpus | head | F1 | deviation | training, s | words/s | bytes |", "|---|---|---|---|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for corpus in options.corpora:
            for head in options.heads:
                seeds = range(1) if head.startswith("classic") else range(options.seeds)  # without a network: no chance
                runs = [measure(options, corpus, head, 42 + seed, Path(folder)) for seed in seeds]
                mean = {key: statistics.mean(r[key] for r in runs) for key in runs[0]}
                spread = statistics.stdev(r["f1"] for r in runs) if len(runs) > 1 else 0.0
                print(f"| {Path(corpus).name} | {head} | {mean['f1']:.2f} | {spread:.2f} | {mean['train']:.1f} | "
                      f"{mean['speed']:,.0f} | {mean['bytes']:,.0f} |", flush=True)


main()
