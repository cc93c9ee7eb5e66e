"""The shared library from Python, with ctypes alone: the same entities and scores as the command prints.

ONOMA_LIBRARY names the library, ONOMA_COMMAND the command, ONOMA_SOURCE the repository.
"""

import ctypes
import json
import os
import subprocess
import tempfile
import unittest
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

SOURCE = Path(os.environ["ONOMA_SOURCE"])
MODEL = SOURCE / "tests" / "golden" / "data" / "bert-tiny"
CORPUS = SOURCE / "examples" / "data"
TEXTS = ["Jane Doe moved from Paris to New York.", "Zoë 🙂 in 東京, 2019", "",
         "It rains.\nIn Berlin  too?"]


class Error(ctypes.Structure):
    _fields_ = [("code", c_int), ("message", c_char_p), ("operation", c_char_p), ("expected", c_char_p),
                ("found", c_char_p)]


class String(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.data, self.size).decode()


class Entity(ctypes.Structure):
    _fields_ = [("text", String), ("label", String), ("score", c_double)] + [
        (name, c_int64) for name in ("bytes_begin", "bytes_end", "code_points_begin", "code_points_end",
                                     "utf16_begin", "utf16_end", "first", "last")]


class Score(ctypes.Structure):
    _fields_ = [("type", String), ("precision", c_double), ("recall", c_double), ("f1", c_double),
                ("support", c_int64), ("predicted", c_int64), ("correct", c_int64)]


class Progress(ctypes.Structure):
    _fields_ = [("is_epoch", c_int), ("is_best", c_int), ("epoch", c_int64), ("epochs", c_int64),
                ("step", c_int64), ("total_steps", c_int64)]


class Failure(Exception):
    def __init__(self, error):
        super().__init__(error.message.decode())
        self.code = error.code


PROGRESS = ctypes.CFUNCTYPE(c_int, POINTER(Progress), c_void_p)

