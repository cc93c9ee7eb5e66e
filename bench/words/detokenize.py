"""Running text from the words of an annotated corpus, by rule: which words had no space between them.

Corpora in CoNLL columns keep words and lose the spaces. The rules here give them back as English and its
like are typed: closing signs and clitics stand at the word before them, opening signs at the word behind,
straight quotes open and close in turn, hyphens, slashes and apostrophes join what they stand between. What
no rule says, such as a hyphen that was a dash with spaces, is guessed from how the corpus writes its words.
They know no tags.
"""

import re

OPENING = set("([{¿¡«“„‚‘`<")
CLOSING = set(")]}»”’.,;:!?…%‰°>™®、。，！？）」")
CURRENCY = re.compile(r"^(?:[A-Z]{0,3}[$]|[£€¥])$")
CLITIC = re.compile(r"^(?:['’`´](?:s|m|d|t|re|ve|ll|em|S|M|D|T|RE|VE|LL)|[nN]['’]?[tT])$")
NEGATED = {"do", "does", "did", "ca", "wo", "is", "are", "was", "were", "have", "has", "had", "would",
           "should", "could", "ai", "need", "must"}
SPLIT_WORDS = {("gon", "na"), ("wan", "na"), ("got", "ta"), ("gim", "me"), ("lem", "me")}
# Between two words of digits: 3,000 but not July 27, 1969.
NUMBER_SIGN = {".": lambda a, b: a.isdigit() and b.isdigit(), ":": lambda a, b: a.isdigit() and b.isdigit(),
               ",": lambda a, b: len(a) <= 3 and len(b) == 3}
ENTITIES = {"amp", "lt", "gt", "quot", "apos", "nbsp"}
EMOTICON = re.compile(r"^[<>=}]?[:;=8xX][-o^']?[()\[\]{}DPpOo03/\\|*@$]+$|^[()\[\]]+[-o^']?[:;=]$|^<3+$|"
                      r"^[\^oO~>xX-][_.-]+[\^oO~<xX-]$|^[xX:]-?[DdPp]+$")
HYPHENS = set("-‐‑")


def never(*_):
    return False


def is_word(text):
    return any(c.isalnum() for c in text)


class Habits:
    """What a corpus does inside of its words: where it keeps hyphens inside of many words, a hyphen that is a
    word by itself was a dash with spaces; else it joined its neighbours."""

    def __init__(self, sentences):
        words = [word for sentence in sentences for word in sentence if "://" not in word and "@" not in word]
        self.hyphens_are_dashes = self.keeps(r"[^\W\d_]", HYPHENS, words, sentences)
        self.slashes_are_apart = self.keeps(r"[^\W\d_]", {"/"}, words, sentences)
        numbers = sum(1 for word in words if re.search(r"\d[.,:]\d", word))
        self.numbers_whole = numbers > 0.0005 * len(words)

    @staticmethod
    def keeps(letter, signs, words, sentences):
        sign = "[" + "".join(re.escape(c) for c in sorted(signs)) + "]"
        inside = sum(1 for word in words if re.search(letter + sign + letter, word))
        alone = sum(1 for s in sentences for a, b, c in zip(s, s[1:], s[2:])
                    if b in signs and re.search(letter + "$", a) and re.match(letter, c))
        return 3 * inside >= max(alone, 1)


class Detokenizer:
    def __init__(self, habits):
        self.habits = habits

    def spaces(self, words):
        """Whether a space stands before each word; the first is False."""
        left = [False] * len(words)  # the word stands at the one before it
        right = [False] * len(words)  # the next word stands at it
        open_quotes = {'"': False, "'": False}
        for i, word in enumerate(words):
            before = words[i - 1] if i > 0 else ""
            behind = words[i + 1] if i + 1 < len(words) else ""
            if is_word(word) or EMOTICON.match(word):
                left[i], right[i] = self.of_word(word, before, behind)
            else:
                left[i], right[i] = self.of_sign(word, words, i, before, behind, open_quotes)
        return [i > 0 and not (left[i] or right[i - 1]) for i in range(len(words))]

    @staticmethod
    def of_word(word, before, behind):
        negation = word.lower() == "nt" and before.lower() in NEGATED
        split = (before.lower(), word.lower()) in SPLIT_WORDS
        entity = word in ENTITIES and before == "&" and behind == ";"
        clitic = bool(CLITIC.match(word)) and is_word(before)
        if re.match(r"^[^\W\d_]{1,3}['’]$", word) and is_word(behind) and before:  # l', d'
            return False, True
        return negation or split or entity or clitic, entity

    def of_sign(self, sign, words, i, before, behind, open_quotes):
        words_around = is_word(before[-1:]) and is_word(behind[:1])
        digits_around = before[-1:].isdigit() and behind[:1].isdigit()
        if sign in HYPHENS:
            joins = words_around and (digits_around or not self.habits.hyphens_are_dashes)
            return joins, joins
        if sign in ("/", "\\"):
            joins = words_around and not self.habits.slashes_are_apart
            return joins, joins
        if sign in ("–", "—"):
            joins = words_around and (sign == "—" or digits_around)
            return joins, joins
        if sign == "&":
            short = all(w.isupper() and len(w) <= 2 for w in (before, behind))
            return short, short or behind in ENTITIES
        if sign in ("--", "---", "*", "|", "=", "+", "~", "_", "•"):
            return False, False
        if CURRENCY.match(sign):
            return False, behind[:1].isdigit()
        if sign in ("#", "@"):
            return False, is_word(behind[:1])
        if sign == "%":
            return before[-1:].isdigit(), False
        if sign == "'" and re.match(r"^(?:s|m|d|t|re|ve|ll)$", behind, re.I) and is_word(before):
            return True, True
        if digits_around and not self.habits.numbers_whole and NUMBER_SIGN.get(sign, never)(before, behind):
            return True, True
        return self.of_marks(sign, words, i, before, open_quotes)

    @staticmethod
    def of_marks(sign, words, i, before, open_quotes):
        """Quotes, brackets and stops, also several in one word."""
        kinds = []
        for at, c in enumerate(sign):
            if c in open_quotes:
                if c == "'" and at == 0 and not open_quotes[c] and before[-1:] in ("s", "S") \
                        and "'" not in words[i + 1:]:
                    kinds.append("closes")  # the parents'
                    continue
                opens = not open_quotes[c]
                open_quotes[c] = opens
                kinds.append("opens" if opens else "closes")
            elif c in OPENING:
                kinds.append("opens")
            elif c in CLOSING:
                kinds.append("closes")
            else:
                kinds.append("")
        if sign == "``":
            kinds = ["opens"] * 2
        elif sign == "''":
            kinds = ["closes"] * 2
        return kinds[0] == "closes", kinds[-1] == "opens"


def detokenize(sentences, corpus=()):
    """For each sentence (a list of words): its text, and where in it each word begins and ends (in code
    points). `corpus`: more sentences of the same corpus, for its habits."""
    rules = Detokenizer(Habits(list(sentences) + list(corpus)))
    result = []
    for words in sentences:
        text, places = "", []
        for word, space in zip(words, rules.spaces(words)):
            text += " " if space else ""
            places.append((len(text), len(text) + len(word)))
            text += word
        result.append((text, places))
    return result


def align(text, words):
    """Where the words stand in a text that is known: a list of (begin, end), or None where they do not."""
    places, at = [], 0
    for word in words:
        while at < len(text) and text[at].isspace():
            at += 1
        if not text.startswith(word, at):
            return None
        places.append((at, at + len(word)))
        at += len(word)
    return places if not text[at:].strip() else None
