"""Builds precompiled charsmaps, the normalisation rules of SentencePiece's files, from Python dictionaries."""

import struct


def build_charsmap(rules):
    """{from: to}, strings without U+0000, to the bytes of a precompiled_charsmap.

    A trie in Darts' format, whose children each have a block of 256 units to themselves, and the texts.
    """
    texts, places = bytearray(), {}
    root = {}
    for source, target in rules.items():
        node = root
        for byte in source.encode():
            node = node.setdefault(byte, {})
        if target not in places:
            places[target] = len(texts)
            texts += target.encode() + b"\0"
        node[0] = places[target]
    units = [0] * 256
    waiting = [(root, 0)]
    while waiting:
        node, at = waiting.pop()
        block = len(units)
        units += [0] * 256
        base = block | (at & 0xFF)
        units[at] |= ((at ^ base) >> 8) << 10 | 1 << 9
        for byte, child in node.items():
            if byte == 0:
                units[at] |= 1 << 8
                units[base] = child | 1 << 31
            else:
                units[base ^ byte] = byte
                if child:
                    waiting.append((child, base ^ byte))
    return struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + bytes(texts)
