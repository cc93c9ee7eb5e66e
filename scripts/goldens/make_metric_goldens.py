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
# Tags that the default mode cuts behind their first character, whatever that is.
ODD_TAGS = ["O", "人名", "人", "地名-人名", "B-人名", "I-人名", "é", "éé-İ", "I-é", "-人", "😀-a", "B"]


def sequence(generator, length, prefixes, types=TYPES):
    return ["O" if p == "O" else f"{p}-{generator.choice(types)}"
            for p in (generator.choice(prefixes) for _ in range(length))]


def changed(generator, tags, prefixes, types=TYPES):
    return [t if generator.random() < 0.7 else sequence(generator, 1, prefixes, types)[0] for t in tags]


def scores(gold, predicted, **mode):
    try:
        report = classification_report(gold, predicted, output_dict=True, **mode)
        text = classification_report(gold, predicted, digits=3, **mode)
    except (ValueError, KeyError):
        return None
    return {"report": {k: {n: float(v) for n, v in row.items()} for k, row in report.items()},
            "text": text}


def case_of(name, gold, predicted):
    scheme = SCHEMES[name][0]
    try:
        strict = [[[e.tag, e.start, e.end] for e in tags] for tags in Entities(gold, scheme).entities]
    except (KeyError, ValueError):
        strict = None  # prefixes that no scheme has
    return {
        "scheme": name, "gold": gold, "predicted": predicted,
        "accuracy": accuracy_score(gold, predicted),
        "default": scores(gold, predicted),
        "strict": scores(gold, predicted, mode="strict", scheme=scheme),
        "default_entities": [[list(e) for e in get_entities(tags)] for tags in gold],
        "strict_entities": strict,
    }


def main():
    generator = random.Random(5)
    cases = []
    for name, (_, prefixes) in SCHEMES.items():
        for _ in range(25):
            lengths = [generator.randrange(1, 9) for _ in range(generator.randrange(1, 5))]
            gold = [sequence(generator, n, prefixes) for n in lengths]
            cases.append(case_of(name, gold, [changed(generator, tags, prefixes) for tags in gold]))
    # As many types as numpy sums one after the other, and in lanes.
    for count in (7, 8, 18):
        types = [f"T{i}" for i in range(count)]
        gold = [sequence(generator, 2 * count, "BIO", types)]
        cases.append(case_of("IOB2", gold, [changed(generator, tags, "BIO", types) for tags in gold]))
    for _ in range(8):
        gold, predicted = ([[generator.choice(ODD_TAGS) for _ in range(9)]] for _ in range(2))
        cases.append(case_of("IOB2", gold, predicted))
    # Several sentences: what an odd tag leaves open goes on in the next one.
    for _ in range(40):
        lengths = [generator.randrange(1, 5) for _ in range(generator.randrange(2, 6))]
        gold, predicted = ([[generator.choice(ODD_TAGS + ["0", ".", "-", "E", "S-a"]) for _ in range(n)]
                            for n in lengths] for _ in range(2))
        cases.append(case_of("IOB2", gold, predicted))
    with open("tests/golden/data/metrics.json", "w") as out:
        json.dump(cases, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
