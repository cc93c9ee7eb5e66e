"""onoma evaluate and onoma quantize."""

import json
import math

from support import CORPUS, DEV, TEST, FAILED, MISUSED, MODEL, CommandTest, main

GOLD = "Jane\tB-PER\nDoe\tI-PER\nsaw\tO\nParis\tB-LOC\n\nRome\tB-LOC\n\n"
PREDICTED = "Jane\tB-PER\nDoe\tI-PER\nsaw\tO\nParis\tB-PER\n\nRome\tO\n\n"


class Tests(CommandTest):
    def test_several_files_have_a_row_each(self):
        out = self.succeed("evaluate", "--model", MODEL, DEV, TEST).out
        # Entities (grep -c B-) and sentences of each file.
        self.assertRegex(out, r"dev\.conll .* 153 +70 .*\ntest\.conll .* 337 +140 ")

    def test_json_of_one_file_is_an_object_and_of_several_a_list(self):
        one = self.succeed("evaluate", "--model", MODEL, DEV, "--json").json()
        self.assertEqual((one["sentences"], one["micro"]["support"]), (70, 153))
        self.assertGreater(one["pieces"], one["unknown_pieces"])
        two = self.succeed("evaluate", "--model", MODEL, DEV, TEST, "--json").json()
        self.assertEqual(two[0], one)
        self.assertEqual(two[1]["sentences"], 140)

    def test_a_file_that_is_no_conll_is_named(self):
        self.refuse(FAILED, "evaluate", "--model", MODEL, DEV, CORPUS / "README.md",
                    says=["onoma evaluate: ", "/README.md:", "parse error"])

    def test_a_folder_for_a_file_is_named(self):
        self.refuse(FAILED, "evaluate", "--model", MODEL, CORPUS,
                    says="expected a file of CoNLL columns, found a folder")

    def test_two_files_are_compared_as_seqeval_does(self):
        gold, predicted = self.write("gold.conll", GOLD), self.write("predicted.conll", PREDICTED)
        report = self.succeed("evaluate", "--gold", gold, "--predicted", predicted, "--json").json()
        # One of two predicted entities is right, one of three true ones is found.
        self.assertEqual([report["micro"][key] for key in ("precision", "recall")], [0.5, 1 / 3])
        self.assertTrue(math.isclose(report["micro"]["f1"], 0.4))
        out = self.succeed("evaluate", "--gold", gold, "--predicted", predicted, "--confusion").out
        self.assertIn("gold \\ predicted", out)

    def test_two_files_are_compared_by_the_rules_of_a_scheme(self):
        lines = "Jane\tB-PER\nDoe\tE-PER\nRome\tW-LOC\n\n"
        gold, wrong = self.write("gold.conll", lines), self.write("predicted.conll", lines.replace("E-PER", "M-PER"))
        report = self.succeed("evaluate", "--gold", gold, "--predicted", wrong, "--mode", "strict", "--scheme", "BMEWO",
                              "--json").json()
        self.assertEqual([report["micro"][key] for key in ("precision", "recall")], [1, 0.5])
        io = self.write("io.conll", "Jane\tI-PER\nDoe\tI-PER\nRome\tI-LOC\n\n")
        report = self.succeed("evaluate", "--gold", io, "--predicted", io, "--mode", "strict", "--scheme", "IO",
                              "--json").json()
        self.assertEqual(report["micro"]["support"], 2)

    def test_two_files_must_have_the_same_words(self):
        gold = self.write("gold.conll", GOLD)
        for other, says in [
            (PREDICTED.replace("Rome", "Roma"), ["gold.conll:6, sentence 2: the word 'Rome'",
                                                 "predicted.conll:6, sentence 2: the word 'Roma'"]),
            (PREDICTED.replace("Doe\tI-PER\n", ""), ["the word 'Doe'", "the word 'saw'"]),
            (PREDICTED.replace("Paris\tB-PER\n", ""), ["the word 'Paris'", "its end"]),
            (PREDICTED.split("\n\n")[0] + "\n", ["sentence 2: the word 'Rome'", "none"]),
        ]:
            predicted = self.write("predicted.conll", other)
            self.refuse(FAILED, "evaluate", "--gold", gold, "--predicted", predicted, says=says)

    def test_options_that_contradict_each_other_are_refused(self):
        gold = self.write("gold.conll", GOLD)
        self.refuse(MISUSED, "evaluate", "--gold", gold, says=["--gold", "--predicted"])
        self.refuse(MISUSED, "evaluate", "--model", MODEL, gold, "--scheme", "IOBES", says=["--scheme", "--mode"])
        self.refuse(MISUSED, "evaluate", "--gold", gold, "--predicted", gold, "--model", MODEL, gold,
                    says=["--gold", "--model"])

    def test_quantize_writes_a_folder_that_is_smaller_and_measures_it(self):
        output = self.folder / "int8"
        report = self.succeed("quantize", "--model", MODEL, "--output", output, "--data", DEV,
                              "--json").json()
        self.assertLess(report["bytes_after"], report["bytes_before"])
        self.assertEqual(len(report["tensors"]), 2 * 6)  # layers of 6 weights
        self.assertEqual(set(report["before"]), {"f1", "sentences_per_second"})
        config = json.loads((output / "config.json").read_text())
        self.assertEqual(config["quantization_config"], {"quant_method": "onoma_int8"})
        self.succeed("tag", "--model", output, "Paris")

    def test_quantize_says_what_it_did(self):
        out = self.succeed("quantize", "--model", MODEL, "--output", self.folder / "bf16", "--format", "bf16",
                           "--data", DEV).out
        self.assertRegex(out, r"tensors to bf16; weights 0\.\d MB -> 0\.\d MB \(50 %\)\n")
        self.assertRegex(out, r"(?s)entity F1.*before.*after.*change")

    def test_quantize_does_not_write_into_a_folder_with_other_things(self):
        (self.folder / "notes.txt").write_text("mine")
        arguments = ("quantize", "--model", MODEL, "--output", self.folder)
        self.refuse(FAILED, *arguments, says=["expected a new or empty folder, or --overwrite, found notes.txt"])
        self.assertEqual([p.name for p in self.folder.iterdir()], ["notes.txt"])
        self.succeed(*arguments, "--overwrite")
        self.assertEqual((self.folder / "notes.txt").read_text(), "mine")

    def test_quantize_writes_nothing_where_its_data_is_wrong(self):
        self.refuse(FAILED, "quantize", "--model", MODEL, "--output", self.folder / "new", "--data",
                    self.folder / "none.conll", says="none.conll")
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    main()
