"""Makes tests/golden/data/rules.jsonl: random patterns and texts, and what spaCy's EntityRuler makes of them.

Run with spaCy 3.8 installed: python scripts/goldens/make_rule_goldens.py COUNT [SEED] > FILE
Each line has the patterns, the words that spaCy's tokenizer makes of the phrases and of the text (in bytes), entities
that stand there before, a policy, and the entities afterwards. Where two rules match the same words, spaCy takes one
by the order of a hash table; here stands the one that comes first in the file, as onoma takes it.
"""

import json
import random
import sys
import warnings

import spacy
from spacy.pipeline import EntityRuler
from spacy.tokens import Span

warnings.filterwarnings("ignore")
WORDS = """Apple apple APPLE Inc. the The New York new NEW of Bank bank America O'Neil don't cannot U.S. U.K. Mr. one Two
THIRD 21st 3 42 1,000 -7 +3.5 1/2 2/ ½ ² ٣ IIb Ǆungla ǅungla ΟΔΟΣ ΣΑΣ ΑΣ. İstanbul straße STRASSE café CAFÉ ª naïve e-mail
AT&T C++ x@y.org name.last+x@mail.co.uk @x http://a http://b.c/d www.x www.example.com example.com example.org:80
foo.bar foo.barbaz a.b_c.com 10.0.0.1 8.8.8.8 1.2.3.4:80/x .com x. 3.5kg $ € £5 ( ) [ ] { } " ' `` '' “ ” « » ... - -- —
, . ! ? ; : / & % # 日本 東京都 Москва мир العربية שלום हिन्दी 😀 A B aB Ab ABCDEFG abcdefghijk Xx-12 4x4""".split()
LABELS = ["ORG", "PER", "LOC", "MISC"]
FLAGS = """IS_ALPHA IS_ASCII IS_DIGIT IS_LOWER IS_UPPER IS_TITLE IS_PUNCT IS_SPACE IS_BRACKET IS_QUOTE IS_LEFT_PUNCT
IS_RIGHT_PUNCT IS_CURRENCY LIKE_NUM LIKE_URL LIKE_EMAIL SPACY""".split()
REGEXES = [r"^[A-Z]", r"[a-z]+$", r"\d", r"^\d+$", r"\W", r"^\w+$", r"(?i)apple", r"a|e", r"[^a-z]", r"o.n", r"^.{1,3}$",
           r"\.", r"(?:New|new)", r"[A-Z]{2,}", r"x{,2}$", r"\bB", r"^(?!The)T?h", r"é", r"[\d.,]+", r"(.)\1", r"\s"]
OPS = ["!", "?", "+", "*", "{2}", "{1,2}", "{0,1}", "{,2}", "{2,}", "1"]


def text_of(rng):
    text = ""
    for _ in range(rng.randint(1, 22)):
        text += rng.choice(WORDS)
        text += rng.choices([" ", "", "  ", "\n", "\u00a0"], [80, 12, 3, 3, 2])[0]
    return text


def case(rng, name):
    return name if rng.random() < 0.8 else name.lower()


def string_value(rng, strings):
    one = lambda: rng.choice(strings) if rng.random() < 0.9 else rng.choice(["zzz", ""])
    kind = rng.random()
    if kind < 0.55:
        return one()
    if kind < 0.75:
        return {rng.choice(["IN", "NOT_IN", "INTERSECTS", "IS_SUBSET", "in"]): [one() for _ in range(rng.randint(0, 3))]}
    if kind < 0.93:
        return {"REGEX": rng.choice(REGEXES)}
    return {"REGEX": {rng.choice(["IN", "NOT_IN"]): rng.sample(REGEXES, 2)}}


def length_value(rng):
    kind = rng.random()
    if kind < 0.4:
        return rng.randint(1, 8)
    if kind < 0.7:
        return {rng.choice(["==", "!=", "<", "<=", ">", ">="]): rng.randint(0, 8)}
    return {rng.choice(["IN", "NOT_IN"]): [rng.randint(1, 8) for _ in range(rng.randint(0, 3))]}


