"""ONNX Runtime's side of the start-up comparison: from opening a session to its first result, and nothing else.

Usage: python peer_start.py GRAPH.onnx THREADS IDS (a JSON list of token ids, one sequence). Prints one line
of JSON: seconds, and the best label of every token. The time leaves out Python and its imports.
Needs: onnxruntime.
"""

import json
import sys
import time

import numpy as np
import onnxruntime  # noqa: F401  imported before the clock starts

from models import feed_of, session_of


def main():
    path, threads, ids = sys.argv[1:4]
    ids = np.array([json.loads(ids)])
    start = time.perf_counter()
    session = session_of(path, int(threads))
    logits = session.run(None, feed_of(session, ids))[0]
    print(json.dumps({"seconds": time.perf_counter() - start, "labels": logits[0].argmax(-1).tolist()}))


if __name__ == "__main__":
    main()
