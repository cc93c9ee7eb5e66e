"""Rules and gazetteers of the command: onoma tag and evaluate with --rules and --gazetteer, and onoma gazetteer."""

import json

from support import TEST, FAILED, MISUSED, MODEL, CommandTest, main

TEXT = "Jane Doe left the Bank of England for Oslo."
BANK = {"label": "ORG", "id": "bank",
        "pattern": [{"LOWER": "bank"}, {"LOWER": "of"}, {"IS_TITLE": True, "OP": "+"}]}


class Tests(CommandTest):
    def rules(self, *patterns, name="patterns.jsonl"):
        return self.write(name, "".join(json.dumps(p) + "\n" for p in patterns))

    def alone(self, *arguments, **options):
        return self.succeed("tag", "--rules-policy", "only", *arguments, **options)

    def test_rules_and_gazetteers_need_no_model(self):
        rules = self.rules(BANK, {"label": "PER", "pattern": "Jane Doe"})
        cities = self.write("cities.txt", "oslo\tCITY\tQ585\n")
        options = ["--rules", rules, "--gazetteer", cities]
        result = self.alone(*options, TEXT)
        self.assertEqual(result.out, "[Jane Doe|PER] left the [Bank of England|ORG] for [Oslo|CITY].\n")
        self.assertEqual(result.err, "")
        entities = self.alone(*options, "--json", TEXT).json()["entities"]
        self.assertEqual([(e["source"], e.get("id")) for e in entities],
                         [("rule", None), ("rule", "bank"), ("gazetteer", "Q585")])
        columns = self.alone(*options, "--conll", TEXT).out.split("\n")
        self.assertEqual(columns[:3], ["Jane\tB-PER", "Doe\tI-PER", "left\tO"])
        # Words that are given, and lines of a pipe.
        self.assertEqual(self.alone(*options, "--words", "the Bank of Oslo !").out, "the [Bank of Oslo|ORG] !\n")
        self.assertEqual(self.alone(*options, stdin=b"in Oslo\n").out, "in [Oslo|CITY]\n")

    def test_policies_decide_between_rules_and_model(self):
        # The model labels much of this text, and what it labels means nothing.
        model = self.succeed("tag", "--model", MODEL, "--json", TEXT).json()["entities"]
        rules = self.rules(BANK)
        begin, end = TEXT.index("Bank"), TEXT.index(" for")
        touched = [e for e in model if e["bytes"][0] < end and e["bytes"][1] > begin]
        others = [e for e in model if e not in touched]
        self.assertTrue(touched)

        def tag(policy):
            options = ["--rules-policy", policy] if policy else []
            return self.succeed("tag", "--model", MODEL, "--rules", rules, *options, "--json", TEXT).json()["entities"]

        def places(entities):
            return [(e["bytes"], e["label"]) for e in entities]

        for policy in (None, "before", "override"):
            found = tag(policy)
            self.assertEqual(places(e for e in found if e["source"] == "model"), places(others))
            self.assertEqual([e["text"] for e in found if e["source"] == "rule"], ["Bank of England"])
        self.assertEqual(places(tag("after")), places(model))
        self.assertEqual({e["source"] for e in tag("after")}, {"model"})
        self.assertEqual([e["source"] for e in tag("only")], ["rule"])
        # Without rules, nothing says where entities come from.
        self.assertNotIn("source", model[0])

    def test_evaluate_counts_rules_beside_a_model_and_alone(self):
        names = sorted({line.split()[0] for line in TEST.read_text().splitlines() if line.endswith("B-LOC")})
        self.assertTrue(names)
        cities = self.write("cities.txt", "".join(f"{name}\tLOC\n" for name in names))
        alone = self.succeed("evaluate", "--gazetteer", cities, "--rules-policy", "only", TEST, "--json").json()
        self.assertNotIn("pieces", alone)
        self.assertGreater(alone["types"]["LOC"]["recall"], 0.3)
        plain = self.succeed("evaluate", "--model", MODEL, TEST, "--json").json()
        beside = self.succeed("evaluate", "--model", MODEL, "--gazetteer", cities, TEST, "--json").json()
        self.assertGreater(beside["types"]["LOC"]["correct"], plain["types"]["LOC"]["correct"])
        self.assertEqual(beside["pieces"], plain["pieces"])
        # Rules that find nothing change no score.
        nothing = self.rules({"label": "X", "pattern": "qwertz uiop"})
        same = self.succeed("evaluate", "--model", MODEL, "--rules", nothing, TEST, "--json").json()
        # But tags are those of entities, which begin with B-.
        self.assertEqual({**same, "token_accuracy": 0}, {**plain, "token_accuracy": 0})
        # What tag writes is what evaluate counts.
        tagged = self.write("tagged.conll", self.succeed("tag", "--model", MODEL, "--gazetteer", cities, "--input",
                                                         "conll", "--conll", "--file", TEST).out)
        by_file = self.succeed("evaluate", "--gold", TEST, "--predicted", tagged, "--json").json()
        self.assertEqual(by_file["micro"], beside["micro"])
        table = self.succeed("evaluate", "--gazetteer", cities, "--rules-policy", "only", TEST, TEST).out
        self.assertEqual(table.splitlines()[1].split()[-1], "-")

    def test_options_that_do_not_fit_together_are_refused(self):
        rules = self.rules(BANK)
        self.refuse(MISUSED, "tag", TEXT, says="expected --model, or --rules-policy only with --rules or --gazetteer")
        self.refuse(MISUSED, "tag", "--rules", rules, TEXT, says="expected --model, or --rules-policy only")
        self.refuse(MISUSED, "tag", "--rules-policy", "only", TEXT, says="--rules-policy needs --rules or --gazetteer")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--rules-policy", "after", TEXT, says="--rules-policy needs")
        self.refuse(MISUSED, "tag", "--model", MODEL, "--rules", rules, "--aggregation", "none", TEXT,
                    says="an --aggregation that makes entities")
        self.refuse(MISUSED, "tag", "--rules", rules, "--rules-policy", "only", "--max-tokens", "5", TEXT,
                    says="--max-tokens and --max-memory are for a model")
        self.refuse(MISUSED, "evaluate", "--rules", rules, TEST, says="expected --model")
        self.refuse(MISUSED, "evaluate", "--rules", rules, "--rules-policy", "only", says="expected files")
        self.refuse(MISUSED, "evaluate", "--gold", TEST, "--predicted", TEST, "--rules", rules, says="not with --gold")
        self.refuse(FAILED, "tag", "--rules", rules, "--rules-policy", "only", "--max-bytes", "5", TEXT,
                    says="at most 5 bytes")

    def test_patterns_that_cannot_be_read_are_named_by_file_and_line(self):
        for pattern, says in (
            ({"label": "X", "pattern": [{"POS": "NOUN"}]}, "POS"),
            ({"label": "X", "pattern": [{"LOWER": 3}]}, "LOWER"),
            ({"label": "X", "pattern": [{"TEXT": {"REGEX": "("}}]}, "("),
            ({"label": "", "pattern": "a"}, "expected a label"),
            ({"pattern": "a"}, "label"),
            ({"label": "X", "pattern": []}, "line 2"),
            ({"label": "X", "pattern": ""}, "a phrase with a word"),
        ):
            rules = self.rules(BANK, pattern)
            self.refuse(FAILED, "tag", "--rules", rules, "--rules-policy", "only", TEXT,
                        says=["patterns.jsonl, line 2", says])
        broken = self.write("broken.jsonl", '{"label": "X"\n')
        self.refuse(FAILED, "tag", "--rules", broken, "--rules-policy", "only", TEXT, says="broken.jsonl, line 1")
        self.refuse(FAILED, "tag", "--rules", self.folder / "none", "--rules-policy", "only", TEXT, says="none")
        not_text = self.write("bytes.jsonl", b'{"label": "X", "pattern": "\xff"}\n')
        self.refuse(FAILED, "tag", "--rules", not_text, "--rules-policy", "only", TEXT, says="line 1")

    def test_patterns_that_match_anything_or_nothing_are_warned_of_and_counted(self):
        anything = {"label": "X", "pattern": [{}]}
        nothing = {"label": "X", "pattern": [{"LOWER": {"IN": []}}]}
        result = self.alone("--rules", self.rules(BANK, nothing, anything), "--quiet", "a")
        self.assertEqual(result.err.count("warning:"), 2)
        self.assertIn("line 2: the pattern matches no words", result.err)
        self.assertIn("line 3: the pattern matches any words", result.err)
        result = self.alone("--rules", self.rules(*[anything] * 50), "a b")
        self.assertEqual(result.err.count("warning:"), 4)
        self.assertIn("50 of 50 patterns match any words or none", result.err)
        self.assertIn("no rules", self.alone("--rules", self.rules(), "a").err)

    def test_patterns_that_explode_end_with_an_error_that_names_them(self):
        greedy = {"label": "MANY", "pattern": [{"OP": "*"}, {"OP": "*"}, {"IS_ALPHA": True}]}
        words = "a " * 3000
        result = self.run_command("tag", "--rules", self.rules(BANK, greedy), "--rules-policy", "only",
                                  stdin=words.encode())
        self.assertEqual(result.code, FAILED, result.err)
        self.assertIn("the rule of line 2 (MANY)", result.err)
        slow = {"label": "SLOW", "pattern": [{"TEXT": {"REGEX": "^(a+)+$"}}]}
        result = self.run_command("tag", "--rules", self.rules(slow), "--rules-policy", "only",
                                  stdin=b"a" * 60 + b"1\n")
        self.assertEqual(result.code, FAILED, result.out)
        self.assertIn("patterns.jsonl, line 1, word 1: TEXT: unsupported: expected a pattern that is found in "
                      "reasonable time, found '^(a+)+$'", result.err)

    def test_a_compiled_gazetteer_finds_what_its_text_finds(self):
        text = self.write("cities.txt", "New York\tCITY\tny\nSão Paulo\nOslo\tCITY\nOslo\tCITY\n\n")
        compiled = self.folder / "cities.gazetteer"
        result = self.succeed("gazetteer", text, "--label", "TOWN", "--output", compiled)
        self.assertRegex(result.out, r"cities\.gazetteer: 3 entries of 5 lines, 0\.\d MB\n")
        self.assertIn("1 of 5 lines have no phrase (the first is line 5)", result.err)
        self.assertIn("1 of 5 lines say again", result.err)
        line = "new york, OSLO and Sa\u0303o Paulo"
        self.assertEqual(self.alone("--gazetteer", compiled, line).out,
                         "[new york|CITY], [OSLO|CITY] and [Sa\u0303o Paulo|TOWN]\n")
        self.refuse(FAILED, "gazetteer", text, "--label", "TOWN", "-o", compiled, says="or --overwrite")
        counts = self.succeed("gazetteer", text, "--label", "TOWN", "-o", compiled, "--overwrite", "--match-case",
                              "--json", "--quiet").json()
        self.assertEqual([counts[key] for key in ("lines", "entries", "duplicates", "blank", "too_long")],
                         [5, 3, 1, 1, 0])
        self.assertEqual(self.alone("--gazetteer", compiled, "OSLO or Oslo").out, "OSLO or [Oslo|CITY]\n")
        self.succeed("gazetteer", text, "--label", "TOWN", "-o", compiled, "--overwrite", "--inside-words")
        self.assertEqual(self.alone("--gazetteer", compiled, "Oslofjord").out, "[Oslo|CITY]fjord\n")
        # A damaged file is noticed.
        content = bytearray(compiled.read_bytes())
        content[-5] ^= 1
        damaged = self.write("damaged", bytes(content))
        self.refuse(FAILED, "tag", "--gazetteer", damaged, "--rules-policy", "only", "a", says="it is damaged")
        cut = self.write("cut", bytes(content[:100]))
        self.refuse(FAILED, "tag", "--gazetteer", cut, "--rules-policy", "only", "a", says="cut")

    def test_lines_of_a_gazetteer_that_cannot_be_used_are_named_or_counted(self):
        def refuse(content, *says):
            path = self.write("g.txt", content)
            self.refuse(FAILED, "tag", "--gazetteer", path, "--rules-policy", "only", "a", says=["g.txt", *says])
            self.refuse(FAILED, "gazetteer", path, "-o", self.folder / "out", says=["g.txt", *says])
            self.assertFalse((self.folder / "out").exists())

        refuse("Oslo\tCITY\nRome\n", "line 2", "a label behind a tab")
        refuse(b"Oslo\tCITY\nR\xf8me\tCITY\n", "line 2", "UTF-8")
        refuse("Oslo\tCITY\ta\tb\n", "line 1", "more tabs")
        path = self.write("long.txt", "x" * 20000 + "\tCITY\nOslo\tCITY\n")
        result = self.alone("--gazetteer", path, "Oslo")
        self.assertIn("1 of 2 lines were left out, as their phrases are too long (the first is line 1)", result.err)
        self.assertEqual(result.out, "[Oslo|CITY]\n")
        empty = self.write("empty.txt", "")
        self.assertIn("no entries", self.alone("--gazetteer", empty, "Oslo").err)
        self.refuse(FAILED, "gazetteer", self.folder / "none.txt", "-o", self.folder / "out", says="none.txt")
        self.refuse(FAILED, "gazetteer", path, "-o", self.folder, says="expected a file, found a folder")


if __name__ == "__main__":
    main()
