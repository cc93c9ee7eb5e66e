"""onoma's tokenizer against Hugging Face's: the same texts, in turn, answers compared in the same run.

Usage: python bench/compare/compare_tokenizer_speed.py ENGINE TOKENIZER.json LINES.txt ... [--pairs 9] [--json FILE]
ENGINE is the program of bench/compare/tokenizer_engine.cpp (preset bench). LINES are plain text, a text
a line, or CoNLL columns (the first is joined to sentences). Two cases: short lines as they are, and long
texts, 8 that hold all lines. Both sides give ids, word ids and offsets in code points; neither side's
time includes making Python lists. Prints Markdown and writes a JSON file.

Needs: tokenizers.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "2"  # read once, at the first parallel call

import tokenizers  # noqa: E402


def read_lines(files):
    lines = []
    for file in files:
        words = []
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            if "\t" not in line and line.strip() and file.endswith(".txt"):
                lines.append(line)
            elif line.strip() and not line.startswith("#"):
                words.append(line.split("\t")[1 if file.endswith(".iob2") else 0])
            elif words:
                lines.append(" ".join(words))
                words = []
    return lines


def check(tokenizer, texts, dump):
    tokens = 0
    for text, line in zip(texts, Path(dump).read_text(encoding="utf-8").splitlines(), strict=True):
        e = tokenizer.encode(text)
        ids, words, offsets = json.loads(line)
        assert ids == e.ids, f"ids differ: {text!r}"
        assert words == [-1 if w is None else w for w in e.word_ids], f"word ids differ: {text!r}"
        assert offsets == [list(o) for o in e.offsets], f"offsets differ: {text!r}"
        tokens += len(ids)
    return tokens


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("tokenizer")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--json", default="")
    args = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()

    lines = read_lines(args.files)
    step = -(-len(lines) // 8)
    cases = {"short lines": lines,
             "long texts": [" ".join(lines[i:i + step]) for i in range(0, len(lines), step)]}
    rows = []
    for case, texts in cases.items():
        size = sum(len(t.encode()) for t in texts)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "texts.json").write_text(json.dumps(texts), encoding="utf-8")
            engine = subprocess.Popen([args.engine, args.tokenizer, f"{folder}/texts.json"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

            def ask(command):
                engine.stdin.write(command + "\n")
                engine.stdin.flush()
                return engine.stdout.readline()

            for threads in (1, 2):
                os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"

                def theirs():
                    wall, cpu = time.perf_counter(), time.process_time()
                    found = tokenizer.encode_batch(texts)
                    times = time.perf_counter() - wall, time.process_time() - cpu
                    del found
                    return times

                def ours():
                    return tuple(float(x) for x in ask(f"time {threads}").split())

                theirs(), ours(), ours()
                pairs = [(ours(), theirs()) for _ in range(args.pairs)]
                ask(f"dump {folder}/found")
                tokens = check(tokenizer, texts, f"{folder}/found")
                wall = [theirs[0] / ours[0] for ours, theirs in pairs]
                cpu = [theirs[1] / ours[1] for ours, theirs in pairs]
                mine = statistics.median(ours[0] for ours, _ in pairs)
                other = statistics.median(theirs[0] for _, theirs in pairs)
                rows.append({"case": case, "threads": threads, "texts": len(texts), "bytes": size,
                             "tokens": tokens, "onoma_mb_s": size / mine / 1e6,
                             "hf_mb_s": size / other / 1e6, "ratio": other / mine,
                             "ratio_min": min(wall), "ratio_max": max(wall),
                             "cpu_ratio": statistics.median(cpu)})
            engine.stdin.close()
            engine.wait()

    print(f"\n{Path(args.tokenizer).name}, tokenizers {tokenizers.__version__}, {args.pairs} pairs, "
          "ids, word ids and offsets equal\n")
    print("| case | threads | onoma, MB/s | tokenizers, MB/s | speed ratio (min - max) | ratio of CPU time |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['case']} | {r['threads']} | {r['onoma_mb_s']:.0f} | {r['hf_mb_s']:.2f} | "
              f"{r['ratio']:.0f} ({r['ratio_min']:.0f} - {r['ratio_max']:.0f}) | {r['cpu_ratio']:.0f} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
