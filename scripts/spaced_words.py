"""What Hugging Face's tokenizers answer for words that are split already, where a space stands between them.

ByteLevel with add_prefix_space=False encodes every word of such a list like one that begins a text. onoma encodes all
but the first as if a space stood before them, so that pieces are those of the text. Needs: tokenizers.
"""

import json

from tokenizers import Tokenizer


def spacer(tokenizer):
    """A function that puts a space in front of the words that onoma gives one: not where an added token or a space
    begins a word. None if pieces do not hold the space before their word, or a step adds it."""
    def steps(part):
        return [s for p in part["pretokenizers"] for s in steps(p)] if part["type"] == "Sequence" else [part]
    state = json.loads(tokenizer.to_str())
    chain = steps(state["pre_tokenizer"]) if state["pre_tokenizer"] else []
    adds = [step["add_prefix_space"] for step in chain if step["type"] == "ByteLevel"]
    if not adds or any(adds):
        return None

    # The same without pieces: what is known then are added tokens.
    unknown = "no added token"
    state |= {"model": {"type": "WordLevel", "vocab": {unknown: 0}, "unk_token": unknown}, "truncation": None,
              "post_processor": None}
    for i, token in enumerate(state["added_tokens"]):
        token["id"] = i + 1
    bare = Tokenizer.from_str(json.dumps(state))

    def has_none(word):
        normal = bare.normalizer.normalize_str(word) if bare.normalizer else word
        return normal[:1] not in ("", " ") and bare.encode(word).tokens[:1] in ([], [unknown])
    return lambda words: [f" {word}" if i > 0 and has_none(word) else word for i, word in enumerate(words)]


def windows(encoding, words=(), spaced=()):
    """Of all windows: ids, word ids, offsets that do not count added spaces, and the mask of special tokens."""
    def offset(word, begin, end):
        more = int(word is not None and bool(spaced) and spaced[word] != words[word])
        return [max(0, begin - more), max(0, end - more)]
    return [[e.ids, [-1 if w is None else w for w in e.word_ids],
             [offset(w, *o) for w, o in zip(e.word_ids, e.offsets)], e.special_tokens_mask]
            for e in [encoding, *encoding.overflowing]]
