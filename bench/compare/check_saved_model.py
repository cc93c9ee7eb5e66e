"""Does a model that onoma saved give the same entities in transformers' pipeline?

Usage: python bench/compare/check_saved_model.py ONOMA MODEL TEST.conll [--strategies simple first ...]
Tags every sentence of TEST.conll (its words joined by spaces) with both programs and every
aggregation strategy, prints the number of entities and of differences, and fails if there is one.

Needs: torch, transformers.
"""

import argparse
import json
import subprocess
import sys
import tempfile

from train_peer import read_conll
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline


def onoma_entities(program, model, texts, strategy):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(text + "\n" for text in texts))
        file.flush()
        command = [program, "tag", "--model", model, "--json", "--aggregation", strategy, "--file", file.name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answers = [json.loads(line) for line in output.splitlines()]
    assert [a["text"] for a in answers] == texts
    return [[(*e["code_points"], e["label"], e["score"]) for e in a["entities"]] for a in answers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onoma")
    parser.add_argument("model")
    parser.add_argument("test")
    parser.add_argument("--strategies", nargs="+", default=["none", "simple", "first", "average", "max"])
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of scores: two float forwards")
    args = parser.parse_args()

    texts = [" ".join(words) for words, _ in read_conll(args.test)]
    model = AutoModelForTokenClassification.from_pretrained(args.model)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    different = 0
    for strategy in args.strategies:
        theirs = pipeline("token-classification", model=model, tokenizer=tokenizer,
                          aggregation_strategy=strategy, device="cpu")(texts)
        entities = worst = wrong = 0
        for text, mine, other in zip(texts, onoma_entities(args.onoma, args.model, texts, strategy),
                                     theirs):
            other = [(e["start"], e["end"], e.get("entity_group", e.get("entity")), float(e["score"]))
                     for e in other]
            entities += len(other)
            if [e[:3] for e in mine] != [e[:3] for e in other]:
                wrong += 1
                print(f"{strategy}: {text!r}\n  onoma        {mine}\n  transformers {other}")
                continue
            worst = max([worst, *(abs(a[3] - b[3]) for a, b in zip(mine, other))])
        print(f"{strategy}: {len(texts)} texts, {entities} entities, {wrong} texts differ, "
              f"scores by at most {worst:.1e}")
        different += wrong + (worst > args.tolerance)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
