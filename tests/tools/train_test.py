"""onoma train: what it writes, refuses, and does when it is interrupted."""

import json
import re
import resource
import signal
import subprocess

from support import COMMAND, CORPUS, DEV, TEST, FAILED, INTERRUPTED, MISUSED, MODEL, SOURCE, CommandTest, main


class Tests(CommandTest):
    def arguments(self, *more):
        return ["train", "--encoder", MODEL, "--train", DEV, "--output", self.folder / "model", *more]

    def train(self, *more):
        return self.succeed(*self.arguments(*more))

    def test_a_model_is_saved_with_a_card(self):
        result = self.train("--epochs", "2", "--dev", TEST, "--test", DEV)
        self.assertRegex(result.out, r"(?s)dev: .*precision.*micro avg.*test: .*micro avg")
        self.assertRegex(result.err, r"(?s)\n70 sentences, 17 labels, .*epoch 2/2 .*\nSaved ")
        card = (self.folder / "model" / "README.md").read_text()
        version = ".".join(re.findall(r"define ONOMA_VERSION_\w+ (\d+)",
                                      (SOURCE / "include" / "onoma" / "version.hpp").read_text()))
        for text in ("# model", f"onoma {version}", "`bert-tiny`", "`B-PER`, ", "| dev | `test.conll` | 140 | 1365 |",
                     "| epochs | 2 |", "| all (micro average) |", "The folder keeps how the words"):
            self.assertIn(text, card)
        self.succeed("tag", "--model", self.folder / "model", "Paris")

    def nested_corpus(self):
        lines = []
        for person in ("jane", "john", "Jane", "John"):
            for place in ("berlin", "paris", "york"):
                lines.append({"tokens": [person, "was", "in", place, "."], "spans": [[0, 1, "PER"], [3, 4, "LOC"]]})
                lines.append({"tokens": ["the", "new", place, "museum", "and", person, "met", "on", "monday"],
                              "spans": [[1, 4, "ORG"], [2, 3, "LOC"], [5, 6, "PER"]]})
        lines.append({"tokens": ["all", "of", "this", "is", "long"], "spans": [[0, 5, "ORG"]]})
        return self.write("nested.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n")

    def test_a_model_of_spans_is_trained_and_used(self):
        data = self.nested_corpus()
        model = self.folder / "model"
        result = self.succeed("train", "--encoder", MODEL, "--train", data, "--dev", data, "--output", model,
                              "--head", "span", "--span-width", "4", "--epochs", "60", "--learning-rate", "1e-2",
                              "--batch-size", "4")
        self.assertIn("25 texts, 61 spans, 12 inside of others", result.err)
        self.assertIn("1 span cannot be found: more words than the width; line 25: ORG 'all of this is long'", result.err)
        self.assertRegex(result.out, r"Recall of spans inside of others: [01]\.\d+ of 12; of all others: 0\.9\d+ of 49")
        own = json.loads((model / "config.json").read_text())["onoma"]
        self.assertEqual((own["head"], own["span"]["width"], own["span"]["decoding"]), ("span", 4, "nested"))
        self.assertIn("| words of the longest span | 4 |", (model / "README.md").read_text())
        scores = self.succeed("evaluate", "--model", model, data, "--json").json()
        self.assertGreater(scores["micro"]["f1"], 0.9)
        self.assertEqual(scores["nesting"]["inner"]["support"], 12)
        text = "the new Paris museum and John met on monday"
        found = self.succeed("tag", "--model", model, "--json", text).json()
        self.assertEqual([(e["text"], e["label"]) for e in found["entities"]],
                         [("new Paris museum", "ORG"), ("Paris", "LOC"), ("John", "PER")])
        self.assertEqual(self.succeed("tag", "--model", model, text).out,
                         "the [new [Paris|LOC] museum|ORG] and [John|PER] met on monday\n")
        self.refuse(FAILED, "tag", "--model", model, "--conll", text, says="do not overlap")
        self.refuse(FAILED, "evaluate", "--model", model, data, "--mode", "strict", says="one that finds spans")
        self.assertIn("finds spans of up to 4 words, nested", self.succeed("inspect", "--model", model).out)

    def test_options_of_another_head_are_refused(self):
        for more, expected in ((["--span-width", "3"], "--head span"), (["--head", "crf", "--span-decoding", "flat"],
                               "--head span"), (["--head", "span", "--label-all-tokens"], "for tags")):
            self.refuse(MISUSED, *self.arguments(*more), says=expected)

    def test_names_are_found_whole_in_text_that_was_never_split(self):
        people = ["James W. Hoyt", "Jane O'Brien", "John Tice Jr.", "Ann-Marie D'Arcy"]
        teams = ["AT&T", "Acme Inc.", "A-League"]
        frames = [("", "met the team of", "."), ("the old friend", "of", "won ."),
                  ("last year", ", who left", ", was in Berlin .")]
        rows = []
        for person in people:
            for team in teams:
                for before, between, behind in frames:
                    parts = [(before, ""), (person, "PER"), (between, ""), (team, "ORG"), (behind, "")]
                    for text, kind in parts:
                        for i, word in enumerate(text.split()):
                            rows.append(f"{word}\t{('B-', 'I-')[i > 0] + kind if kind else 'O'}")
                    rows.append("")
        model = self.folder / "model"
        data = self.write("names.conll", "\n".join(rows) + "\n")
        self.succeed("train", "--encoder", MODEL, "--train", data, "--output", model, "--epochs", "40",
                     "--learning-rate", "3e-3", "--batch-size", "8", "--quiet")
        expected = {"James W. Hoyt met the team of AT&T.": ["James W. Hoyt", "AT&T"],
                    "the old friend Jane O'Brien of Acme Inc. won.": ["Jane O'Brien", "Acme Inc."],
                    "last year John Tice Jr., who left A-League, was in Berlin.": ["John Tice Jr.", "A-League"],
                    "Ann-Marie D'Arcy met the team of Acme Inc.": ["Ann-Marie D'Arcy", "Acme Inc."]}
        found = self.succeed("tag", "--model", model, "--json", *expected).json_lines()
        self.assertEqual({a["text"]: [e["text"] for e in a["entities"]] for a in found}, expected)
        columns = self.succeed("tag", "--model", model, "--conll", "James W. Hoyt met the team of AT&T.").out
        self.assertEqual([line.split("\t") for line in columns.splitlines() if line],
                         [["James", "B-PER"], ["W.", "I-PER"], ["Hoyt", "I-PER"], ["met", "O"], ["the", "O"],
                          ["team", "O"], ["of", "O"], ["AT&T", "B-ORG"], [".", "O"]])
        # What the tokenizer alone makes of it is what it was before models had word rules.
        by_tokenizer = self.succeed("tag", "--model", model, "--json", "--split", "tokenizer", *expected).json_lines()
        self.assertNotIn("AT&T", [e["text"] for a in by_tokenizer for e in a["entities"]])
        # The rules stay with a model that is quantised.
        self.succeed("quantize", "--model", model, "--output", self.folder / "int8")
        rules = [self.succeed("inspect", "--json", folder).json()["word_rules"]
                 for folder in (model, self.folder / "int8")]
        self.assertEqual(rules[0], rules[1])
        self.assertGreater(rules[0]["signs"], 40)

    def test_labels_are_counted_and_slips_are_warned_of(self):
        good = "Jane\tB-PER\nDoe\tI-PER\nsaw\tO\nRome\tB-GPE\n\n"
        data = self.write("slips.conll", good * 40 + "Oslo\tB-GEP\n\n")
        dev = self.write("dev.conll", good + "Nile\tB-RIVER\n\n")
        result = self.succeed("train", "--encoder", MODEL, "--train", data, "--dev", dev, "--epochs", "1",
                              "--output", self.folder / "model")
        self.assertRegex(result.err, r"onoma train: warning: .*slips.conll: .*GEP.*GPE")
        self.assertRegex(result.err, r"onoma train: warning: .*dev.conll: .*RIVER.* not in the training data")
        self.assertRegex(result.err, r"(?m)^PER +40 +1$")

    def test_other_schemes_are_recognised_and_converted(self):
        bio = "Jane\tB-PER\nDoe\tI-PER\nRoe\tB-PER\nsaw\tO\nRome\tB-GPE\n\n"
        bilou = "Jane\tB-PER\nDoe\tL-PER\nRoe\tU-PER\nsaw\tO\nRome\tU-GPE\n\n"
        gold = self.write("bio.conll", bio * 20)
        data = self.write("bilou.conll", bilou * 20)
        prefixes = {"IOB1": "BI", "IOB2": "BI", "IOE1": "EI", "IOE2": "EI", "IOBES": "BES", "BILOU": "BLU",
                    "BMEWO": "BEW", "IO": "I"}
        self.succeed("train", "--encoder", MODEL, "--epochs", "1", "--train", gold, "--output", self.folder / "bio")
        for head in ("token", "crf"):
            for scheme, letters in prefixes.items():
                with self.subTest(scheme=scheme, head=head):
                    folder = self.folder / (head + scheme)
                    result = self.succeed("train", "--encoder", MODEL, "--epochs", "1", "--train", data, "--dev", gold,
                                          "--head", head, "--scheme", scheme, "--output", folder, "--json")
                    if scheme == "BILOU":
                        self.assertIn("bilou.conll: tags in BILOU\n", result.err)
                    else:
                        self.assertIn(f"bilou.conll: tags converted from BILOU to {scheme}" +
                                      (", 20 borders lost" if scheme == "IO" else "\n"), result.err)
                    self.assertNotIn("warning", result.err)
                    config = json.loads((folder / "config.json").read_text())
                    self.assertEqual({label[0] for label in config["label2id"]} - {"O"}, set(letters))
                    self.assertEqual(config["onoma"]["scheme"], scheme)
                    self.assertIn(f"| tag scheme | {scheme} |", (folder / "README.md").read_text())
                    self.assertEqual(self.succeed("inspect", folder, "--json").json()["scheme"], scheme)
                    # Whatever scheme the true tags are in: the same scores.
                    reports = [self.succeed("evaluate", "--model", folder, file, "--json") for file in (gold, data)]
                    self.assertEqual(reports[0].json()["micro"], reports[1].json()["micro"])
                    self.assertEqual(reports[0].json()["micro"], result.json()["dev"]["micro"])
                    self.assertEqual("tags converted from BILOU" in reports[1].err, scheme != "BILOU")
        weights = [(self.folder / name / "model.safetensors").read_bytes() for name in ("tokenIOB2", "bio")]
        self.assertEqual(*weights)

    def test_labels_without_a_scheme_are_learned_as_they_are_and_not_converted(self):
        data = self.write("bare.conll", "Jane\tPER\nsaw\tO\nRome\tGPE\n\n" * 20)
        arguments = ("train", "--encoder", MODEL, "--epochs", "1", "--train", data, "--output", self.folder / "model")
        self.refuse(FAILED, *arguments, "--scheme", "IOBES", "--quiet",
                    says=["--scheme IOBES: ", "bare.conll", "expected tags with the prefixes of a scheme"])
        result = self.succeed(*arguments)
        self.assertRegex(result.err, "warning: .*bare.conll: 40 words have labels without a prefix")
        config = json.loads((self.folder / "model" / "config.json").read_text())
        self.assertEqual(sorted(config["label2id"]), ["GPE", "O", "PER"])
        self.assertNotIn("scheme", config["onoma"])

    def test_a_head_of_chains_is_trained_and_every_subcommand_knows_it(self):
        model, state = self.folder / "model", self.folder / "state"
        recipe = ("--head", "crf", "--epochs", "2", "--dev", TEST, "--json", "--quiet", "--learning-rate", "1e-3")
        report = self.train(*recipe, "--checkpoint", state).json()
        weights = (model / "model.safetensors").read_bytes()
        own = json.loads((model / "config.json").read_text())["onoma"]
        self.assertEqual((own["head"], own["scheme"]), ("crf", "IOB2"))
        self.assertIn("| head | crf |", (model / "README.md").read_text())
        evaluated = self.succeed("evaluate", "--model", model, TEST, "--json").json()
        self.assertEqual(evaluated["micro"], report["dev"]["micro"])
        # What is tagged is what was evaluated.
        tagged = self.write("tagged.conll", self.succeed("tag", "--model", model, "--input", "conll", "--conll",
                                                        "--file", TEST).out)
        self.assertEqual(self.succeed("evaluate", "--gold", TEST, "--predicted", tagged, "--json").json()["micro"],
                         evaluated["micro"])
        # From its last state, and not with another head.
        again = self.train(*recipe, "--checkpoint", state, "--resume", "--overwrite").json()
        self.assertEqual(again["losses"], [])
        self.assertEqual((model / "model.safetensors").read_bytes(), weights)
        self.refuse(FAILED, *self.arguments("--epochs", "2", "--dev", TEST, "--quiet", "--learning-rate", "1e-3",
                                            "--checkpoint", state, "--resume", "--overwrite"),
                    says=["onoma train: resuming from ", "head"])
        found = self.succeed("inspect", model, "--json").json()
        self.assertEqual((found["head_kind"], found["head"], found["refused"]), ("crf", True, []))
        self.assertEqual(found["weights"]["ignored"], [])
        self.assertEqual(found["parameters"] * 4, found["weights"]["bytes"])
        self.assertRegex(self.succeed("inspect", model).out, r"(?m)^scheme +IOB2, whose rules a chain ")
        result = self.succeed("quantize", "--model", model, "--output", self.folder / "int8", "--data", TEST, "--json")
        self.assertEqual(result.json()["before"]["f1"], evaluated["micro"]["f1"])
        self.assertEqual(self.succeed("inspect", self.folder / "int8", "--json").json()["head_kind"], "crf")
        self.succeed("tag", "--model", self.folder / "int8", "Paris")
        self.assertGreater(self.succeed("bench", model, "--lengths", "8", "--seconds", "0.01", "--json").json()
                           ["rows"][0]["seconds"], 0)

    def test_a_folder_of_chains_is_an_encoder_for_another_head(self):
        self.train("--head", "crf", "--epochs", "1", "--quiet")
        self.succeed("train", "--encoder", self.folder / "model", "--train", DEV, "--epochs", "1", "--quiet",
                     "--output", self.folder / "token")
        own = json.loads((self.folder / "token" / "config.json").read_text())["onoma"]
        self.assertNotIn("crf", own)
        found = self.succeed("inspect", self.folder / "token", "--json").json()
        self.assertEqual((found["head_kind"], found["refused"]), ("token", []))
        self.succeed("tag", "--model", self.folder / "token", "Paris")

    def test_words_of_unknown_label_are_said_and_their_tag_is_no_label(self):
        known = "Jane\tB-PER\nDoe\tI-PER\nsaw\tO\nRome\tB-GPE\n\n"
        some = "Jane\tB-PER\nDoe\t-\nsaw\t-\nRome\tB-GPE\n\n"
        data = self.write("some.conll", known * 20 + some * 20)
        dev = self.write("dev.conll", known.replace("B-GPE", "?") + some)
        for head in ("crf", "token"):
            folder = self.folder / head
            result = self.succeed("train", "--encoder", MODEL, "--train", data, "--dev", dev, "--head", head,
                                  "--epochs", "1", "--unknown-tag", "?", "--output", folder)
            self.assertIn("some.conll: 40 words of unknown label\n", result.err)
            self.assertIn("dev.conll: 3 words of unknown label\n", result.err)
            self.assertNotIn("warning", result.err)
            self.assertIn("; 3 words of unknown tag left out", result.out)
            self.assertEqual(sorted(json.loads((folder / "config.json").read_text())["label2id"]),
                             ["B-GPE", "B-PER", "I-PER", "O"])
            report = self.succeed("evaluate", "--model", folder, dev, "--unknown-tag", "?", "--json").json()
            self.assertEqual((report["unknown_words"], report["tokens"]), (3, 5))
        report = self.succeed("evaluate", "--gold", data, "--predicted", data, "--json").json()
        self.assertEqual((report["unknown_words"], report["tokens"], report["micro"]["f1"]), (40, 120, 1.0))

    def test_json_has_losses_and_the_dev_scores_of_each_epoch(self):
        result = self.train("--epochs", "3", "--dev", TEST, "--json", "--quiet")
        self.assertEqual(result.err, "")
        report = result.json()
        self.assertEqual([e["epoch"] for e in report["epochs"]], [1, 2, 3])
        self.assertEqual(len(report["losses"]), report["steps"])
        scores = [e["dev"]["f1"] for e in report["epochs"]]
        best = max(range(3), key=lambda i: (scores[i], -i))
        self.assertEqual(report["best_epoch"], best + 1)
        self.assertEqual(report["dev"]["micro"]["f1"], scores[best])

    def test_a_folder_that_is_not_empty_is_not_written_to(self):
        folder = self.folder / "model"
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        self.refuse(FAILED, *self.arguments("--epochs", "1000000"),
                    says=["onoma train: saving model folder ", "expected a new or empty folder, or --overwrite, "
                          "found notes.txt"])
        self.train("--overwrite", "--epochs", "1")
        self.assertEqual((folder / "notes.txt").read_text(), "mine")
        self.refuse(FAILED, "train", "--encoder", MODEL, "--train", DEV, "--output", MODEL,
                    says="--overwrite")

    def test_outputs_that_cannot_be_written_are_refused_before_training(self):
        self.refuse(FAILED, "train", "--encoder", MODEL, "--epochs", "1000000", "--train", DEV,
                    "--output", CORPUS / "README.md", says=["onoma train: saving model folder ", "README.md"])
        self.refuse(FAILED, *self.arguments("--epochs", "1000000", "--checkpoint", self.folder / "none" / "state"),
                    says="state")
        self.refuse(FAILED, *self.arguments("--epochs", "1000000", "--checkpoint", self.folder),
                    says="expected a file, found a folder")

    def test_data_without_entities_is_refused(self):
        path = self.write("plain.conll", "Paris\tO\nRome\tO\n")
        self.refuse(FAILED, "train", "--encoder", MODEL, "--train", path, "--output", self.folder / "model",
                    says=["plain.conll", "at least two different tags", "'O' alone"])

    def interrupt(self, *more, times=1):
        """Starts a run without an end and interrupts it once it is on its way."""
        process = subprocess.Popen([COMMAND, *map(str, self.arguments("--epochs", "1000000", "--log-every", "1", *more))],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("step 12/"):  # in the third epoch
                break
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        lines += process.stderr.read().splitlines(keepends=True)
        return process.wait(120), "".join(lines)

    def test_an_interrupt_without_a_checkpoint_saves_the_model(self):
        code, err = self.interrupt()
        self.assertEqual(code, INTERRUPTED, err)
        self.assertRegex(err, r"(?s)Stopped after \d+ steps.*Saved ")
        self.succeed("tag", "--model", self.folder / "model", "Paris")

    def test_an_interrupt_saves_the_best_epoch_so_far(self):
        # A rate of nearly nothing: the first epoch stays the best, while weights go on changing.
        code, err = self.interrupt("--dev", TEST, "--learning-rate", "1e-12", "--warmup", "0")
        self.assertEqual(code, INTERRUPTED, err)
        self.assertRegex(err, r"The model has the weights of epoch 1, the best")
        best = (self.folder / "model" / "model.safetensors").read_bytes()
        self.succeed("train", "--encoder", MODEL, "--train", DEV, "--learning-rate", "1e-12",
                     "--warmup", "0", "--epochs", "1000000", "--patience", "1", "--dev", TEST,
                     "--output", self.folder / "patient")
        self.assertEqual((self.folder / "patient" / "model.safetensors").read_bytes(), best)

    def test_an_interrupt_with_a_checkpoint_keeps_the_state(self):
        state = self.folder / "state"
        code, err = self.interrupt("--checkpoint", state)
        self.assertEqual(code, INTERRUPTED, err)
        self.assertIn("go on with --resume --checkpoint", err)
        with open(state, "rb") as file:  # a safetensors file: the header's length, then the header
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        position = json.loads(header["__metadata__"]["position"])
        self.assertEqual(position["step"], int(re.search(r"Stopped at step (\d+);", err)[1]))
        self.assertFalse((self.folder / "model").exists())

    def test_a_run_goes_on_from_its_checkpoint_to_the_same_weights(self):
        recipe = ("--epochs", "3", "--dev", TEST, "--json", "--quiet")
        whole = self.train(*recipe).json()
        weights = (self.folder / "model" / "model.safetensors").read_bytes()
        state = self.folder / "state"
        self.train(*recipe, "--checkpoint", state, "--overwrite")  # ends with the state of its last epoch
        again = self.train(*recipe, "--checkpoint", state, "--resume", "--overwrite").json()
        self.assertEqual(again["losses"], [])
        self.assertEqual(again["dev"], whole["dev"])
        self.assertEqual((self.folder / "model" / "model.safetensors").read_bytes(), weights)

    def test_a_checkpoint_is_not_overwritten_by_another_run(self):
        state = self.folder / "state"
        self.train("--epochs", "1", "--checkpoint", state)
        before = state.read_bytes()
        other = ["train", "--encoder", MODEL, "--train", DEV, "--output", self.folder / "other",
                 "--checkpoint", state]
        self.refuse(FAILED, *other, says=["state", "--resume or --overwrite"])
        self.assertEqual(state.read_bytes(), before)

    def test_other_settings_are_named_when_a_run_is_resumed(self):
        state = self.folder / "state"
        self.train("--epochs", "1", "--checkpoint", state)
        other = self.arguments("--overwrite", "--epochs", "1", "--seed", "7", "--checkpoint", state, "--resume", "--quiet")
        result = self.refuse(FAILED, *other, says=["onoma train: resuming from ", "seed 7", "seed 42"])
        self.assertNotIn("learning rate", result.err)

    def test_the_length_of_training_is_used_by_all(self):
        # One text of 700 words: how it is cut decides what is found in it.
        words = " ".join(f"Paris {i} Jane" for i in range(233)).split()
        data = self.write("long.conll", "".join(f"{w}\t{'B-LOC' if w == 'Paris' else 'O'}\n" for w in words))
        self.succeed("train", "--encoder", MODEL, "--train", data, "--dev", data, "--epochs", "1", "--max-length",
                     "24", "--output", self.folder / "short", "--json", "--learning-rate", "1e-12")
        evaluate = ("evaluate", "--model", self.folder / "short", data, "--json")
        by_default = self.succeed(*evaluate).json()["micro"]
        self.assertEqual(self.succeed(*evaluate, "--max-length", "24").json()["micro"], by_default)
        tag = ("tag", "--model", self.folder / "short", "--words", " ".join(words), "--json")
        answer = self.succeed(*tag).json()
        self.assertGreater(answer["windows"], 20)
        self.assertEqual(len(answer["entities"]), by_default["predicted"])
        self.assertEqual(self.succeed(*tag, "--max-length", "24").json(), answer)
        self.assertLess(self.succeed(*tag, "--max-length", "64").json()["windows"], answer["windows"])

    def test_the_last_states_are_kept_and_a_damaged_one_is_passed_over(self):
        states = self.folder / "states"
        recipe = ("--epochs", "3", "--checkpoint", states, "--checkpoint-keep", "2")
        self.train(*recipe)
        weights = (self.folder / "model" / "model.safetensors").read_bytes()
        kept = sorted(states.iterdir())
        self.assertEqual(len(kept), 2)
        self.refuse(FAILED, "train", "--encoder", MODEL, "--train", DEV, "--output", self.folder / "other", *recipe,
                    "--quiet", says=["--resume or --overwrite", "found the checkpoint of another run"])
        newest = bytearray(kept[-1].read_bytes())
        newest[-5] ^= 1
        kept[-1].write_bytes(newest)
        result = self.train(*recipe, "--resume", "--overwrite", "--json")
        self.assertRegex(result.err, rf"warning: passed over: resuming from {kept[-1]}: bad format")
        self.assertIn(f"Resumed from {kept[0]}", result.err)
        self.assertEqual(len(result.json()["passed_over"]), 1)
        self.assertEqual((self.folder / "model" / "model.safetensors").read_bytes(), weights)
        self.refuse(FAILED, *self.arguments("--checkpoint", states, "--overwrite"),
                    says=["expected a file, or --checkpoint-keep", "a folder of states"])

    def test_a_second_run_with_the_same_checkpoint_is_refused(self):
        state = self.folder / "state"
        first = subprocess.Popen([COMMAND, *map(str, self.arguments("--epochs", "1000000", "--log-every", "1",
                                                                   "--checkpoint", state))],
                                 stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(first.stderr.close)
        self.addCleanup(first.kill)
        for line in first.stderr:
            if line.startswith("step 6/"):
                break
        other = ["train", "--encoder", MODEL, "--train", DEV, "--output", self.folder / "other", "--checkpoint", state]
        self.refuse(FAILED, *other, "--resume", says=[f"process {first.pid}", f"{state}.lock"])
        first.kill()
        first.wait()
        state.unlink(missing_ok=True)  # a state of another number of epochs
        self.write("state.0123456789abcdef.tmp", "as a run leaves it that is killed while it writes")
        self.succeed(*other, "--resume", "--epochs", "1")
        self.assertEqual(list(self.folder.glob("*.tmp")), [])

    def test_a_learning_rate_is_changed_when_asked_for_and_noted(self):
        state = self.folder / "state"
        recipe = ("--checkpoint", state, "--overwrite", "--epochs", "2")
        self.train(*recipe)
        other = ("--resume", "--learning-rate", "5e-5")
        self.refuse(FAILED, *self.arguments(*recipe, *other, "--quiet"), says="learning rate")
        result = self.train(*recipe, *other, "--change-learning-rate", "--json").json()
        self.assertEqual(result["rate_changes"], [{"step": result["steps"], "from": 1e-4, "to": 5e-5}])
        card = (self.folder / "model" / "README.md").read_text()
        self.assertIn(f"| learning rate | 0.0001 |\n| learning rate after step {result['steps']} | 5e-05, as was asked for |",
                      card)
        self.refuse(MISUSED, *self.arguments("--change-learning-rate"), says=["--change-learning-rate", "--resume"])

    def test_divergence_names_what_to_type_and_goes_back_when_asked_to(self):
        wild = ("--learning-rate", "1e30", "--warmup", "0", "--epochs", "2", "--quiet", "--json")
        self.refuse(FAILED, *self.arguments(*wild), says=[
            "training step 2: ", "expected a finite loss and finite gradients (a lower learning rate may help: "
            "start with --checkpoint FILE --on-divergence lower-rate), found "])
        state = self.folder / "state"
        again = self.train(*wild[:-2], "--json", "--checkpoint", state, "--on-divergence", "lower-rate",
                           "--divergence-factor", "1e-33", "--divergence-retries", "1")
        self.assertIn("step 2 diverged: back to step 0, learning rate ", again.err)
        change = again.json()["rate_changes"][0]
        self.assertEqual((change["step"], change["diverged_at"], change["from"]), (0, 2, 1e30))
        self.assertAlmostEqual(change["to"], 1e-3, places=9)
        self.assertIn("since step 2 diverged", (self.folder / "model" / "README.md").read_text())

    def test_training_does_not_start_where_the_disk_has_no_place(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))
        self.refuse(FAILED, *self.arguments("--epochs", "1000000", "--quiet"), preexec_fn=limit,
                    says=["reserving disk space for ", "a limit of 40000 bytes per file"])
        self.assertFalse((self.folder / "model").exists())

    def test_resume_needs_a_checkpoint(self):
        self.refuse(MISUSED, *self.arguments("--resume"), says=["onoma train: ", "--resume", "--checkpoint"])


if __name__ == "__main__":
    main()
