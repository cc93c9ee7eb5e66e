"""The cases of run_all.py: each is a function of a context that returns rows (measure.py)."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from measure import figure, in_turn, row, run_process
from models import LABELS, Server, feed_of, ids_of, make_folder, session_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXT = "Jane Doe moved from Paris to New York in the summer of 2019."


class Context:
    """Programs, settings, and models that are made once and kept in the working folder."""

    def __init__(self, args):
        self.args = args
        self.pairs = args.pairs
        self.work = Path(args.work)
        build = Path(args.build).resolve()
        self.bench = build / "bench" / "bench"
        self.command = build / "release" / "onoma"
        self.engine = self.bench / "engine"
        self.data = Path(args.data) if args.data else None

    def model(self, shape):
        """(folder, fused graph) of a random model."""
        folder = self.work / shape
        fused = folder / "fused.onnx"
        if not fused.exists():
            make_folder(shape, folder, vocabulary=self.vocabulary() if self.data else "", graph=True)
        return folder, fused

    def vocabulary(self):
        return self.need("vocab/bert-gpt2/bert_base_uncased_vocab.txt")

    def need(self, name):
        if self.data is None or not (self.data / name).exists():
            raise Missing(f"{name} in the folder of --data")
        return self.data / name


class Missing(Exception):
    """A case lacks something that this machine does not have."""


def check_logits(mine, theirs):
    """Both sides compute in float: 1e-3 of the largest logit is far above their rounding (about 1e-6) and
    far below what a wrong weight or mask does."""
    error = float(np.abs(np.array(mine) - theirs).max() / np.abs(theirs).max())
    if not error < 1e-3:
        raise RuntimeError(f"logits differ by {error:.1e}")
    return f"logits differ by {error:.0e}"


def inference(shape, sequences, length, threads, goal):
    """One batch of equal lengths against the fused graph."""

    def run(context):
        folder, fused = context.model(shape)
        session = session_of(fused, threads)
        feed = feed_of(session, ids_of(sequences, length))
        repeats = 12 if sequences * length <= 256 else 2
        last = {}

        def theirs():
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                last["theirs"] = session.run(None, feed)[0][-1, -1]
                times.append(time.perf_counter() - start)
            return statistics.median(times)

        with Server(context.engine, folder, threads) as engine:

            def ours():
                answer = engine.ask(sequences, length, repeats)
                last["ours"] = answer["logits"]
                return statistics.median(answer["seconds"])

            theirs(), ours()
            pairs = in_turn(ours, theirs, context.pairs)
        name = f"{shape} {sequences} x {length}" + (", 1 thread" if threads == 1 else "")
        return [row(name, pairs, "ONNX Runtime", goal, check=check_logits(last["ours"], last["theirs"]))]

    return run


def read_words(path):
    sentences, words = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines() + [""]:
        if line.strip():
            words.append(line.split("\t")[0])
        elif words:
            sentences.append(words)
            words = []
    return sentences


def sentences(shape, goals):
    """Real sentences in batches of 32: onoma in file order, the peer padded in file order and sorted by
    length. The text is cut into as many stretches as there are pairs, each of which both sides run;
    a pair's figures are seconds per 1,000 real tokens."""

    def run(context):
        from tokenizers import BertWordPieceTokenizer

        folder, fused = context.model(shape)
        tokenizer = BertWordPieceTokenizer(str(context.vocabulary()), lowercase=True)
        tokenizer.enable_truncation(512)
        words = read_words(context.need("corpora/ewt/test.conll"))
        words += read_words(context.need("corpora/ewt/dev.conll"))
        ids = [e.ids for e in tokenizer.encode_batch(words[: context.args.sentences],
                                                     is_pretokenized=True)]
        session = session_of(fused, 2)

        def batches(of):
            return [of[i : i + 32] for i in range(0, len(of), 32)]

        def padded(batch):
            longest = max(map(len, batch))
            table = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros_like(table)
            for i, sequence in enumerate(batch):
                table[i, : len(sequence)] = sequence
                mask[i, : len(sequence)] = 1
            return feed_of(session, table, mask), mask.astype(bool)

        def per_token(seconds, stretch):
            return 1e3 * seconds / sum(len(s) for batch in stretch for s in batch)

        def theirs(stretch):
            inputs = [padded(batch) for batch in stretch]
            start = time.perf_counter()
            logits = [session.run(None, feed)[0] for feed, _ in inputs]
            seconds = time.perf_counter() - start
            best = [part[mask].argmax(-1) for part, (_, mask) in zip(logits, inputs)]
            return per_token(seconds, stretch), np.concatenate(best)

        parts = min(context.pairs, len(ids) // 32)
        in_order = [batches(ids)[k::parts] for k in range(parts)]
        by_length = [batches(sorted(ids, key=len))[k::parts] for k in range(parts)]
        order, by_size, wrong, total = [], [], 0, 0
        with Server(context.engine, folder, 2) as engine, tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "batches.json"
            for k in range(-1, parts):
                stretch = in_order[max(k, 0)][: None if k >= 0 else 2]  # the first warms up
                path.write_text(json.dumps(stretch))
                answer = engine.ask("file", path)
                padded_time, labels = theirs(stretch)
                sorted_time, _ = theirs(by_length[max(k, 0)][: None if k >= 0 else 2])
                if k < 0:
                    continue
                mine = per_token(answer["seconds"], stretch)
                order.append((mine, padded_time))
                by_size.append((mine, sorted_time))
                wrong += int((labels != np.array(answer["labels"])).sum())
                total += len(labels)
        # A random head has near ties; a wrong mask or offset changes most labels.
        if wrong > total / 1000:
            raise RuntimeError(f"{wrong} of {total} labels differ")
        check = f"{total - wrong} of {total} labels equal"
        unit = "ms/token"
        return [row(f"{shape}, {len(ids)} sentences, peer padded", order, "ONNX Runtime", goals[0],
                    unit, check),
                row(f"{shape}, {len(ids)} sentences, peer sorted", by_size, "ONNX Runtime", goals[1],
                    unit)]

    return run


def training_step(context):
    """BERT-base 8 x 128 with AdamW and without dropout: the losses of 20 steps must agree, then single
    steps are timed in turn."""
    shape = context.work / "base-train"
    if not (shape / "model.safetensors").exists():
        make_folder("base", shape, dropout=0.0)
    rows, flops = [], 3 * 8 * (2 * 128 * 12 * (4 * 768**2 + 2 * 768 * 3072) + 4 * 128**2 * 768 * 12)
    for mode in ("eager", "compile"):
        peer_command = (sys.executable, HERE / "peer_step.py", shape, 2, mode)
        with Server(context.engine, shape, 2, "train") as ours, Server(*peer_command) as theirs:
            a = ours.ask(8, 128, 20)["losses"]
            b = theirs.ask(8, 128, 20)["losses"]
            # Rounding grows with the steps; 1e-4 of the first loss is what the tests promise.
            worst = max(abs(x - y) for x, y in zip(a, b)) / b[0]
            if not (worst < 1e-4 and a[-1] < 0.9 * a[0]):
                raise RuntimeError(f"losses differ by {worst:.1e}: {a} {b}")
            pairs = in_turn(lambda: ours.ask(8, 128, 1)["seconds"][0],
                            lambda: theirs.ask(8, 128, 1)["seconds"][0], context.pairs)
        share = flops / statistics.median(x for x, _ in pairs) / 2e9 / context.machine["peak_gflops"]
        rows.append(row(f"training step, base 8 x 128 ({mode})", pairs, f"torch {mode}", 1.3,
                        check=f"20 losses within {worst:.0e}", note=f"{share:.0%} of the peak"))
    return rows


def training_real(context):
    """MiniLM, one epoch of wnut17 in batches of 16, the same recipe: seconds of training."""
    encoder = Path(context.args.encoder).expanduser()
    if not (encoder / "model.safetensors").exists():
        raise Missing("an encoder in the folder of --encoder")
    text = context.need("corpora/wnut17/wnut17train.conll").read_text(encoding="utf-8")
    blocks = [b for b in text.replace("\t\n", "\n").split("\n\n") if b.strip()]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train, test = folder / "train.conll", folder / "test.conll"
        train.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        test.write_text("\n\n".join(blocks[:16]) + "\n", encoding="utf-8")
        recipe = ["--encoder", encoder, "--train", train, "--test", test, "--threads", 2,
                  "--epochs", 1, "--batch-size", 16, "--max-length", 256]

        def ours():
            command = [context.command, "train", *recipe, "--output", folder / "model", "--overwrite", "--json"]
            return json.loads(run_process(command)[2])

        def theirs():
            output = run_process([sys.executable, HERE / "train_peer.py", *recipe])[2]
            return json.loads(output.splitlines()[-1])

        found = [(ours(), theirs()) for _ in range(context.pairs)]
    tokens = [[r["tokens_per_second"] * r["train_seconds"] for r in pair] for pair in found]
    for mine, other in tokens:
        if abs(mine - other) > 0.01 * other:
            raise RuntimeError(f"{mine:.0f} tokens against {other:.0f}")
    pairs = [(a["train_seconds"], b["train_seconds"]) for a, b in found]
    return [row(f"training, MiniLM, an epoch of {len(blocks):,} posts", pairs, "transformers", 3.0, "s",
                f"{tokens[0][0]:.0f} tokens on both sides")]


def first_labels(context, fused, threads):
    """The peer's seconds and the labels of TEXT's pieces that are not O, with the pieces' ids."""
    from tokenizers import BertWordPieceTokenizer

    ids = BertWordPieceTokenizer(str(context.vocabulary()), lowercase=True).encode(TEXT).ids
    _, memory, output = run_process([sys.executable, HERE / "peer_start.py", fused, threads,
                                     json.dumps(ids)])
    answer = json.loads(output)
    labels = [LABELS[i] for i in answer["labels"][1:-1]]
    return answer["seconds"], memory, [name for name in labels if name != "O"]


def cold_start(context):
    """A process of `onoma tag` from start to end against ONNX Runtime's session and first run alone: its
    Python, its imports and its tokenizer do not count. The files are in the page cache."""
    folder, fused = context.model("base")
    command = [context.command, "tag", "--model", folder, "--threads", 2, "--json",
               "--aggregation", "none", TEXT]
    seen = {}

    def ours(options=()):
        seconds, _, output = run_process([*command, *options])
        seen["ours"] = [e["label"] for e in json.loads(output)["entities"]]
        return seconds

    def theirs():
        seconds, _, seen["theirs"] = first_labels(context, fused, 2)
        return seconds

    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        cached = ["--packed-cache", Path(temporary) / "packed"]
        for case, options in (("cold start, base", ()), ("cold start, base, packed cache", cached)):
            ours(options), theirs()  # the first writes the cache
            pairs = in_turn(lambda: ours(options), theirs, context.pairs)
            if seen["ours"] != seen["theirs"] or not seen["ours"]:
                raise RuntimeError(f"labels differ: {seen}")
            rows.append(row(case, pairs, "ONNX Runtime", 2.5, check=f"{len(seen['ours'])} labels equal",
                            note="goal: 0.4 of the peer's time"))
            rows.append(figure(case, rows[-1]["onoma"], 350, "ms", "process start to exit"))
    return rows


def peak_memory(context):
    """Peak resident memory of a process that runs BERT-base 1 x 128, against the weights' bytes."""
    folder, fused = context.model("base")
    weights = (folder / "model.safetensors").stat().st_size
    _, mine, _ = run_process([context.engine, folder, 2], "1 128 2\n")
    ids = json.dumps(ids_of(1, 128)[0].tolist())
    _, theirs, _ = run_process([sys.executable, HERE / "peer_start.py", fused, 2, ids])
    note = f"weights {weights / 1e6:.0f} MB; ONNX Runtime with its Python {theirs / 1e6:.0f} MB"
    return [figure("peak memory, base 1 x 128", mine / 1e6, 1.25 * weights / 1e6, "MB", note)]


def binary_size(context):
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "onoma"
        subprocess.run(["strip", "-o", stripped, context.command], check=True)
        return [figure("the command, stripped", stripped.stat().st_size / 1e6, 3.0, "MB")]


PROGRAM = """#include <onoma/onoma.hpp>
#include <iostream>
int main(int, char** argv) {
  auto ner = onoma::pipeline::load(argv[1]);
  for (const auto& e : ner.tag(argv[2])) std::cout << e.text << ' ' << e.label << '\\n';
}
"""


def compile_time(context):
    """A program of one file in static mode, -O2 -march=native, without a compiler cache."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "program.cpp"
        source.write_text(PROGRAM)
        compiler = os.environ.get("CXX", "c++")
        command = [compiler, "-std=c++20", "-O2", "-march=native", "-I", ROOT / "include", source,
                   "-o", Path(folder) / "program", "-lutf8proc", "-pthread"]
        seconds = run_process(command)[0]
    return [figure("compile time of one file, -O2", seconds, 60, "s")]


def script(name, arguments, convert):
    """A comparison that is a script of its own and writes --json."""

    def run(context):
        path = HERE / name
        if not path.exists():
            raise Missing(str(path))
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "rows.json"
            command = [sys.executable, path, *arguments(context), "--pairs", context.pairs, "--json",
                       output]
            subprocess.run([str(c) for c in command], check=True, cwd=HERE)
            return [convert(r) for r in json.loads(output.read_text())]

    return run


def int8_arguments(shape):
    return lambda c: [c.engine, c.command, "--shape", shape]


def int8_row(shape):
    def convert(r):
        return {"case": f"{shape} int8 {r['case']}", "unit": "ms", "goal": 1 / 0.75,
                "peer": f"ONNX Runtime {r['best_peer']}", "onoma": r["ms"]["onoma"],
                "theirs": r["ms"][r["best_peer"]], "ratio": 1 / r["ratio"], "note": "",
                "ratio_min": 1 / r["ratio_max"], "ratio_max": 1 / r["ratio_min"],
                "check": f"error of the logits {r['errors']['onoma']:.3f}, "
                         f"peer's {r['errors'][r['best_peer']]:.3f}"}

    return convert


def tokenizer_arguments(context):
    return [context.bench / "tokenizer_engine",
            Path(context.args.encoder).expanduser() / "tokenizer.json",
            context.need("corpora/ewt/train.conll")]


def built_tokenizer_arguments(name):
    """A tokenizer.json of scripts/tokenizer_configurations.py."""

    def arguments(context):
        lines = context.need("corpora/ewt/train.conll")
        context.need("vocab/bert-gpt2")
        sys.path.insert(0, str(ROOT / "scripts"))
        import tokenizer_configurations
        path = context.work / f"{name}.json"
        path.write_text(tokenizer_configurations.build(str(context.data), name), encoding="utf-8")
        return [context.bench / "tokenizer_engine", path, lines]

    return arguments


def tokenizer_row(model, goal):
    def convert(r):
        return {"case": f"{model}, {r['case']}, {r['threads']} thread(s)", "unit": "MB/s", "goal": goal,
                "peer": "tokenizers", "onoma": r["onoma_mb_s"], "theirs": r["hf_mb_s"],
                "ratio": r["ratio"], "ratio_min": r["ratio_min"], "ratio_max": r["ratio_max"],
                "check": "ids, words and offsets equal", "note": ""}

    return convert


def all_cases():
    """{name: (minutes at 7 pairs on two cores, function)}, in the order of the table."""
    cases = {}
    goals = {"base": {"1x16": 1.25, "1x128": 1 / 0.75, "16x128": 1.3, "4x512": 1.2}}
    for shape, weight in (("base", 1.0), ("distilbert", 0.5), ("minilm", 0.2)):
        for sequences, length, minutes in ((1, 16, 0.3), (1, 128, 0.5), (16, 128, 1.6), (4, 512, 1.8)):
            goal = goals.get(shape, {}).get(f"{sequences}x{length}", 1.2)
            for threads in (2, 1):
                name = f"{shape}-{sequences}x{length}" + ("-1t" if threads == 1 else "")
                scale = weight * (2 if threads == 1 else 1)
                cases[name] = (0.2 + scale * minutes,
                               inference(shape, sequences, length, threads, goal))
        sorted_goal = 1.25 if shape == "base" else 1.2
        cases[f"{shape}-sentences"] = (0.3 + 5 * weight, sentences(shape, (3.0, sorted_goal)))
    cases["int8-base"] = (4, script("compare_int8.py", int8_arguments("base"), int8_row("base")))
    cases["int8-minilm"] = (2, script("compare_int8.py", int8_arguments("minilm"), int8_row("minilm")))
    cases["training-step"] = (5, training_step)
    cases["training-wnut17"] = (12, training_real)
    for name, arguments, row_of in (
            ("tokenizer", tokenizer_arguments, tokenizer_row("WordPiece", 20)),
            ("tokenizer-bpe", built_tokenizer_arguments("roberta"), tokenizer_row("byte-level BPE", 15)),
            ("tokenizer-unigram", built_tokenizer_arguments("xlmr_new"), tokenizer_row("Unigram", 5))):
        cases[name] = (2, script("compare_tokenizer_speed.py", arguments, row_of))
    cases["cold-start"] = (0.5, cold_start)
    cases["peak-memory"] = (0.2, peak_memory)
    cases["binary-size"] = (0.1, binary_size)
    cases["compile-time"] = (1, compile_time)
    return cases
