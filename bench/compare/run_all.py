"""Every comparison of onoma with its peers, in one run: a table, JSON and a bar chart.

Usage: python bench/compare/run_all.py [--cases base-1x128,cold-start] [--pairs 7] [--minutes 90] ...
Needs the programs of the presets bench and release (cmake --workflow --preset bench, then release) and
a Python with the peers; --venv FOLDER makes one, installs them and goes on with it.

Results are kept in --work after each case and shown again: an interrupted run goes on where it was,
--fresh begins anew. A case that lacks its data is reported and skipped. --list names the cases with
their time at 7 pairs on two cores: about 80 minutes for all. --minutes bounds the whole run: a case
that would not fit any more is left for the next run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ["torch", "transformers", "tokenizers", "safetensors", "seqeval", "onnx", "onnxruntime",
         "onnxscript", "sentencepiece"]
FLAGS = ["fma", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd"]


def enter_venv(folder):
    """Goes on in a virtual environment that has the peers."""
    python = Path(folder) / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", *PEERS], check=True)
    arguments = [a for i, a in enumerate(sys.argv) if a != "--venv" and sys.argv[i - 1] != "--venv"]
    os.execv(python, [str(python), *arguments])


def machine_facts(program):
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    facts = dict(reversed([[p.strip() for p in line.split(":", 1)] for line in lines if ":" in line]))
    has = set(facts.get("flags", facts.get("Features", "")).split())
    measured = json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    return {"cpu": facts.get("model name", "?"), "cpus": len(os.sched_getaffinity(0)),
            "flags": [flag for flag in FLAGS if flag in has], **measured}


def versions():
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("onnxruntime", "torch", "transformers", "tokenizers"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            pass
    return ", ".join(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", default="", help="names with commas between them; a prefix takes "
                                                    "all that begin with it; default: all")
    parser.add_argument("--list", action="store_true", help="names the cases")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=90, help="begin no case that would end later")
    parser.add_argument("--fresh", action="store_true", help="run cases again that have results")
    parser.add_argument("--work", default=ROOT / "build" / "compare", help="models and results")
    parser.add_argument("--build", default=ROOT / "build", help="folder of the presets' builds")
    parser.add_argument("--data", default=os.environ.get("ONOMA_DATA_DIR", ""),
                        help="corpora and vocabularies (default: $ONOMA_DATA_DIR)")
    parser.add_argument("--encoder", default="~/.cache/onoma/all-MiniLM-L6-v2")
    parser.add_argument("--venv", help="folder of a virtual environment for the peers")
    args = parser.parse_args()
    if args.venv:
        enter_venv(args.venv)

    import measure
    from cases import Context, Missing, all_cases

    cases = all_cases()
    if args.list:
        for name, (minutes, _) in cases.items():
            print(f"{name:24} {minutes:4.1f} min")
        print(f"{'all':24} {sum(m for m, _ in cases.values()):4.1f} min")
        return 0
    wanted = args.cases.split(",") if args.cases else list(cases)
    unknown = [w for w in wanted if not any(name.startswith(w) for name in cases)]
    if unknown:
        parser.error(f"no case begins with {', '.join(unknown)}; --list names them")
    chosen = [n for n in cases if any(n == w for w in wanted)
              or any(n.startswith(w) for w in wanted if w not in cases)]

    context = Context(args)
    context.work.mkdir(parents=True, exist_ok=True)
    context.machine = machine_facts(context.bench / "bench_machine")
    store = context.work / "rows.json"
    rows = json.loads(store.read_text()) if store.exists() else {}
    start, left, failed = time.monotonic(), [], []
    for name in chosen:
        if name in rows and not args.fresh:
            continue
        minutes = cases[name][0] * max(args.pairs, 2) / 7
        if (time.monotonic() - start) / 60 + minutes > args.minutes:
            left.append(name)
            continue
        print(f"{name} (about {minutes:.1f} min)", flush=True)
        try:
            rows[name] = cases[name][1](context)
        except Missing as what:
            print(f"  skipped: needs {what}")
            continue
        except Exception as problem:  # a case that fails must not lose the others
            print(f"  FAILED: {problem}")
            failed.append(name)
            continue
        store.write_text(json.dumps(rows, indent=1) + "\n")
        print(measure.markdown(rows[name]).split("\n", 2)[2], end="", flush=True)

    ordered = [r for name in cases for r in rows.get(name, [])]
    title = f"onoma and its peers: {versions()}"
    measure.save(context.work, ordered, context.machine, title)
    print(f"\n{measure.machine_text(context.machine)}\n\n{measure.markdown(ordered)}")
    print(f"Saved results.md, results.json and results.svg in {context.work}")
    if left:
        print(f"No time for: {', '.join(left)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
