"""Makes tests/golden/data/pipeline.json: what transformers' TokenClassificationPipeline finds.

The tiny random BERT of make_model_goldens.py tags our own sentences with every aggregation strategy,
whole and in windows. Needs torch, transformers. Run from the repository's root.
"""

import json

from transformers import AutoModelForTokenClassification, AutoTokenizer, TokenClassificationPipeline

SENTENCES = [
    "Jane visited Berlin in April.",
    "The company, founded last year, wrote a book about York.",
    "John said: \"his friend won the game!\"",
    "Zürich, Málaga & São Paulo (south) ...",
    "İstanbul met Jane; naïve café — 中文 in Paris?",
    "😀 Jane 👩‍👩‍👧 Doe",
    "new york's oldest museum-train",
    "a",
    "Berlin Berlin Berlin paris PARIS Paris",
    "antidisestablishmentarianism 1234567890 x",
    "e\u0301te\u0301 de\u0301ja\u0300 vu",
    "the river of the south and the river of the north met in a city by the river in april on a monday",
]


def plain(entities):
    return [{k: (float(v) if k == "score" else v) for k, v in e.items() if k != "word"} for e in entities]


def main():
    folder = "tests/golden/data/bert-tiny"
    model = AutoModelForTokenClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cases = []
    for strategy in ("none", "simple", "first", "average", "max"):
        pipe = TokenClassificationPipeline(model=model, tokenizer=tokenizer,
                                           aggregation_strategy=strategy)
        for text in SENTENCES:
            cases.append({"text": text, "strategy": strategy, "entities": plain(pipe(text))})
        if strategy == "none":
            continue  # windows need an aggregation there
        tokenizer.model_max_length = 16
        windowed = TokenClassificationPipeline(model=model, tokenizer=tokenizer,
                                               aggregation_strategy=strategy, stride=5)
        for text in SENTENCES:
            cases.append({"text": text, "strategy": strategy, "max_length": 16, "stride": 5,
                          "entities": plain(windowed(text))})
        tokenizer.model_max_length = 64
    with open("tests/golden/data/pipeline.json", "w", encoding="utf-8") as out:
        json.dump(cases, out, separators=(",", ":"), ensure_ascii=False)
        out.write("\n")


if __name__ == "__main__":
    main()
