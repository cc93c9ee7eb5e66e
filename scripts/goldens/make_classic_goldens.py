"""Writes tests/golden/data/classic.json: what CRFsuite makes of a small problem. Needs python-crfsuite 0.9.12.

Random sentences with random attributes (seeded); for each run the options, the loss at which CRFsuite ended, all
weights as its model file holds them (in double precision), and for each sentence the logarithm of the probability of
its labels and the best labels.
"""

import json
import math
import random
import struct
import tempfile
from pathlib import Path

import pycrfsuite

OUTPUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data" / "classic.json"


def make_sentences(count, seed):
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(14)]
    sentences = []
    for _ in range(count):
        label, sentence = "O", []
        for _ in range(rng.randint(1, 7)):
            label = rng.choice({"O": ["O", "O", "B"], "B": ["I", "O", "B"], "I": ["I", "O"]}[label])
            attributes = [f"{label}-ish"] if rng.random() < 0.5 else []
            attributes += rng.sample(words, rng.randint(0, 3))
            sentence.append([label, attributes])
        sentences.append(sentence)
    return sentences


def read_names(data, offset):
    """Names by number, of a CQDB in a model file."""
    backward_size, backward_offset = struct.unpack_from("<II", data, offset + 16)
    names = []
    for i in range(backward_size):
        (at,) = struct.unpack_from("<I", data, offset + backward_offset + 4 * i)
        _, size = struct.unpack_from("<II", data, offset + at)
        names.append(data[offset + at + 8: offset + at + 8 + size - 1].decode())
    return names


def read_weights(path):
    """State weights [attribute, label, weight] and transitions [label, label, weight] of a model file."""
    data = Path(path).read_bytes()
    magic, _, kind, _, _, _, _, features, labels, attributes, _, _ = struct.unpack_from("<4sI4sIIIIIIIII", data)
    assert (magic, kind) == (b"lCRF", b"FOMC"), (magic, kind)
    label_names, attribute_names = read_names(data, labels), read_names(data, attributes)
    (count,) = struct.unpack_from("<I", data, features + 8)
    states, transitions = [], []
    for i in range(count):
        what, source, target, weight = struct.unpack_from("<IIId", data, features + 12 + 20 * i)
        names = attribute_names if what == 0 else label_names
        (states if what == 0 else transitions).append([names[source], label_names[target], weight])
    return label_names, states, transitions


def train(sentences, options):
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"epsilon": 1e-9, "delta": 1e-12, **options})
    for sentence in sentences:
        trainer.append(pycrfsuite.ItemSequence([attributes for _, attributes in sentence]), [l for l, _ in sentence])
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model"
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        results = []
        for sentence in sentences:
            best = tagger.tag(pycrfsuite.ItemSequence([attributes for _, attributes in sentence]))
            results.append({"best": best, "log_probability": math.log(tagger.probability([l for l, _ in sentence]))})
        labels, states, transitions = read_weights(path)
    return {"options": options, "loss": trainer.logparser.last_iteration["loss"], "labels": labels, "states": states,
            "transitions": transitions, "sentences": results}


def main():
    sentences = make_sentences(25, seed=3)
    runs = [train(sentences, options) for options in (
        {"c1": 0, "c2": 0.1}, {"c1": 0.3, "c2": 0.05},
        {"c1": 0, "c2": 0.5, "feature.possible_states": True, "feature.possible_transitions": True},
        {"c1": 0, "c2": 0.1, "feature.minfreq": 2})]
    OUTPUT.write_text(json.dumps({"sentences": sentences, "runs": runs}, indent=None, separators=(",", ":")) + "\n")
    print([(r["options"], r["loss"], len(r["states"]), len(r["transitions"])) for r in runs])


if __name__ == "__main__":
    main()
