"""onoma train for rare, uneven or wrong labels: class weights, focus, smoothing, rates by layer, repeats, --extra."""

from support import DEV, TEST, MISUSED, MODEL, CommandTest, main

ALL = ["--class-weights", "O=0.5,PER=2", "--focus", "1.5", "--label-smoothing", "0.1", "--layer-decay", "0.9",
       "--drop-highest", "0.1", "--freeze-layers", "1", "--repeat-rare-types", "0.2"]


class Tests(CommandTest):
    def arguments(self, *more, output="model"):
        epochs = [] if "--epochs" in more else ["--epochs", "1"]
        return ["train", "--encoder", MODEL, "--train", DEV, "--output", self.folder / output, *epochs, *more]

    def losses(self, *more, output="model"):
        return self.succeed(*self.arguments("--json", "--quiet", *more, output=output)).json()["losses"]

    def test_each_option_changes_the_losses_and_is_in_the_card(self):
        plain = self.losses()
        for i, (options, says) in enumerate((
            (["--class-weights", "balanced"], "| class weights | balanced |"),
            (["--class-weights", "B-PER=3"], "| class weights | B-PER=3 |"),
            (["--focus", "2"], "| focus | 2 |"),
            (["--label-smoothing", "0.1"], "| label smoothing | 0.1 |"),
            (["--layer-decay", "0.5"], "| layer decay | 0.5 |"),
            (["--freeze-embeddings"], "| frozen | embeddings |"),
            (["--freeze-layers", "2"], "| frozen layers | 2 |"),
            (["--repeat-rare-types", "0.9"], "| rare types repeated below | 0.9 |"),
            (["--extra", f"{TEST}:0.25"], "| train, weight 0.25 | `test.conll` |"),
        )):
            output = f"model{i}"
            self.assertNotEqual(self.losses(*options, output=output), plain, options)
            self.assertIn(says, (self.folder / output / "README.md").read_text())

    def test_words_with_the_highest_losses_are_dropped_from_the_second_epoch_on(self):
        plain = self.losses("--epochs", "2")
        dropped = self.losses("--epochs", "2", "--drop-highest", "0.3", "--drop-ramp", "1", output="dropped")
        half = len(plain) // 2
        self.assertEqual(dropped[:half], plain[:half])
        self.assertLess(sum(dropped[half:]), 0.8 * sum(plain[half:]))
        self.assertIn("| words with the highest losses dropped | 0.3 |",
                      (self.folder / "dropped" / "README.md").read_text())

    def test_a_run_with_all_of_them_is_the_same_for_any_number_of_threads_and_resumes(self):
        more = [*ALL, "--extra", f"{TEST}:0.3"]
        one = self.losses(*more, "--threads", "1", "--epochs", "2", output="one")
        self.assertEqual(self.losses(*more, "--threads", "3", "--epochs", "2", output="three"), one)
        state = self.folder / "state"
        self.losses(*more, "--epochs", "2", "--checkpoint", state, output="saved")
        self.refuse(1, *self.arguments("--quiet", "--epochs", "2", "--checkpoint", state, "--resume", output="other"),
                    says=["resuming from", "focus", "class weights", "layer decay"])

    def test_an_extra_file_of_weight_1_is_as_more_training_sentences(self):
        both = self.write("both.conll", DEV.read_text() + "\n" + TEST.read_text())
        together = self.succeed("train", "--encoder", MODEL, "--train", both, "--output", self.folder / "both",
                                "--epochs", "1", "--json", "--quiet").json()["losses"]
        self.assertEqual(self.losses("--extra", f"{TEST}:1"), together)

    def test_what_is_no_weight_is_refused(self):
        for options, says in (
            (["--class-weights", "PER"], "expected balanced, or LABEL=WEIGHT"),
            (["--class-weights", "PER=x"], "expected balanced, or LABEL=WEIGHT"),
            (["--class-weights", "XYZ=2"], "no tag or type of the training sentences is 'XYZ'"),
            (["--extra", str(TEST)], "expected FILE:WEIGHT"),
            (["--extra", f"{TEST}:-1"], "expected FILE:WEIGHT"),
            (["--focus", "-1"], "--focus"),
            (["--label-smoothing", "1"], "--label-smoothing"),
            (["--drop-highest", "1"], "--drop-highest"),
            (["--layer-decay", "0"], "--layer-decay"),
            (["--freeze-layers", "1", "--freeze-embeddings"], "--freeze"),
        ):
            self.refuse(MISUSED, *self.arguments("--quiet", *options), says=says)
        self.refuse(1, *self.arguments("--quiet", "--freeze-layers", "9"), says="expected at most 2, found 9")


if __name__ == "__main__":
    main()
