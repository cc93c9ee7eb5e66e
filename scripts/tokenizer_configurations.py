"""Builds tokenizer.json files of many families from the vocabularies of a data folder.

They have real vocabularies where these are there (BERT, GPT-2 and RoBERTa, T5's and other SentencePiece
models) and models trained on the spot where not, with the normalizers, pre-tokenizers and
post-processors of well-known checkpoints and with odd combinations. `build(data, name)` returns the text of one.

Needs: tokenizers; sentencepiece and protobuf for the Unigram models.
"""

import base64
import json
import os
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

N, P, X = normalizers, pre_tokenizers, processors
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def wordpiece(data, file):
    vocab = Path(data, "vocab/bert-gpt2", file).read_text(encoding="utf-8").split("\n")
    vocab = {piece: i for i, piece in enumerate(vocab) if piece}
    return Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))


def byte_level_bpe(data, **options):
    folder = Path(data, "vocab/bert-gpt2")
    vocab = json.loads((folder / "gpt2_bpe_encoder.json").read_text(encoding="utf-8"))
    merges = (folder / "gpt2_bpe_vocab.bpe").read_text(encoding="utf-8").split("\n")[1:]
    merges = [tuple(line.split(" ")) for line in merges if line]
    for piece in ("<s>", "<pad>", "</s>", "<unk>", "<mask>"):
        vocab.setdefault(piece, len(vocab))
    return Tokenizer(models.BPE(vocab, merges, **options))


@lru_cache
def sentencepiece_model(path):
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(Path(path).read_bytes())
    return proto


def unigram(data, file, fallback=False):
    proto = sentencepiece_model(str(Path(data, "vocab", file)))
    pieces = [(p.piece, p.score) for p in proto.pieces]
    unknown = proto.trainer_spec.unk_id
    if fallback:
        pieces += [(f"<0x{byte:02X}>", 0.0) for byte in range(256)]
    return Tokenizer(models.Unigram(pieces, unknown, fallback)), proto.normalizer_spec.precompiled_charsmap


@lru_cache
def learning_text(data):
    lines = Path(data, "vocab/sentencepiece/botchan.txt").read_text(encoding="utf-8").splitlines()[:2000]
    for folder in sorted(Path(data, "corpora/uner").iterdir()):
        for file in sorted(folder.glob("*test.iob2")):
            found = [line[7:].strip() for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("# text")]
            lines += found[:300]
    return lines


def trained(data, model, trainer, normalizer, pre_tokenizer):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.train_from_iterator(learning_text(data), trainer)
    return tokenizer


def with_model(tokenizer, **fields):
    state = json.loads(tokenizer.to_str())
    state["model"].update(fields)
    return Tokenizer.from_str(json.dumps(state))


def drop_pieces(tokenizer, *characters):
    """Without pieces that have one of these characters, and their merges."""
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    lacks = lambda piece: not any(c in piece for c in characters)  # noqa: E731
    model["vocab"] = {piece: i for i, piece in enumerate(filter(lacks, model["vocab"]))}
    model["merges"] = [pair for pair in model["merges"] if all(map(lacks, pair))]
    return Tokenizer.from_str(json.dumps(state))


def llama(data, **fields):
    """Character BPE with <0x00> and its like, trained."""
    tokenizer = trained(
        data, models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer(vocab_size=3000, show_progress=False, limit_alphabet=300,
                            special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]),
        N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), P.Metaspace(prepend_scheme="never"))
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    state["pre_tokenizer"] = None
    tokenizer = with_model(Tokenizer.from_str(json.dumps(state)), **({"byte_fallback": True, "fuse_unk": True} | fields))
    tokenizer.post_processor = X.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def finish(tokenizer, normalizer, pre_tokenizer, template=("[CLS]", "[SEP]"), mask="[MASK]", normalized=(), **flags):
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    special = [token for token in (*template, mask) if token]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, **(flags if token == mask else {})) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=True, **(flags if flags and i == 0 else {}))
                          for i, token in enumerate(normalized)])
    if template:
        first, last = template
        tokenizer.post_processor = X.TemplateProcessing(
            single=f"{first} $A {last}".strip(),
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in template if token])
    return tokenizer


