"""Makes tests/golden/data/metrics.json: random tag sequences with seqeval's scores in every mode.

Needs seqeval. Run from the repository's root: python scripts/goldens/make_metric_goldens.py
"""

import json
import random
import warnings

from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2, Entities

warnings.filterwarnings("ignore")
SCHEMES = {"IOB1": (IOB1, "IOB"), "IOB2": (IOB2, "IOB"), "IOE1": (IOE1, "IOE"), "IOE2": (IOE2, "IOE"),
           "IOBES": (IOBES, "IOBES"), "BILOU": (BILOU, "IOBLU")}
TYPES = ["PER", "LOC", "creative-work"]


def sequence(generator, length, prefixes):
    return ["O" if p == "O" else f"{p}-{generator.choice(TYPES)}"
            for p in (generator.choice(prefixes) for _ in range(length))]


def changed(generator, tags, prefixes):
    return [t if generator.random() < 0.7 else sequence(generator, 1, prefixes)[0] for t in tags]


def scores(gold, predicted, **mode):
    try:
        report = classification_report(gold, predicted, output_dict=True, **mode)
        text = classification_report(gold, predicted, digits=3, **mode)
    except ValueError:
        return None
    return {"report": {k: {n: float(v) for n, v in row.items()} for k, row in report.items()},
            "text": text}


def main():
    generator = random.Random(5)
    cases = []
    for name, (scheme, prefixes) in SCHEMES.items():
        for _ in range(25):
            lengths = [generator.randrange(1, 9) for _ in range(generator.randrange(1, 5))]
            gold = [sequence(generator, n, prefixes) for n in lengths]
            predicted = [changed(generator, tags, prefixes) for tags in gold]
            cases.append({
                "scheme": name, "gold": gold, "predicted": predicted,
                "accuracy": accuracy_score(gold, predicted),
                "default": scores(gold, predicted),
                "strict": scores(gold, predicted, mode="strict", scheme=scheme),
                "default_entities": [[list(e) for e in get_entities(tags)] for tags in gold],
                "strict_entities": [[[e.tag, e.start, e.end] for e in tags]
                                    for tags in Entities(gold, scheme).entities],
            })
    with open("tests/golden/data/metrics.json", "w") as out:
        json.dump(cases, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
