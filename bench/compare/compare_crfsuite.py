"""onoma's classical models against CRFsuite (python-crfsuite) with the same attributes, in one run.

Usage: python bench/compare/compare_crfsuite.py ENGINE NAME=TRAIN,TEST [...] [--threads 2] [--c1 0] [--c2 0.1]
           [--iterations 0] [--json FILE]
ENGINE is the program of bench/compare/crfsuite_engine.cpp (preset bench). The engine writes the attributes of both
files; CRFsuite trains on them and labels them, onoma reads the words and finds the attributes itself: its times hold
that work, CRFsuite's hold training and labelling alone (its list of attributes is in memory already). Both stop by the
same rules. Prints Markdown.

Needs: python-crfsuite, seqeval.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import pycrfsuite
from seqeval.metrics import f1_score


def read(path):
    sentences, words = [], []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            words.append(line.split("\t"))
        elif words:
            sentences.append(([w[1:] for w in words], [w[0] for w in words]))
            words = []
    return sentences


def engine(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout else None


def peer_train(sentences, model, c1, c2, iterations):
    trainer = pycrfsuite.Trainer(verbose=False)
    options = {"c1": c1, "c2": c2}
    if iterations:
        options["max_iterations"] = iterations
    trainer.set_params(options)
    for attributes, tags in sentences:
        trainer.append(pycrfsuite.ItemSequence(attributes), tags)
    begin, processor = time.perf_counter(), time.process_time()
    trainer.train(str(model))
    seconds, processor = time.perf_counter() - begin, time.process_time() - processor
    last = trainer.logparser.last_iteration
    return {"train_seconds": seconds, "cpu_seconds": processor, "iterations": last["num"], "loss": last["loss"],
            "bytes": model.stat().st_size}


def peer_tag(sentences, model):
    tagger = pycrfsuite.Tagger()
    tagger.open(str(model))
    items = [pycrfsuite.ItemSequence(attributes) for attributes, _ in sentences]
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        found = [tagger.tag(i) for i in items]
        seconds.append(time.perf_counter() - begin)
    words = sum(len(tags) for _, tags in sentences)
    return {"words_per_second": words / min(seconds), "f1": f1_score([tags for _, tags in sentences], found)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--c1", type=float, default=0.0)
    parser.add_argument("--c2", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=0)
    parser.add_argument("--json")
    args = parser.parse_args()
    rows = []
    for corpus in args.corpora:
        name, files = corpus.split("=", 1)
        train, test = files.split(",")
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            engine(args.engine, "attributes", train, folder / "train")
            engine(args.engine, "attributes", test, folder / "test")
            ours = engine(args.engine, "train", train, folder / "onoma", args.threads, "likelihood", args.c1, args.c2,
                          args.iterations)
            ours.update(engine(args.engine, "tag", folder / "onoma", test, args.threads, 5))
            theirs = peer_train(read(folder / "train"), folder / "crfsuite", args.c1, args.c2, args.iterations)
            theirs.update(peer_tag(read(folder / "test"), folder / "crfsuite"))
        rows.append({"corpus": name, "onoma": ours, "crfsuite": theirs})
    print(f"\nCRFsuite {pycrfsuite.CRFSUITE_VERSION}, one thread; onoma with {args.threads} threads, c1 = {args.c1}, "
          f"c2 = {args.c2}\n")
    print("| corpus | | training, s | of all cores, s | iterations | loss | F1 | words/s | file, bytes |")
    print("|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        for who in ("onoma", "crfsuite"):
            x = r[who]
            seconds = x["train_seconds"] + x.get("read_seconds", 0.0)
            print(f"| {r['corpus']} | {who} | {seconds:.1f} | {x['cpu_seconds']:.1f} | {x['iterations']} | "
                  f"{x['loss']:.2f} | {100 * x['f1']:.2f} | "
                  f"{x['words_per_second']:,.0f} | {x['bytes']:,} |")
        a, b = r["onoma"], r["crfsuite"]
        ratio = b["train_seconds"] / (a["train_seconds"] + a["read_seconds"])
        work = b["cpu_seconds"] / a["cpu_seconds"]
        print(f"| {r['corpus']} | onoma to CRFsuite | {ratio:.1f} times as fast | {work:.1f} times less | | "
              f"{abs(a['loss'] - b['loss']) / b['loss']:.1e} apart | {100 * (a['f1'] - b['f1']):+.2f} | "
              f"{a['words_per_second'] / b['words_per_second']:.1f} times as fast | {a['bytes'] / b['bytes']:.2f} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