def roberta(data, prefix, trim, normalizer=None, pre_tokenizer=None, sequence=False, **options):
    tokenizer = byte_level_bpe(data, **options)
    tokenizer.pre_tokenizer = pre_tokenizer or P.ByteLevel(add_prefix_space=prefix)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    start, end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    if sequence:
        tokenizer.post_processor = X.Sequence([
            X.ByteLevel(trim_offsets=trim, add_prefix_space=prefix),
            X.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", start), ("</s>", end)])])
    else:
        tokenizer.post_processor = X.RobertaProcessing(("</s>", end), ("<s>", start), trim_offsets=trim, add_prefix_space=prefix)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("foo", single_word=True, normalized=True)])
    return tokenizer


def xlmr(data, pre_tokenizer, file="bert-gpt2/t5_tokenizer_base.model", steps=(), behind=(), fallback=False, **flags):
    tokenizer, charsmap = unigram(data, file, fallback)
    tokenizer.normalizer = N.Sequence([*steps, N.Precompiled(charsmap), *behind])
    return finish(tokenizer, None, pre_tokenizer, ("<s>", "</s>"), "<mask>", **({"lstrip": True} | flags))


WHITE = Regex(" {2,}")
UNCASED, CASED = "bert_base_uncased_vocab.txt", "bert_base_cased_vocab.txt"
JA = "sentencepiece/test_ja_model.model"

