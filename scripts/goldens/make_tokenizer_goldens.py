"""Makes tests/golden/data/tokenizers: small tokenizers and Hugging Face's answers for hostile texts.

Each file holds a tokenizer.json and cases: a text or words, a window length, and for each window ids,
word ids and offsets in code points. The vocabularies are learned from the sentences below.
Run from the repository's root: python scripts/goldens/make_tokenizer_goldens.py. Needs: tokenizers.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers

LEARN = [
    "Jane Doe moved from Paris to New York in 2019, and she's happy there.",
    "The river Aare flows through Bern; they'll visit the old town's markets.",
    "Zoë and José don't like naïve résumés, but we've seen worse: 1,234.56 of them!",
    "Москва и Санкт-Петербург — большие города. 東京は日本の首都です。",
] * 8
TEXTS = [
    "", " ", "  ", "Jane Doe moved from Paris.", " Jane  moved\tto\n\nBern ", "she's they'll DON'T 'tis 'S",
    "Zoë José naïve 東京 Москва", "😀 and 👨‍👩‍👧 e\u0301", "a\u00a0b\u3000c \u2028 d", "x<mask>y <mask> z", "<s>Bern</s>",
    "1,234.56 ２ Ⅷ ½", "\u0000\u0007\ufffd", "foo foobar foo", "in   the   end   ", "a" * 60, "Bern" * 40, "é" * 70,
]
WORDS = [["Jane", "Doe", "'s", "", " ", "Zoë"], ["New", "York-old", "東京", "<mask>"]]


def byte_level(prefix, trim, template, **model):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.train_from_iterator(LEARN, trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    state = json.loads(tokenizer.to_str())
    state["model"].update(model)
    tokenizer = Tokenizer.from_str(json.dumps(state))
    if template:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=trim, add_prefix_space=prefix),
            processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])])
    else:
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), trim_offsets=trim, add_prefix_space=prefix)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("foo", single_word=True, normalized=True)])
    # A token added again keeps its old flags until the tokenizer is read from its own file.
    return Tokenizer.from_str(tokenizer.to_str())


def answer(tokenizer, value, length, stride):
    tokenizer.no_truncation()
    if length:
        tokenizer.enable_truncation(length, stride=stride)
    first = tokenizer.encode(value, is_pretokenized=isinstance(value, list))
    return [[e.ids, [-1 if w is None else w for w in e.word_ids], [list(o) for o in e.offsets]]
            for e in [first, *first.overflowing]]


def main():
    folder = Path("tests/golden/data/tokenizers")
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokenizer in {
        "roberta": byte_level(False, True, False),
        "roberta_prefix": byte_level(True, True, False),
        "byte_level_untrimmed": byte_level(True, False, True),
        "byte_level_whole_words": byte_level(False, True, True, ignore_merges=True),
    }.items():
        cases = [{"input": value, "length": length, "stride": stride,
                  "windows": answer(tokenizer, value, length, stride)}
                 for value in TEXTS + WORDS for length, stride in ((0, 0), (7, 2))]
        tokenizer.no_truncation()
        state = json.loads(tokenizer.to_str())
        if name == "roberta":  # the notation of files that were written before tokenizers 0.20
            state["model"]["merges"] = [" ".join(pair) for pair in state["model"]["merges"]]
        text = json.dumps({"tokenizer": state, "cases": cases}, ensure_ascii=True, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