onoma = ctypes.CDLL(os.environ["ONOMA_LIBRARY"])
for _name, _result, *_arguments in [
        ("version", c_char_p), ("last_error", POINTER(Error)),
        ("model_load", c_int, c_char_p, c_void_p, POINTER(c_void_p)), ("model_free", None, c_void_p),
        ("tag_batch", c_int, c_void_p, POINTER(c_char_p), POINTER(c_size_t), c_size_t, POINTER(c_void_p)),
        ("result_text_count", c_size_t, c_void_p), ("result_entity_count", c_size_t, c_void_p, c_size_t),
        ("result_entity", POINTER(Entity), c_void_p, c_size_t, c_size_t), ("result_free", None, c_void_p),
        ("corpus_read", c_int, c_char_p, POINTER(c_void_p)), ("corpus_free", None, c_void_p),
        ("evaluate", c_int, c_void_p, c_void_p, c_char_p, POINTER(c_void_p)),
        ("report_micro", POINTER(Score), c_void_p), ("report_type_count", c_size_t, c_void_p),
        ("report_type", POINTER(Score), c_void_p, c_size_t), ("report_free", None, c_void_p),
        ("trainer_create", c_int, c_char_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
        ("trainer_run", c_int, c_void_p, PROGRESS, c_void_p), ("trainer_free", None, c_void_p),
        ("trainer_save", c_int, c_void_p, c_char_p)]:
    _function = getattr(onoma, "onoma_" + _name)
    _function.restype, _function.argtypes = _result, _arguments


def call(name, *arguments):
    """Calls a function whose last argument is a place for a handle; returns that."""
    handle = c_void_p()
    if getattr(onoma, "onoma_" + name)(*arguments, byref(handle)) != 0:
        raise Failure(onoma.onoma_last_error().contents)
    return handle


def command(*arguments):
    done = subprocess.run([os.environ["ONOMA_COMMAND"], *map(str, arguments)], capture_output=True, text=True,
                          check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def tag(model, texts):
    data = [text.encode() for text in texts]
    result = call("tag_batch", model, (c_char_p * len(data))(*data),
                  (c_size_t * len(data))(*map(len, data)), len(data))
    found = [[onoma.onoma_result_entity(result, i, j).contents
              for j in range(onoma.onoma_result_entity_count(result, i))]
             for i in range(onoma.onoma_result_text_count(result))]
    entities = [[{"text": str(e.text), "label": str(e.label), "score": e.score,
                  "bytes": [e.bytes_begin, e.bytes_end],
                  "code_points": [e.code_points_begin, e.code_points_end],
                  "utf16": [e.utf16_begin, e.utf16_end]} for e in each] for each in found]
    onoma.onoma_result_free(result)
    return entities


class Tests(unittest.TestCase):
    def setUp(self):
        self.model = call("model_load", str(MODEL).encode(), None)

    def tearDown(self):
        onoma.onoma_model_free(self.model)

    def test_entities_are_those_of_the_command(self):
        lines = command("tag", "--model", MODEL, "--json", "--quiet", *[t for t in TEXTS if t])
        expected = {line["text"]: line["entities"] for line in lines}
        found = tag(self.model, TEXTS)
        self.assertEqual(len(found), len(TEXTS))
        self.assertTrue(any(found))
        for text, entities in zip(TEXTS, found):
            self.assertEqual(len(entities), len(expected.get(text, [])), text)
            for entity, wanted in zip(entities, expected.get(text, [])):
                for key in entity:
                    self.assertEqual(entity[key], wanted[key], (text, key))
                begin, end = entity["code_points"]
                self.assertEqual(text[begin:end], entity["text"])

    def test_scores_are_those_of_the_command(self):
        self.check_scores(self.model, MODEL)

    def test_a_model_of_chains_tags_and_is_evaluated_as_by_the_command(self):
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "chains"
            command("train", "--encoder", MODEL, "--train", CORPUS / "dev.conll", "--head", "crf", "--epochs", "1",
                    "--learning-rate", "1e-12", "--output", folder, "--quiet", "--json")
            model = call("model_load", str(folder).encode(), None)
            self.check_scores(model, folder)
            line, = command("tag", "--model", folder, "--json", "--quiet", TEXTS[0])
            self.assertEqual([[e["text"], e["score"]] for e in tag(model, TEXTS[:1])[0]],
                             [[e["text"], e["score"]] for e in line["entities"]])
            onoma.onoma_model_free(model)

    def check_scores(self, model, folder):
        path = CORPUS / "test.conll"
        expected, = command("evaluate", "--model", folder, "--json", "--quiet", path)
        corpus = call("corpus_read", str(path).encode())
        report = call("evaluate", model, corpus, None)
        micro = onoma.onoma_report_micro(report).contents
        for name in ("precision", "recall", "f1", "support", "predicted"):
            self.assertEqual(getattr(micro, name), expected["micro"][name])
        types = [onoma.onoma_report_type(report, i).contents
                 for i in range(onoma.onoma_report_type_count(report))]
        self.assertEqual({str(t.type): t.f1 for t in types},
                         {name: scores["f1"] for name, scores in expected["types"].items()})
        onoma.onoma_report_free(report)
        onoma.onoma_corpus_free(corpus)

    def test_a_callback_stops_training(self):
        corpus = call("corpus_read", str(CORPUS / "dev.conll").encode())
        trainer = call("trainer_create", str(MODEL).encode(), corpus, None, None)
        steps = []

        @PROGRESS
        def stop(progress, _):
            steps.append(progress.contents.step)
            return len(steps) < 2

        self.assertEqual(onoma.onoma_trainer_run(trainer, stop, None), 0)
        self.assertEqual(steps, [1, 2])
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(onoma.onoma_trainer_save(trainer, f"{folder}/new".encode()), 0)
            onoma.onoma_model_free(call("model_load", f"{folder}/new".encode(), None))
        onoma.onoma_trainer_free(trainer)
        onoma.onoma_corpus_free(corpus)

    def test_failures_have_a_code_and_a_text(self):
        text = "no-such-folder: file not found: expected a folder, found nothing"
        with self.assertRaisesRegex(Failure, text) as at:
            call("model_load", b"no-such-folder", None)
        self.assertEqual(at.exception.code, 4)
        self.assertRegex(onoma.onoma_version().decode(), r"^\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