CONFIGURATIONS = {
    # WordPiece: the compiled chain, then others.
    "bert_uncased": lambda d: finish(wordpiece(d, UNCASED), N.BertNormalizer(), P.BertPreTokenizer()),
    "bert_cased": lambda d: finish(wordpiece(d, CASED), N.BertNormalizer(lowercase=False), P.BertPreTokenizer()),
    "bert_cased_strip": lambda d: finish(wordpiece(d, CASED), N.BertNormalizer(lowercase=False, strip_accents=True),
                                         P.BertPreTokenizer()),
    "bert_noclean": lambda d: finish(wordpiece(d, UNCASED), N.BertNormalizer(clean_text=False, handle_chinese_chars=False,
                                                                            strip_accents=False), P.BertPreTokenizer()),
    "bert_normalized_tokens": lambda d: finish(wordpiece(d, UNCASED), N.BertNormalizer(), P.BertPreTokenizer(),
                                               normalized=("FoO", "café bar", "x", "[Mask"), lstrip=True, rstrip=True),
    "wordpiece_whitespace": lambda d: finish(wordpiece(d, UNCASED), N.Sequence([N.NFD(), N.Lowercase(), N.StripAccents()]),
                                             P.Whitespace(), single_word=True, normalized=("foo", "É")),
    "wordpiece_pieces": lambda d: finish(wordpiece(d, CASED), N.Sequence([N.NFC(), N.Strip()]), P.Sequence(
        [P.WhitespaceSplit(), P.Punctuation("merged_with_previous"), P.Digits(True)])),
    # Byte-level BPE.
    "gpt2": lambda d: finish(byte_level_bpe(d), None, P.ByteLevel(add_prefix_space=False), (), "<|endoftext|>"),
    "roberta": lambda d: roberta(d, False, True),
    "roberta_prefix": lambda d: roberta(d, True, True),
    "roberta_notrim": lambda d: roberta(d, True, False),
    "roberta_sequence": lambda d: roberta(d, True, True, sequence=True),
    "roberta_whole": lambda d: roberta(d, False, True, sequence=True, ignore_merges=True),
    "modernbert": lambda d: roberta(d, False, True, normalizer=N.NFC()),
    "byte_level_chain": lambda d: roberta(d, False, False, N.Sequence([N.NFKC(), N.Lowercase()]),
                                          P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=True)])),
    "llama3": lambda d: roberta(d, False, True, pre_tokenizer=P.Sequence(
        [P.Split(Regex(LLAMA3), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)])),
    "qwen": lambda d: roberta(d, False, True, normalizer=N.NFC(), pre_tokenizer=P.Sequence(
        [P.Split(Regex(QWEN), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)])),
    "byte_level_middle": lambda d: roberta(d, False, False, pre_tokenizer=P.Sequence(
        [P.ByteLevel(add_prefix_space=True), P.Split("e", "merged_with_next")])),
    "byte_level_normalizer": lambda d: finish(byte_level_bpe(d), N.Sequence([N.Prepend(" "), N.ByteLevel()]),
                                              P.Split(Regex("(?=Ġ)"), "isolated"), (), "<mask>"),
    "byte_level_drops": lambda d: finish(drop_pieces(byte_level_bpe(d), "é", "Ã", "Ĥ", "z", "Ń"), None,
                                         P.ByteLevel(add_prefix_space=True), (), "<mask>"),
    # Character BPE.
    "llama": lambda d: llama(d),
    "llama_unknown": lambda d: llama(d, byte_fallback=False),
    "llama_no_fuse": lambda d: llama(d, byte_fallback=False, fuse_unk=False),
    "llama_drops": lambda d: llama(d, byte_fallback=False, unk_token=None),
    "bpe_suffix": lambda d: finish(trained(
        d, models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
        trainers.BpeTrainer(vocab_size=2000, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=200, show_progress=False),
        N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]), P.Whitespace()), None, None, (), "<mask>"),
    "bpe_prefix": lambda d: finish(trained(
        d, models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True),
        trainers.BpeTrainer(vocab_size=2000, special_tokens=["<unk>"], continuing_subword_prefix="##", limit_alphabet=200,
                            show_progress=False), N.NFKC(), P.BertPreTokenizer()), None, None, (), "<mask>"),
    "word_level": lambda d: finish(trained(d, models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(
        vocab_size=5000, special_tokens=["[UNK]"], show_progress=False), N.NFKC(), P.Whitespace()), None, None, (), "[MASK]"),
    # Unigram.
    "t5": lambda d: xlmr(d, P.Sequence([P.WhitespaceSplit(), P.Metaspace()])),
    "xlmr": lambda d: xlmr(d, P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="always")])),
    "xlmr_new": lambda d: xlmr(d, P.Metaspace(), behind=[N.Replace(WHITE, " ")]),
    "camembert": lambda d: xlmr(d, P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]),
                                "bert-gpt2/spm_example.model", normalized=("foo",)),
    "albert": lambda d: xlmr(d, P.Metaspace(), steps=[N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(),
                                                      N.Lowercase()], behind=[N.Replace(WHITE, " ")]),
    "mdeberta": lambda d: xlmr(d, P.Sequence([P.Metaspace(prepend_scheme="always")]),
                               steps=[N.Strip()], behind=[N.Replace(WHITE, " ")]),
    "xlnet": lambda d: xlmr(d, P.Metaspace(split=False, prepend_scheme="never"), "sentencepiece/test_model.model",
                            steps=[N.Nmt(), N.NFKC()], fallback=True),
    "unigram_ja": lambda d: xlmr(d, P.Metaspace(prepend_scheme="first"), JA, fallback=True),
    "unigram_byte_level": lambda d: finish(unigram(d, JA)[0], N.NFC(), P.Sequence(
        [P.Whitespace(), P.CharDelimiterSplit("x"), P.FixedLength(length=4)]), (), "<mask>"),
    # Odd chains.
    "odd_splits": lambda d: finish(wordpiece(d, CASED), N.Sequence([N.Nmt(), N.Replace(Regex("a(b|c)?"), "<>"), N.Prepend("x")]), P.Sequence(
        [P.Split(Regex(r"\d+"), "contiguous"), P.Split(" ", "merged_with_next"), P.Split(Regex(r"\w+"), "removed", invert=True)])),
    "odd_merges": lambda d: finish(wordpiece(d, UNCASED), N.Sequence([N.NFKD(), N.StripAccents(), N.Strip(left=False)]), P.Sequence(
        [P.Metaspace(replacement="_", prepend_scheme="first"), P.Split(Regex(r"[aeiou]"), "merged_with_previous", invert=True),
         P.Punctuation("contiguous"), P.Digits()])),
    "odd_empty": lambda d: finish(wordpiece(d, UNCASED), N.Sequence([N.Lowercase(), N.NFC()]), P.Sequence(
        [P.Split(Regex("x*"), "isolated"), P.Punctuation("merged_with_next"), P.Split("", "contiguous")])),
    "odd_lookaround": lambda d: finish(wordpiece(d, CASED), N.Replace(Regex(r"\b"), "|"), P.Split(
        Regex(r"(?<=[a-z])(?=[A-Z])|\s+$|^\s+|[^\S\n]+"), "removed")),
}


def build(data, name):
    """The tokenizer as its own file would give it: a token that is added again keeps its old flags until then."""
    return Tokenizer.from_str(CONFIGURATIONS[name](data).to_str()).to_str()
