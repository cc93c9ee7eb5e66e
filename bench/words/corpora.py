"""Annotated corpora as texts with words and entities.

Reads CoNLL columns (the word first, its tag last, or where --columns says), and Universal NER's .iob2, whose
comments `# text = ...` are the true running text.
"""

import json

from detokenize import align, detokenize


def read_columns(path, word_column=0, tag_column=-1):
    """[(words, tags, text or None)]; empty words and document marks are left out."""
    sentences, words, tags, text = [], [], [], None

    def close():
        nonlocal words, tags, text
        if words:
            sentences.append((words, tags, text))
        words, tags, text = [], [], None

    universal = str(path).endswith(".iob2")
    with open(path, encoding="utf-8-sig") as file:
        for line in file:
            line = line.rstrip("\r\n")
            if universal and line.startswith("#"):
                if line.startswith("# text = "):
                    text = line[len("# text = "):]
                continue
            if not line.strip() or line.startswith("-DOCSTART-"):
                close()
                continue
            columns = line.split("\t") if "\t" in line else line.split(" ")
            if universal:
                if not columns[0].isdigit():
                    continue
                word, tag = columns[1], columns[2]
            else:
                word, tag = columns[word_column], columns[tag_column]
            if word.strip():
                words.append(word.strip())
                tags.append(tag.strip())
    close()
    return sentences


def entities_of(tags):
    """[(first word, word behind the last, type)], as conlleval reads BIO tags."""
    found, begin, kind = [], None, None
    for i, tag in enumerate(list(tags) + ["O"]):
        prefix, _, name = tag.partition("-")
        goes_on = prefix == "I" and kind == name
        if kind is not None and not goes_on:
            found.append((begin, i, kind))
            kind = None
        if prefix in ("B", "I") and not goes_on:
            begin, kind = i, name
    return found


def texts_of(sentences, corpus=(), true_texts=None):
    """[{"text", "words": [[begin, end]], "entities": [[begin, end, type]]}] in code points. Where the corpus
    (or `true_texts`) has the running text, it counts; else the words are joined by rule, and `corpus` has more
    sentences of its kind."""
    joined = detokenize([words for words, _, _ in sentences], [words for words, _, _ in corpus])
    result = []
    for i, (words, tags, text) in enumerate(sentences):
        true = true_texts[i] if true_texts is not None else text
        places = align(true, words) if true is not None else None
        if places is None:
            true, places = joined[i]
        entities = [[places[a][0], places[b - 1][1], kind] for a, b, kind in entities_of(tags)]
        result.append({"text": true, "words": [list(p) for p in places], "entities": entities})
    return result


def write_jsonl(items, path):
    with open(path, "w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