def token_pattern(rng, doc):
    at = rng.randrange(len(doc))
    pattern = []
    for i in range(rng.choice([1, 1, 2, 2, 3, 4])):
        token = doc[min(at + i, len(doc) - 1)]
        spec = {}
        for _ in range(rng.choices([0, 1, 2], [8, 77, 15])[0]):
            kind = rng.random()
            if kind < 0.25:
                spec[case(rng, "LOWER")] = string_value(rng, [token.lower_, "the", "new"])
            elif kind < 0.4:
                spec[case(rng, rng.choice(["TEXT", "ORTH"]))] = string_value(rng, [token.text, "The"])
            elif kind < 0.5:
                spec[case(rng, "SHAPE")] = string_value(rng, [token.shape_, "Xxxxx", "xxxx", "d"])
            elif kind < 0.6:
                spec[case(rng, "LENGTH")] = length_value(rng)
            elif kind < 0.7:
                spec[case(rng, "ENT_TYPE")] = string_value(rng, LABELS + [""])
            else:
                name = rng.choice(FLAGS)
                value = getattr(token, {"SPACY": "whitespace_"}.get(name, name.lower()))
                spec[case(rng, name)] = bool(value) if rng.random() < 0.8 else not value
        if rng.random() < 0.35:
            spec[case(rng, "OP")] = rng.choice(OPS)
        pattern.append(spec)
    return pattern


def spans_of(doc):
    """Places of tokens in bytes."""
    starts = [len(doc.text[:t.idx].encode()) for t in doc]
    return [[b, b + len(t.text.encode())] for b, t in zip(starts, doc)]


def make_case(rng, nlp):
    text = text_of(rng)
    doc = nlp.make_doc(text)
    patterns = []
    for _ in range(rng.randint(1, 6)):
        entry = {"label": rng.choice(LABELS)}
        if rng.random() < 0.4:
            a = rng.randrange(len(doc))
            entry["pattern"] = doc[a:a + rng.randint(1, 3)].text
            if not entry["pattern"].strip():
                entry["pattern"] = "New York"
        else:
            entry["pattern"] = token_pattern(rng, doc)
        if rng.random() < 0.3:
            entry["id"] = rng.choice(["id1", "id2", "a-b"])
        patterns.append(entry)
    policy = rng.choice(["before", "after", "override", "only"])
    fold = rng.random() < 0.2
    model = []
    at = 0
    while at < len(doc):
        size = rng.randint(1, 3)
        if rng.random() < 0.2 and at + size <= len(doc):
            model.append([at, at + size, rng.choice(LABELS)])
        at += size
    ruler = EntityRuler(nlp, overwrite_ents=policy == "override", phrase_matcher_attr="LOWER" if fold else None)
    ruler.add_patterns(patterns)
    sees = policy in ("after", "override")
    given = [Span(doc, a, b, label=label) for a, b, label in model]
    if sees:
        doc.ents = given
    matches = ruler.match(doc)
    # The rule that comes first, of those that match the same words: the same patterns once more, each by its number.
    numbered = EntityRuler(nlp, phrase_matcher_attr="LOWER" if fold else None)
    numbered.add_patterns([{**entry, "id": str(i)} for i, entry in enumerate(patterns)])
    first = {}
    for key, start, end in numbered.match(doc):
        i = int(numbered._ent_ids[key][1])
        first[start, end] = min(first.get((start, end), i), i)
    ruler.set_annotations(doc, matches)
    rules = set()
    result = []
    for e in doc.ents:
        if [e.start, e.end, e.label_] in model and sees and not any(
                m[1] == e.start and m[2] == e.end for m in matches):
            result.append([e.start, e.end, e.label_, "", "model"])
        elif sees and policy == "after" and [e.start, e.end, e.label_] in model:
            result.append([e.start, e.end, e.label_, "", "model"])
        else:
            entry = patterns[first[e.start, e.end]]
            result.append([e.start, e.end, entry["label"], entry.get("id", ""), "rule"])
            rules.update(range(e.start, e.end))
    if policy == "before":
        result += [[a, b, label, "", "model"] for a, b, label in model if not rules & set(range(a, b))]
    words = spans_of(doc)
    place = lambda a, b: [words[a][0], words[b - 1][1]]
    return {
        "policy": policy, "fold": fold, "patterns": patterns, "text": text, "words": words,
        "phrases": {p["pattern"]: spans_of(nlp.make_doc(p["pattern"])) for p in patterns if isinstance(p["pattern"], str)},
        "model": [place(a, b) + [label] for a, b, label in model if policy != "only"],
        "expected": sorted(place(a, b) + [label, name, source] for a, b, label, name, source in result),
    }


def main():
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    nlp = spacy.blank("en")
    for _ in range(int(sys.argv[1])):
        print(json.dumps(make_case(rng, nlp), ensure_ascii=False, separators=(",", ":")))


main()
