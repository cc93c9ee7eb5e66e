"""onoma inspect and onoma bench."""

import json
import shutil
from pathlib import Path

from support import DEV, FAILED, MISUSED, MODEL, CommandTest, main


class Tests(CommandTest):
    def config(self):
        return json.loads((Path(MODEL) / "config.json").read_text())

    def copy(self, **changes):
        """A copy of the model whose config.json has these keys."""
        folder = self.folder / "model"
        shutil.copytree(MODEL, folder)
        config = json.loads((folder / "config.json").read_text())
        config.update(changes)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def test_what_is_in_a_folder(self):
        found = self.succeed("inspect", "--json", MODEL).json()
        config = self.config()
        self.assertEqual(found["family"], "bert")
        sizes = found["sizes"]
        self.assertEqual([sizes[key] for key in ("layers", "hidden", "heads", "feed_forward", "vocabulary")],
                         [config[key] for key in ("num_hidden_layers", "hidden_size", "num_attention_heads",
                                                  "intermediate_size", "vocab_size")])
        self.assertEqual(found["labels"], [config["id2label"][str(i)] for i in range(len(config["id2label"]))])
        self.assertTrue(found["head"])
        self.assertEqual(found["refused"], [])
        self.assertEqual(found["tokenizer"]["pieces"], config["vocab_size"])
        self.assertEqual([piece for piece, _ in found["tokenizer"]["special"]], ["[CLS]", "[SEP]"])
        self.assertEqual(found["parameters"] * 4, found["weights"]["bytes"])
        self.assertGreater(found["memory"]["training"]["activations"], 0)

    def test_lines_for_people_say_the_same(self):
        out = self.succeed("inspect", MODEL).out
        for name in ("folder", "family", "sizes", "labels", "weights", "tokenizer", "special", "inference",
                     "training"):
            self.assertRegex(out, rf"(?m)^{name} ")
        self.assertRegex(out, r"(?m)^refused +nothing$")

    def test_word_rules_are_shown_and_broken_ones_refused(self):
        self.assertRegex(self.succeed("inspect", MODEL).out, r"(?m)^words +found in text by the tokenizer")
        rules = {"version": 1, "signs": {"a-a": "both"}, "before": {"Mr.": "left"}, "behind": {"'s": "right"},
                 "pairs": {"?!": True}, "splits_negations": True, "keeps_addresses": True, "joins_scripts": False}
        folder = self.copy(onoma={"words": rules})
        self.assertRegex(self.succeed("inspect", folder).out, r"(?m)^words +found in text by rules .*: 1 .* 2 .* 1 ")
        shutil.rmtree(folder)
        folder = self.copy(onoma={"words": dict(rules, version=2)})
        for command in (["inspect", "--json", folder], ["tag", "--model", folder, "Paris"]):
            result = self.run_command(*command)
            self.assertEqual(result.code, FAILED)
            self.assertIn("config.json: 'onoma': 'words': 'version': unsupported: expected word rules of version 1, "
                          "found 2", result.out + result.err)
        self.succeed("tag", "--model", folder, "--split", "tokenizer", "Paris")

    def test_a_head_that_onoma_does_not_have_is_refused_by_name(self):
        folder = self.copy(onoma={"head": "span"})
        for command in (["inspect", folder], ["tag", "--model", folder, "Paris"], ["bench", folder],
                        ["evaluate", "--model", folder, DEV]):
            result = self.run_command(*command)
            self.assertEqual(result.code, FAILED)
            self.assertIn("'span'", result.out + result.err)

    def test_what_would_be_refused_is_said_and_the_rest_shown(self):
        folder = self.copy(position_embedding_type="relative_key")
        result = self.run_command("inspect", "--json", folder)
        self.assertEqual(result.code, FAILED)
        found = result.json()
        self.assertEqual([each["part"] for each in found["refused"]], ["config"])
        self.assertIn("position_embedding_type", found["refused"][0]["why"])
        self.assertIn("tokenizer", found)
        result = self.run_command("inspect", self.folder / "none")
        self.assertEqual(result.code, FAILED)
        self.assertIn("expected a folder, found nothing", result.out)

    def test_weights_of_every_family_are_known(self):
        for folder in sorted(Path(MODEL).parent.glob("*-tiny")):
            with self.subTest(folder.name):
                found = self.run_command("inspect", "--json", folder).json()
                parts = [each["part"] for each in found["refused"] if each["part"] != "tokenizer"]
                self.assertEqual(parts, [])

    def test_an_encoder_without_a_tokenizer_or_with_other_sizes(self):
        folder = self.copy(intermediate_size=48)
        for name in ("vocab.txt", "tokenizer.json"):
            (folder / name).unlink(missing_ok=True)
        found = self.run_command("inspect", "--json", folder).json()
        self.assertEqual({each["part"] for each in found["refused"]}, {"weights", "tokenizer"})

    def test_what_is_odd_about_files_is_said(self):
        folder = self.copy()
        (folder / "tokenizer.json").unlink()
        with (folder / "vocab.txt").open("a") as file:
            file.write("\n")
        found = self.succeed("inspect", "--json", folder).json()
        self.assertRegex(" ".join(found["remarks"]), "is blank: a piece that no text gives")

    def test_a_pointer_in_the_place_of_a_file_is_named(self):
        folder = self.copy()
        (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\n")
        result = self.run_command("inspect", folder)
        self.assertEqual(result.code, FAILED)
        self.assertRegex(result.out, "model.safetensors: bad format: expected the file itself, found a pointer of "
                                     "Git LFS")

    def test_the_length_of_training_is_shown(self):
        self.succeed("train", "--encoder", MODEL, "--train", DEV, "--epochs", "1", "--max-length", "40", "--output",
                     self.folder / "model", "--quiet")
        self.assertEqual(self.succeed("inspect", "--json", self.folder / "model").json()["trained_length"], 40)

    def test_bench_measures_each_length_with_each_number_of_threads(self):
        report = self.succeed("bench", MODEL, "--lengths", "8,16", "--thread-counts", "1,2", "--texts", "2",
                              "--seconds", "0.01", "--json").json()
        self.assertEqual([(row["threads"], row["length"]) for row in report["rows"]],
                         [(1, 8), (1, 16), (2, 8), (2, 16)])
        config = self.config()
        hidden, inner, layers = (config[k] for k in ("hidden_size", "intermediate_size", "num_hidden_layers"))
        for row in report["rows"]:
            self.assertGreater(row["seconds"], 0)
            self.assertAlmostEqual(row["tokens_per_second"] * row["seconds"], 2 * row["length"])
            # Two operations for each weight and token, and the two products of attention.
            weights = layers * (4 * hidden**2 + 2 * hidden * inner) + len(config["id2label"]) * hidden
            operations = 2 * row["length"] * (2 * weights + 4 * row["length"] * hidden * layers)
            self.assertAlmostEqual(row["gflops"] * row["seconds"] * 1e9 / operations, 1.0)
            self.assertAlmostEqual(row["of_peak"], row["gflops"] / report["peak_gflops"] / row["threads"])
        out = self.succeed("bench", MODEL, "--lengths", "8", "--seconds", "0.01").out
        self.assertRegex(out, r"kernels \w+; multiply-adds at \d+ GFLOP/s per core; 1 text at a time\n")

    def test_bench_refuses_lengths_that_the_model_does_not_take(self):
        self.refuse(FAILED, "bench", MODEL, "--lengths", "100000", says=["onoma bench: --lengths", "100000"])
        self.refuse(MISUSED, "bench", MODEL, "--lengths", "0", says="onoma bench: --lengths")


if __name__ == "__main__":
    main()
