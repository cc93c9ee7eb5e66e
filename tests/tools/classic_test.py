"""onoma train --classic, and what tag and evaluate do with its file."""

from support import CORPUS, DEV, FAILED, MISUSED, MODEL, TEST, CommandTest, main


class Tests(CommandTest):
    def train(self, *more):
        return self.succeed("train", "--classic", CORPUS / "train.conll", "--output", self.folder / "model", *more)

    def test_a_model_is_trained_saved_and_used_like_any_other(self):
        result = self.train("--dev", DEV, "--test", TEST, "--json", "--iterations", "30")
        summary = result.json()
        self.assertEqual(summary["bytes"], (self.folder / "model").stat().st_size)
        self.assertEqual(len(summary["iterations"]), 30)
        self.assertIn("Trained 30 iterations", result.err)
        f1 = summary["test"]["micro"]["f1"]
        self.assertGreater(f1, 0.3)
        evaluated = self.succeed("evaluate", "--model", self.folder / "model", TEST, "--json").json()
        self.assertEqual(evaluated["micro"], summary["test"]["micro"])
        tagged = self.succeed("tag", "--model", self.folder / "model", "--input", "conll", "--conll", "--file", TEST)
        columns = self.write("tagged.conll", tagged.out)
        compared = self.succeed("evaluate", "--gold", TEST, "--predicted", columns, "--json").json()
        self.assertEqual(compared["micro"], summary["test"]["micro"])
        answer = self.succeed("tag", "--model", self.folder / "model", "--json", "He lives in New York.").json()
        self.assertEqual(answer["text"], "He lives in New York.")
        for entity in answer["entities"]:
            begin, end = entity["bytes"]
            self.assertEqual(answer["text"][begin:end], entity["text"])

    def test_the_file_is_the_same_for_any_number_of_threads(self):
        files = []
        for threads in ("1", "2"):
            self.train("--iterations", "5", "--threads", threads, "--overwrite", "--quiet")
            files.append((self.folder / "model").read_bytes())
        self.assertEqual(*files)

    def test_templates_algorithm_and_dev_scores_are_chosen(self):
        result = self.train("--algorithm", "perceptron", "--iterations", "4", "--dev", DEV, "--dev-every", "1",
                            "--templates", "word[0]", "lower[-1]|lower[0]", "--json")
        iterations = result.json()["iterations"]
        best = max(i["dev_f1"] for i in iterations)
        self.assertAlmostEqual(result.json()["dev"]["micro"]["f1"], best)

    def test_what_does_not_fit_is_refused(self):
        self.refuse(MISUSED, "train", "--train", DEV, "--output", self.folder / "m",
                    says="--encoder and --train, or --classic, is required")
        self.refuse(MISUSED, "train", "--classic", DEV, "--output", self.folder / "m", "--epochs", "3",
                    says="--epochs is not for --classic")
        self.refuse(MISUSED, "train", "--classic", DEV, "--encoder", MODEL, "--output", self.folder / "m",
                    says="--encoder")
        self.refuse(FAILED, "train", "--classic", DEV, "--output", self.folder / "m", "--templates", "words[0]",
                    says="'words[0]'")
        taken = self.write("taken", "mine")
        self.refuse(FAILED, "train", "--classic", DEV, "--output", taken, says=["taken", "--overwrite"])
        self.assertEqual(taken.read_text(), "mine")
        self.train("--iterations", "2", "--quiet")
        model = (self.folder / "model").read_bytes()
        damaged = self.write("damaged", model[:-9] + bytes([model[-9] ^ 1]) + model[-8:])
        self.refuse(FAILED, "tag", "--model", damaged, "text", says="it is damaged")
        self.refuse(FAILED, "evaluate", "--model", damaged, TEST, says="it is damaged")
        self.refuse(FAILED, "tag", "--model", self.folder / "model", "--aggregation", "max", "text",
                    says="the aggregation 'word'")
        self.refuse(FAILED, "tag", "--model", self.folder / "model", "--split", "tokenizer", "text",
                    says="a model with a tokenizer")


if __name__ == "__main__":
    main()
