"""F1 of one model on running text, by who finds the words.

    compare_words.py --engine build/release/bench/words_engine --model MODEL --train train.conll test.conll...

MODEL was trained on train.conll by onoma. Prints a row for each file: entities compared as ranges of the text, with
the file's words, the tokenizer's, spaCy's (spacy.blank; a dash without spaCy), those by general rules and those by the
model's rules. Files without `# text =` lines are put together by detokenize.py.
"""

import argparse
import json
import subprocess

from corpora import read_columns, texts_of


def byte_places(text):
    places = [0]
    for c in text:
        places.append(places[-1] + len(c.encode()))
    return places


def tag(arguments, requests):
    """The entities of each request, as sets of (begin, end, type) in bytes."""
    lines = "".join(json.dumps(request, ensure_ascii=False) + "\n" for request in requests)
    done = subprocess.run([arguments.engine, arguments.model, str(arguments.threads)], input=lines,
                          stdout=subprocess.PIPE, text=True, check=True)
    return [{tuple(e) for e in json.loads(line)["entities"]} for line in done.stdout.splitlines()]


def f1(items, found):
    correct = predicted = expected = 0
    for item, entities in zip(items, found):
        places = byte_places(item["text"])
        gold = {(places[a], places[b], kind) for a, b, kind in item["entities"]}
        correct += len(gold & entities)
        predicted += len(entities)
        expected += len(gold)
    return 200 * correct / max(1, predicted + expected)


def spacy_words(items, language):
    try:
        import spacy
    except ImportError:
        return None
    blank = spacy.blank(language)
    return [[(t.idx, t.idx + len(t.text)) for t in blank(item["text"]) if t.text.strip()] for item in items]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, help="for the habits of the corpus, not for the rules")
    parser.add_argument("--language", default="en", help="of spaCy's words")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("tests", nargs="+")
    arguments = parser.parse_args()
    train = read_columns(arguments.train)
    print(f"{'file':24s} {'given':>9s} {'tokenizer':>9s} {'spaCy':>9s} {'general':>9s} {'learned':>9s}")
    for path in arguments.tests:
        items = texts_of(read_columns(path), train)

        def by_words(words):
            requests = []
            for item, spans in zip(items, words):
                places = byte_places(item["text"])
                requests.append({"text": item["text"], "words": [[places[a], places[b]] for a, b in spans]})
            return f"{f1(items, tag(arguments, requests)):9.2f}"

        def by_splitting(splitting):
            requests = [{"text": item["text"], "words": splitting} for item in items]
            return f"{f1(items, tag(arguments, requests)):9.2f}"

        spacy = spacy_words(items, arguments.language)
        print(f"{path.rsplit('/', 1)[-1]:24s}", by_words([item["words"] for item in items]), by_splitting("tokenizer"),
              by_words(spacy) if spacy else f"{'-':>9s}", by_splitting("general"), by_splitting("learned"), flush=True)


if __name__ == "__main__":
    main()
