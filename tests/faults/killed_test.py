"""A training run that is killed at moments that nobody chose, and resumed each time, ends with the same model."""

import random
import subprocess
import sys
import time

from faults import COMMAND, ENCODER, ENVIRONMENT, MODEL, SENTENCES, STATE, WHOLE, FaultTest, digests, main


class Tests(FaultTest):
    def arguments(self):
        return [COMMAND, "train", "--encoder", ENCODER, "--train", self.data / "many.conll", "--dev",
                self.data / "new.conll", "--epochs", "4", "--batch-size", "2", "--threads", "2", "--output",
                self.disk / MODEL, "--overwrite", "--checkpoint", self.disk / STATE, "--checkpoint-every", "1",
                "--resume"]

    def start(self):
        return subprocess.Popen([str(a) for a in self.arguments()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env=ENVIRONMENT)

    def finish(self, process):
        _, err = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, err.decode())

    def test_the_end_is_the_same_to_the_bit(self):
        (self.data / "many.conll").write_text(
            "".join(SENTENCES.format(f"B-{kind}", "B-LOC") for kind in ("PER", "ORG", "PER", "MISC") * 3))
        before = time.monotonic()
        self.finish(self.start())
        whole_run = time.monotonic() - before
        undisturbed = digests(self.disk / MODEL)

        moments = random.Random(17)
        kills = runs = 0
        while kills < (200 if WHOLE else 5):
            self.empty_disk()
            while True:
                process = self.start()
                try:
                    process.wait(moments.uniform(0, whole_run))
                except subprocess.TimeoutExpired:
                    process.kill()
                killed = process.wait() == -9
                process.stderr.close()
                if not killed:
                    break
                kills += 1
            self.assertEqual(process.returncode, 0)
            self.assertEqual(digests(self.disk / MODEL), undisturbed)
            self.assertEqual({path.name for path in self.disk.iterdir()}, {MODEL, STATE})
            runs += 1
        print(f"{kills} kills in {runs} runs", file=sys.stderr)


if __name__ == "__main__":
    main()
