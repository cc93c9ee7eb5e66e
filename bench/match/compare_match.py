"""Rules against spaCy's EntityRuler, and a gazetteer of a million phrases: times, sizes, and whether the results agree.

    python bench/match/compare_match.py ENGINE CORPUS [--patterns 10000] [--shortest 1] [--entries 1000000] [--rounds 5]

ENGINE is the program match_engine, CORPUS a file of CoNLL columns. Needs spaCy 3.8. Both sides of the rules get the
same words, and both numbers are the best of the rounds, in turns, on one thread.
"""

import argparse
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path

import spacy
from spacy.pipeline import EntityRuler
from spacy.tokens import Doc


def read_sentences(path):
    sentences, words = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines() + [""]:
        if line.strip():
            words.append(line.split("\t")[0].split(" ")[0])
        elif words:
            sentences.append(words)
            words = []
    return sentences


def spans_of(words):
    """Places in bytes of words with a space behind each."""
    places, at = [], 0
    for word in words:
        size = len(word.encode())
        places.append([at, at + size])
        at += size + 1
    return places


def make_patterns(sentences, count, shortest, nlp, rng):
    """Phrases of one to four words of the corpus, or of no fewer than `shortest`; the label follows from the phrase, so that none has two."""
    phrases = {}
    while len(phrases) < count:
        words = rng.choice(sentences)
        at = rng.randrange(len(words))
        words = words[at:at + rng.choices([1, 2, 3, 4], [1, 5, 3, 1])[0]]
        if len(words) < shortest:
            continue
        phrase = " ".join(words)
        phrases[phrase] = "L%d" % (len(phrase) % 7)
    patterns = []
    for phrase, label in phrases.items():
        doc = nlp.make_doc(phrase)
        starts = [len(phrase[:t.idx].encode()) for t in doc]
        places = [[b, b + len(t.text.encode())] for b, t in zip(starts, doc)]
        patterns.append({"label": label, "pattern": phrase, "words": places})
    return patterns


def compare_rules(options, sentences, folder):
    nlp = spacy.blank("en")
    patterns = make_patterns(sentences, options.patterns, options.shortest, nlp, random.Random(1))
    write = lambda name, items: (folder / name).write_text("".join(json.dumps(i) + "\n" for i in items))
    write("patterns.jsonl", patterns)
    write("documents.jsonl", [{"text": " ".join(words) + " ", "words": spans_of(words)} for words in sentences])
    start = time.perf_counter()
    ruler = EntityRuler(nlp)
    ruler.add_patterns([{"label": p["label"], "pattern": p["pattern"]} for p in patterns])
    compiled = time.perf_counter() - start
    best, ours, ours_compiled = float("inf"), float("inf"), 0.0
    for _ in range(options.rounds):
        docs = [Doc(nlp.vocab, words=words) for words in sentences]
        start = time.perf_counter()
        for doc in docs:
            ruler(doc)
        best = min(best, time.perf_counter() - start)
        done = subprocess.run([options.engine, "rules", folder / "patterns.jsonl", folder / "documents.jsonl", "5"],
                              capture_output=True, text=True, check=True)
        ours_compiled, took = map(float, done.stderr.split())
        ours = min(ours, took)
    expected = ["%d %d %d %s" % (i, e.start, e.end, e.label_) for i, doc in enumerate(docs) for e in doc.ents]
    words = sum(map(len, sentences))
    print(f"{len(patterns)} phrases, {len(sentences)} sentences, {words} words, {len(expected)} entities")
    print(f"spaCy {spacy.__version__}: compiled in {compiled:.2f} s, {best * 1e3:.1f} ms, {words / best / 1e6:.2f} M words/s")
    print(f"onoma: compiled in {ours_compiled:.2f} s, {ours * 1e3:.1f} ms, {words / ours / 1e6:.2f} M words/s: "
          f"{best / ours:.0f} times as fast")
    print("the same entities" if done.stdout.splitlines() == expected else "OTHER ENTITIES")


def make_phrases(sentences, count, rng):
    """Names of one to five words, half of them words of the corpus and half invented."""
    syllables = "ka ro min tel ber son dal vi er an sto ne lu pra gen ix mo ca rin the".split()
    invented = lambda: "".join(rng.choice(syllables) for _ in range(rng.randint(2, 4))).capitalize()
    known = sorted({w for words in sentences for w in words if w.isalpha()})
    first = [invented() for _ in range(20_000)] + known
    last = [invented() for _ in range(60_000)] + known
    phrases = set()
    while len(phrases) < count:
        size = rng.choices([1, 2, 3, 4, 5], [15, 45, 25, 10, 5])[0]
        words = [rng.choice(first)] + [rng.choice(last) for _ in range(size - 1)]
        phrases.add(" ".join(words) if size > 1 else rng.choice(last) + rng.choice(syllables))
    return sorted(phrases)


def measure_gazetteer(options, sentences, folder):
    rng = random.Random(1)
    phrases = make_phrases(sentences, options.entries, rng)
    with open(folder / "phrases.txt", "w", encoding="utf-8") as file:
        for phrase in phrases:
            file.write(f"{phrase}\t{rng.choice(['PER', 'ORG', 'LOC'])}\tQ{rng.randrange(10 ** 8)}\n")
    text = "\n".join(" ".join(words) for words in sentences) + "\n"
    (folder / "text.txt").write_text(text * 20, encoding="utf-8")
    print(f"{len(phrases)} phrases of {sum(map(len, phrases)) / len(phrases):.1f} characters, with ids of 8")
    subprocess.run([options.engine, "gazetteer", folder / "phrases.txt", folder / "compiled", folder / "text.txt",
                    str(2 * options.rounds)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("corpus")
    parser.add_argument("--patterns", type=int, default=10_000)
    parser.add_argument("--shortest", type=int, default=1, help="words that a phrase has at least")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sentences = read_sentences(options.corpus)
    with tempfile.TemporaryDirectory() as folder:
        compare_rules(options, sentences, Path(folder))
        measure_gazetteer(options, sentences, Path(folder))


main()
