"""onoma tag: texts, files, pipes and what it writes."""

import json
import os
import select
import subprocess
import unittest

from support import COMMAND, CORPUS, DEV, TEST, FAILED, MISUSED, MODEL, CommandTest, main

TEXT = "Jane Doe moved from Paris to New York."


class Tests(CommandTest):
    def tag(self, *arguments, **options):
        return self.succeed("tag", "--model", MODEL, *arguments, **options)

    def test_json_has_one_object_per_text_with_places_in_three_units(self):
        text = "Zoë 😀 Paris"
        first, second = self.tag("--json", text, TEXT).json_lines()
        self.assertEqual((first["text"], second["text"]), (text, TEXT))
        for answer in (first, second):
            self.assertTrue(answer["entities"])  # random weights find much
            for entity in answer["entities"]:
                begin, end = entity["code_points"]
                self.assertEqual(answer["text"][begin:end], entity["text"])
                begin, end = entity["bytes"]
                self.assertEqual(answer["text"].encode()[begin:end].decode(), entity["text"])
                begin, end = entity["utf16"]
                self.assertEqual(answer["text"].encode("utf-16-le")[2 * begin : 2 * end].decode("utf-16-le"),
                                 entity["text"])

    def test_a_line_is_answered_before_the_next_one_comes(self):
        process = subprocess.Popen([COMMAND, "tag", "--model", MODEL, "--json"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        for text in (TEXT, "Paris", "", "Berlin"):
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], 60)
            self.assertTrue(ready, f"no answer to {text!r}")
            self.assertEqual(json.loads(process.stdout.readline())["text"], text)
        # Half a line is no line yet.
        process.stdin.write(b"Ro")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        self.assertFalse(ready)
        process.stdin.write(b"me")
        process.stdin.close()
        self.assertEqual(json.loads(process.stdout.readline())["text"], "Rome")
        self.assertEqual(process.wait(60), 0)

    def test_a_coprocess_of_bash_gets_its_answer(self):
        script = f"""coproc {{ exec {COMMAND} tag --model {MODEL}; }}
                     echo Paris >&"${{COPROC[1]}}"; read -r -t 60 answer <&"${{COPROC[0]}}"; echo "got $answer" """
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
        self.assertRegex(done.stdout, "^got .*Paris")

    def test_lines_of_files_and_standard_input_are_tagged_alike(self):
        lines = [TEXT, "", "Paris"]
        expected = self.tag("--json", *lines).out
        path = self.write("lines.txt", "\n".join(lines))
        self.assertEqual(self.tag("--json", "--file", path).out, expected)
        self.assertEqual(self.tag("--json", stdin=path.read_bytes()).out, expected)
        self.assertEqual(self.tag("--json", "-f", path, "--file", path).out, expected * 2)
        # Many lines at once come in their order.
        many = "\n".join(f"Paris {i}" for i in range(500))
        answers = self.tag("--json", stdin=many.encode()).json_lines()
        self.assertEqual([a["text"] for a in answers], many.split("\n"))

    def test_a_text_may_stand_behind_the_options(self):
        path = self.write("lines.txt", "Paris\n")
        answers = self.tag("--json", "--file", path, "Berlin").json_lines()
        self.assertEqual([a["text"] for a in answers], ["Berlin", "Paris"])

    def test_byte_order_marks_and_carriage_returns_are_no_part_of_a_text(self):
        content = b"\xef\xbb\xbfParis\r\nNew York\r\n"
        for answer in (self.tag("--json", stdin=content),
                       self.tag("--json", "--file", self.write("dos.txt", content))):
            self.assertEqual([a["text"] for a in answer.json_lines()], ["Paris", "New York"])

    def test_a_text_that_is_the_name_of_a_file_asks_for_the_option(self):
        self.write("news.txt", "Paris\n")
        self.refuse(MISUSED, "tag", "--model", MODEL, "news.txt", cwd=self.folder,
                    says=["onoma tag: 'news.txt' is a file", "--file news.txt"])
        # A folder may have the name of a city.
        (self.folder / "Paris").mkdir()
        self.tag("Paris", cwd=self.folder)

    def test_a_folder_for_a_file_is_named(self):
        self.refuse(FAILED, "tag", "--model", MODEL, "--file", self.folder,
                    says=["onoma tag: reading ", "expected a file of text, found a folder"])
        self.refuse(FAILED, "tag", "--model", MODEL, "--file", self.folder / "none", says="No such file")

    def test_a_file_that_must_not_be_read_is_named(self):
        path = self.write("secret.txt", "Paris\n")
        path.chmod(0)
        # Root reads everything: then as another user, who can read the rest.
        self.folder.chmod(0o755)
        other = {"user": 65534} if os.geteuid() == 0 else {}
        self.refuse(FAILED, "tag", "--model", MODEL, "--file", path, says=["secret.txt", "Permission denied"],
                    **other)

    def test_a_line_that_is_not_utf8_is_named_after_those_before_it(self):
        result = self.refuse(FAILED, "tag", "--model", MODEL, "--json", stdin=b"Paris\n\377\n",
                             says="onoma tag: standard input:2: parse error")
        self.assertEqual([a["text"] for a in result.json_lines()], ["Paris"])

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_output_without_room_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([COMMAND, "tag", "--model", MODEL, "Paris"], stdout=full, stderr=subprocess.PIPE,
                                  text=True)
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stderr, "^onoma tag: writing to standard output: input/output: .*No space left")

    def test_a_reader_that_goes_away_ends_the_command_quietly(self):
        lines = "Paris\n" * 20000
        path = self.write("many.txt", lines)
        script = f"{COMMAND} tag --model {MODEL} --file {path} | head -n 1"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=120)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 128 + 13)  # SIGPIPE

    def test_words_are_taken_as_they_are_split(self):
        answer = self.tag("--json", "--words", "New York is  big .").json()
        self.assertEqual(answer["text"], "New York is big .")
        self.assertEqual(self.tag("--json", "--input", "words", "New York is  big .").json(), answer)

    def test_conll_of_conll_is_what_evaluate_finds(self):
        for part in ("dev", "test"):
            gold = CORPUS / f"{part}.conll"
            columns = self.tag("--input", "conll", "--conll", "--file", gold).out
            tagged = self.write("tagged.conll", columns)
            words = [line.split("\t")[0] for line in gold.read_text().splitlines()]
            self.assertEqual([line.split("\t")[0] for line in columns.splitlines()], words)
            by_file = self.succeed("evaluate", "--gold", gold, "--predicted", tagged, "--json").json()
            by_model = self.succeed("evaluate", "--model", MODEL, gold, "--json").json()
            self.assertGreater(by_model["micro"]["predicted"], 0)
            for key in ("micro", "macro", "weighted", "types", "sentences", "tokens"):
                self.assertEqual(by_file[key], by_model[key])

    def test_conll_keeps_documents(self):
        content = "-DOCSTART-\tO\n\nParis\tO\n\nin\tO\nRome\tO\n\n-DOCSTART-\tO\n\nBerlin\tO\n\n"
        path = self.write("documents.conll", content)
        out = self.tag("--input", "conll", "--conll", "--file", path).out
        self.assertEqual([line.split("\t")[0] for line in out.splitlines()],
                         ["Paris", "", "in", "Rome", "", "-DOCSTART-", "", "Berlin", ""])

    def test_conll_of_text_has_words_with_the_entities_tags(self):
        answer = self.tag("--json", TEXT).json()
        rows = [line.split("\t") for line in self.tag("--conll", TEXT).out.splitlines() if line]
        self.assertEqual("".join(word for word, _ in rows), TEXT.replace(" ", ""))
        self.assertEqual(sum(tag.startswith("B-") for _, tag in rows), len(answer["entities"]))

    def test_who_splits_text_into_words_can_be_chosen(self):
        text = "AT&T met O'Brien."
        def words(*arguments):
            return [line.split("\t")[0] for line in self.tag("--conll", *arguments, text).out.splitlines() if line]
        self.assertEqual(words("--split", "general"), ["AT&T", "met", "O'Brien", "."])
        # A folder of the Hub has no rules: the tokenizer finds words.
        self.assertEqual(self.tag("--json", text).out, self.tag("--json", "--split", "tokenizer", text).out)
        self.assertEqual(words()[0], "AT")
        self.refuse(FAILED, "tag", "--model", MODEL, "--split", "learned", text,
                    says=["a model with word rules", "none in its config.json"])
        self.refuse(MISUSED, "tag", "--model", MODEL, "--split", "spaces", text, says="tokenizer")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--split", "general", "--aggregation", "simple", text,
                    says="--aggregation word")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--split", "general", "--words", text,
                    says="--input words")

    def test_columns_of_other_layouts_are_read(self):
        plain = self.write("plain.conll", "Paris\tO\nis\tO\nbig\tO\n")
        other = self.write("other.conll", "# id 1\n1\tO\tParis\n2\tO\tis\n3\tO\tbig\n")
        expected = self.tag("--input", "conll", "--conll", "--file", plain).out
        self.assertEqual(self.tag("--input", "conll", "--conll", "--file", other, "--word-column", "3",
                                  "--tag-column", "2", "--separator", "tab", "--comments").out, expected)

    def test_combinations_without_a_meaning_are_refused(self):
        self.refuse(MISUSED, "tag", "--model", MODEL, "--conll", "--aggregation", "simple", "Paris",
                    says="--aggregation word")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--input", "conll", "Paris", says="--file")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--word-column", "0", "Paris", says="count from 1")

    def test_colours_come_when_they_are_asked_for(self):
        self.assertNotIn("\033", self.tag(TEXT).out)
        self.assertIn("\033[", self.tag("--color", "always", TEXT).out)

    def test_a_packed_cache_is_written_and_read(self):
        cache = self.folder / "packed"
        expected = self.tag("--json", TEXT).out
        for _ in range(2):
            result = self.tag("--json", "--packed-cache", cache, TEXT)
            self.assertEqual((result.out, result.err), (expected, ""))
        self.assertTrue(cache.stat().st_size > 0)

    def test_a_packed_cache_that_cannot_be_written_is_a_warning(self):
        expected = self.tag("--json", TEXT).out
        for place in (self.folder / "none" / "packed", self.folder):
            result = self.tag("--json", "--packed-cache", place, TEXT)
            self.assertEqual(result.out, expected)
            self.assertRegex(result.err, "^onoma tag: warning: without the packed cache: .*\n$")

    def test_a_packed_cache_that_is_another_file_is_refused(self):
        other = self.write("notes.txt", "mine")
        self.refuse(FAILED, "tag", "--model", MODEL, "--packed-cache", other, TEXT, says="notes.txt")
        self.assertEqual(other.read_text(), "mine")


if __name__ == "__main__":
    main()
