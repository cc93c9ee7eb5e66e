"""Makes include/onoma/text/unicode/unicode_tables.hpp: where Hugging Face tokenizers' view of Unicode is its own.

The Rust crates behind `tokenizers` carry several versions of Unicode at once. This script asks the
Python package about every code point and writes the answers as ranges, so that onoma's normalizer
gives the same pieces. Needs: tokenizers, and utf8proc's shared library (Debian: libutf8proc2).

Run from the repository's root: python scripts/make_unicode_tables.py
"""

import ctypes
import ctypes.util
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

utf8proc = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
libc = ctypes.CDLL(None)
libc.free.argtypes = [ctypes.c_void_p]
utf8proc.utf8proc_tolower.argtypes = [ctypes.c_int32]
utf8proc.utf8proc_tolower.restype = ctypes.c_int32
utf8proc.utf8proc_get_property.argtypes = [ctypes.c_int32]
# The first two members of utf8proc_property_t: category and combining class, 16 bits each.
utf8proc.utf8proc_get_property.restype = ctypes.POINTER(ctypes.c_int16)
utf8proc.utf8proc_map.restype = ctypes.c_ssize_t
STABLE, COMPATIBLE, DECOMPOSE = 1 << 1, 1 << 2, 1 << 4  # utf8proc_option_t


def decomposed(text, *options):
    """utf8proc's NFD, or NFKD."""
    data, out = text.encode(), ctypes.c_void_p()
    flags = STABLE | DECOMPOSE | sum(options)
    size = utf8proc.utf8proc_map(data, ctypes.c_ssize_t(len(data)), ctypes.byref(out), flags)
    assert size >= 0
    found = ctypes.string_at(out, size).decode()
    libc.free(out)
    return found


def bert(**options):
    settings = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(settings | options))


CLEAN, LOWER, STRIP = bert(clean_text=True), bert(lowercase=True), bert(strip_accents=True)
NFD, NFKD, SPLIT = normalizers.NFD(), normalizers.NFKD(), pre_tokenizers.BertPreTokenizer()
ACCENTS, WORD, DIGITS = normalizers.StripAccents(), pre_tokenizers.Whitespace(), pre_tokenizers.Digits()
LETTER = pre_tokenizers.Split(Regex(r"\p{L}"), "removed")
NUMBER = pre_tokenizers.Split(Regex(r"\p{N}"), "removed")
DIGIT = pre_tokenizers.Split(Regex(r"\d"), "removed")


def ranges(points):
    found = []
    for point in sorted(points):
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return found


def lower_runs(pairs):
    """(first, last, step, target of first): runs of equal step whose distance is constant."""
    found = []
    for point, target in sorted(pairs.items()):
        if found:
            first, last, step, start = found[-1]
            gap = point - last
            if target - point == start - first and gap <= 2 and (step == gap or first == last):
                found[-1] = [first, point, gap, start]
                continue
        found.append([point, point, 1, target])
    return found


def main():
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    removed, marks, punctuation, lower, undecomposed, unordered = set(), set(), set(), {}, set(), set()
    letters, numbers, incompatible = set(), set(), set()
    combining, words, numeric, digits = set(), set(), set(), set()
    for c in points:
        s = chr(c)
        if CLEAN.normalize_str(f"a{s}b") == "ab":
            removed.add(c)
        if STRIP.normalize_str(f"a{s}b") == "ab":
            marks.add(c)
        if [w for w, _ in SPLIT.pre_tokenize_str(f"a{s}b")] == ["a", s, "b"]:
            punctuation.add(c)
        if not LETTER.pre_tokenize_str(s):
            letters.add(c)
        if not NUMBER.pre_tokenize_str(s):
            numbers.add(c)
        if not DIGIT.pre_tokenize_str(s):
            digits.add(c)
        if ACCENTS.normalize_str(f"a{s}b") == "ab":
            combining.add(c)
        if len(WORD.pre_tokenize_str(f"a{s}b")) == 1:
            words.add(c)
        if [w for w, _ in DIGITS.pre_tokenize_str(f"a{s}b")] == ["a", s, "b"]:
            numeric.add(c)
        low = LOWER.normalize_str(s)
        if low != chr(utf8proc.utf8proc_tolower(c)):
            assert len(low) == 1 or c == 0x130, hex(c)
            if len(low) == 1:
                lower[c] = ord(low)
        if unicodedata.normalize("NFD", s) != s and NFD.normalize_str(s) == s:
            undecomposed.add(c)
        # Newer characters; whatever else differs would need a table of its own.
        if decomposed(s, COMPATIBLE) != NFKD.normalize_str(s):
            assert NFKD.normalize_str(s) == s, hex(c)
            incompatible.add(c)
        # U+0334 has combining class 1: it moves before every mark of a higher class.
        if c != 0x334 and utf8proc.utf8proc_get_property(c)[1] > 1 and NFD.normalize_str(s) == s:
            if NFD.normalize_str(f"a{s}\u0334") != f"a\u0334{s}":
                unordered.add(c)

    with open("include/onoma/text/unicode/unicode_tables.hpp", "w", encoding="ascii") as out:
        out.write(HEADER)
        for name, comment, values in (
            ("removed_ranges", "Dropped by BertNormalizer's clean_text.", ranges(removed)),
            ("mark_ranges", "Dropped by strip_accents after decomposition.", ranges(marks)),
            ("punctuation_ranges", "Words of their own for BertPreTokenizer.", ranges(punctuation)),
            ("undecomposed_ranges", "Left whole by NFD there.", ranges(undecomposed)),
            ("incompatible_ranges", "Left whole by NFKD there.", ranges(incompatible)),
            ("unordered_ranges", "Marks that NFD does not reorder there.", ranges(unordered)),
            ("letter_ranges", "`\\p{L}` in regular expressions.", ranges(letters)),
            ("number_ranges", "`\\p{N}` in regular expressions.", ranges(numbers)),
            ("digit_ranges", "`\\d` in regular expressions.", ranges(digits)),
            ("word_ranges", "`\\w` of Whitespace and of added tokens that are single words.", ranges(words)),
            ("numeric_ranges", "Numbers to Digits.", ranges(numeric)),
            ("combining_ranges", "Dropped by StripAccents.", ranges(combining)),
        ):
            out.write(f"\n/// {comment}\ninline constexpr code_point_range {name}[] = {{\n")
            out.write(wrap([f"{{0x{a:X}, 0x{b:X}}}" for a, b in values]))
            out.write("};\n")
        out.write("\n/// Lower-case mappings that utf8proc 2.8 does not have.\n")
        out.write("inline constexpr lower_case_run lower_case_runs[] = {\n")
        out.write(wrap([f"{{0x{a:X}, 0x{b:X}, {s}, 0x{t:X}}}" for a, b, s, t in lower_runs(lower)]))
        out.write("};\n\n}  // namespace onoma::inline ONOMA_ABI::unicode\n")


def wrap(items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([*lines, line]) + "\n"


HEADER = """/// Generated by scripts/make_unicode_tables.py: ranges of code points as Hugging Face tokenizers sees them.
#pragma once

#include <onoma/core/config.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::unicode {

/// Code points from `first` to `last`, both inclusive.
struct code_point_range {
  std::uint32_t first;  ///< the lowest
  std::uint32_t last;   ///< the highest
};

/// Code points first, first + step, ..., last map to lower, lower + step, ...
struct lower_case_run {
  std::uint32_t first;  ///< the lowest
  std::uint32_t last;   ///< the highest
  std::uint32_t step;   ///< from one to the next
  std::uint32_t lower;  ///< what the lowest maps to
};
"""

if __name__ == "__main__":
    main()
