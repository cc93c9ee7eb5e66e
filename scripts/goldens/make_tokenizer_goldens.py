"""Makes tests/golden/data/tokenizers: small tokenizers and Hugging Face's answers for hostile texts.

Each file holds a tokenizer.json and cases: a text or words, a window length, and for each window ids,
word ids and offsets in code points. The vocabularies are learned from the sentences below. Byte-level
tokenizers without add_prefix_space get words with spaces between them (spaced_words.py).
Run from the repository's root: python scripts/goldens/make_tokenizer_goldens.py. Needs: tokenizers.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from charsmap_builder import build_charsmap  # noqa: E402
from spaced_words import spacer, windows  # noqa: E402

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

N, P = normalizers, pre_tokenizers

LEARN = [
    "Jane Doe moved from Paris to New York in 2019, and she's happy there.",
    "The river Aare flows through Bern; they'll visit the old town's markets.",
    "Zoë and José don't like naïve résumés, but we've seen worse: 1,234.56 of them!",
    "Москва и Санкт-Петербург — большие города. 東京は日本の首都です。",
] * 8
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
TEXTS = [
    "", " ", "  ", "Jane Doe moved from Paris.", " Jane  moved\tto\n\nBern ", "she's they'll DON'T 'tis 'S",
    "Zoë José naïve 東京 Москва", "😀 and 👨‍👩‍👧 e\u0301", "a\u00a0b\u3000c \u2028 d", "x<mask>y <mask> z", "<s>Bern</s>",
    "1,234.56 ２ Ⅷ ½", "\u0000\u0007\ufffd", "foo foobar foo", "in   the   end   ", "a" * 60, "Bern" * 40, "é" * 70,
]
MORE = [  # white space that added tokens take, marks in odd orders, composition, characters that grow
    "\u00a0\u00a0<mask> x<mask>  ", " foo  FoO foo", "I\u0307 \u0130 \u1e9e \ufb01 \u2126 \u210c", "q\u0323\u0307 q\u0307\u0323 \u1100\u1161\u11a8\u11a8",
    "\u0f73\u0301x \u0344", "\uff21\uff42 \u33cd \ufdfa", "a__b  c--d  --", "12a34 \u0663\u0664 x\u2167y", "New York''s ``quote''",
    "\u2581Bern \u2581\u2581 _x", "aXbXXc", "tab\there\r\nline\u0085",
]
WORDS = [["Jane", "Doe", "'s", "", " ", "Zoë"], ["New", "York-old", "東京", "<mask>"]]
ODD = [["", "Bern", "<mask>x", "foo", "foobar", "x<mask>y", "\tb", "\u3000", "\u00a0<mask>", " c", "éa", "!?", "12", "A."]]


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


def character_bpe(normalizer, pre_tokenizer, fields=(), tokens=(), **options):
    """Trained as it will be used, but for what `fields` then change in the file."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **options))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, P.Sequence([P.Split(" ", "merged_with_next")])
    if not isinstance(normalizer, N.Sequence):
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(LEARN, trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<unk>", "<s>", *tokens], limit_alphabet=60, show_progress=False,
        **{key: value for key, value in options.items() if key != "fuse_unk"}))
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    state["model"].update(dict(fields))
    tokenizer = Tokenizer.from_str(json.dumps(state))
    if pre_tokenizer is None:
        state["pre_tokenizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(state))
    else:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def words(model, trainer, normalizer, pre_tokenizer, **flags):
    """WordPiece or WordLevel, with an added token that is looked for in normalised text."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.train_from_iterator(LEARN, trainer)
    tokenizer.add_special_tokens([AddedToken("<mask>", rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("FoO", normalized=True, **flags), AddedToken("Zoë", normalized=True)])
    return Tokenizer.from_str(tokenizer.to_str())


def wordpiece(*chain, **flags):
    return words(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
        vocab_size=330, special_tokens=["[UNK]"], limit_alphabet=60, show_progress=False), *chain, **flags)


RULES = {"\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\u2028": " ", "\ufb01": "fi", "\uff21": "A", "\uff42": "b",
         "\u0007": "", "\u00bd": "1\u20442", "e\u0301": "\u00e9", "\ufdfa": "sall", "\u1161": "", "\u2126": "\u03a9"}


def unigram(pre_tokenizer, before=(), behind=(), fallback=False, **flags):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = N.Sequence([*before, N.Precompiled(build_charsmap(RULES)), *behind])
    tokenizer.pre_tokenizer = P.Metaspace()
    tokenizer.train_from_iterator(LEARN, trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>", "<mask>"], unk_token="<unk>", show_progress=False))
    state = json.loads(tokenizer.to_str())
    if fallback:
        state["model"]["byte_fallback"] = True
        state["model"]["vocab"] += [[piece, 0.0] for piece in BYTES]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("foo", normalized=True, **flags)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return Tokenizer.from_str(tokenizer.to_str())


def chained(normalizer, *steps):
    tokenizer = byte_level(False, True, True)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, P.Sequence(list(steps))
    return Tokenizer.from_str(tokenizer.to_str())


def answer(tokenizer, value, length, stride):
    tokenizer.no_truncation()
    split = isinstance(value, list)
    add_spaces = spacer(tokenizer)
    spaced = add_spaces(value) if split and add_spaces else value
    if length:
        tokenizer.enable_truncation(length, stride=stride)
    first = tokenizer.encode(spaced, is_pretokenized=split)
    return [window[:3] for window in windows(first, value, spaced if split else ())]


def check_spaces(tokenizer):
    """Words with spaces have the pieces of the text, and but for the first those of add_prefix_space=True."""
    words = LEARN[0].split(" ")
    ids = [i for window in answer(tokenizer, words, 0, 0) for i in window[0]]
    assert ids == tokenizer.encode(" ".join(words)).ids
    state = json.loads(tokenizer.to_str().replace('"add_prefix_space":false', '"add_prefix_space":true'))
    prefixed = Tokenizer.from_str(json.dumps(state)).encode(words, is_pretokenized=True)
    rest = [i for i, word in zip(prefixed.ids, prefixed.word_ids) if word]
    if state["pre_tokenizer"]["type"] == "ByteLevel":  # behind other steps, every part of a word gets a space
        assert len(rest) > len(words) and rest == ids[-1 - len(rest):-1]


def dropped(*characters):
    """A byte-level tokenizer whose vocabulary lacks some bytes."""
    state = json.loads(byte_level(True, True, False).to_str())
    model = state["model"]
    for token in state["added_tokens"]:
        model["vocab"].pop(token["content"], None)
    kept = [piece for piece in model["vocab"] if not any(c in piece for c in characters)]
    model["merges"] = [pair for pair in model["merges"] if all(c not in part for part in pair for c in characters)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "foo"]
    model["vocab"] = {piece: i for i, piece in enumerate(tokens + kept)}
    for token in state["added_tokens"]:
        token["id"] = model["vocab"][token["content"]]
    return Tokenizer.from_str(json.dumps(state))


def main():
    folder = Path("tests/golden/data/tokenizers")
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokenizer in {
        "roberta": byte_level(False, True, False),
        "roberta_prefix": byte_level(True, True, False),
        "byte_level_untrimmed": byte_level(True, False, True),
        "byte_level_whole_offsets": byte_level(False, False, True),
        "byte_level_whole_words": byte_level(False, True, True, ignore_merges=True),
        "byte_level_nfc": chained(N.NFC(), P.ByteLevel(add_prefix_space=False)),
        "byte_level_cut_spaces": chained(N.NFKC(), P.Digits(True), P.ByteLevel(add_prefix_space=False)),
        "byte_level_digits": chained(N.Sequence([N.NFKC(), N.Lowercase()]), P.Digits(True), P.ByteLevel(add_prefix_space=True)),
        "byte_level_first": chained(None, P.ByteLevel(add_prefix_space=True), P.Split("e", "merged_with_next")),
        "byte_level_dropped": dropped("\u00a9", "\u012c", "v", "\u0120"),
        "byte_level_regex": chained(N.Replace(Regex(r"\s+"), " "), P.Split(Regex(REGEX), "isolated"),
                                    P.ByteLevel(add_prefix_space=False, use_regex=False)),
        "wordpiece_bert": wordpiece(N.BertNormalizer(), P.BertPreTokenizer(), lstrip=True),
        "wordpiece_forms": wordpiece(N.Sequence([N.NFD(), N.StripAccents(), N.Lowercase(), N.Strip(right=False)]), P.Whitespace()),
        "wordpiece_cuts": wordpiece(N.Sequence([N.Nmt(), N.NFKD()]), P.Sequence([
            P.CharDelimiterSplit("X"), P.Punctuation("contiguous"), P.Metaspace(prepend_scheme="first"), P.Digits(),
            P.Split("\u2581", "merged_with_previous", invert=True), P.FixedLength(length=7)]), single_word=True),
        "wordpiece_regex": wordpiece(N.Replace(Regex("''|``"), '"'), P.Sequence([
            P.Split(Regex(r"\b"), "removed"), P.Split(Regex("n*"), "merged_with_next")])),
        "word_level": words(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(
            special_tokens=["[UNK]"], show_progress=False), N.NFKC(), P.Sequence([P.WhitespaceSplit(), P.Punctuation()])),
        "unigram_split": unigram(P.Sequence([P.WhitespaceSplit(), P.Metaspace()])),
        "unigram_metaspace": unigram(P.Metaspace(), behind=[N.Replace(Regex(" {2,}"), " ")], lstrip=True),
        "unigram_albert": unigram(P.Metaspace(prepend_scheme="first"), before=[N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(),
                                                                             N.StripAccents(), N.Lowercase()]),
        "unigram_bytes": unigram(P.Metaspace(prepend_scheme="never", split=False), before=[N.Strip()], fallback=True),
        "bpe_bytes": character_bpe(N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]), None,
                                   {"byte_fallback": True, "fuse_unk": True}.items(), BYTES),
        "bpe_unknown": character_bpe(N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]), None),
        "bpe_dropped": character_bpe(N.NFKC(), P.Metaspace(), {"unk_token": None}.items()),
        "bpe_suffix": character_bpe(N.Lowercase(), P.Whitespace(), end_of_word_suffix="</w>"),
        "bpe_prefix": character_bpe(N.NFC(), P.BertPreTokenizer(), continuing_subword_prefix="##", fuse_unk=True),
    }.items():
        lists = WORDS + (ODD if "ByteLevel" in tokenizer.to_str() else [])
        inputs = [(value, 0, 0) for value in TEXTS + MORE + lists] + [(value, 7, 2) for value in TEXTS[::3] + lists]
        cases = [{"input": value, "length": length, "stride": stride,
                  "windows": answer(tokenizer, value, length, stride)} for value, length, stride in inputs]
        tokenizer.no_truncation()
        if spacer(tokenizer):
            check_spaces(tokenizer)
        state = json.loads(tokenizer.to_str())
        if name == "roberta":  # the notation of files that were written before tokenizers 0.20
            state["model"]["merges"] = [" ".join(pair) for pair in state["model"]["merges"]]
        text = json.dumps({"tokenizer": state, "cases": cases}, ensure_ascii=True, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
