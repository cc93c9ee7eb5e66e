"""Writes how many lines of each folder of onoma's headers the tests reach, to the terminal and to lines.txt.

lines.py LLVM_PROFDATA LLVM_COV FOLDER HEADERS: FOLDER is where test_memory lies and its tests wrote what they reached.
Fails where it is less than 95 % in all.
"""
import collections
import json
import pathlib
import subprocess
import sys

profdata, cov, folder, headers = sys.argv[1:]
folder = pathlib.Path(folder)
profiles = sorted((folder / "reached").glob("memory_*.profraw"))
merged = folder / "reached" / "all.profdata"
subprocess.run([profdata, "merge", "-sparse", *profiles, "-o", merged], check=True)
exported = subprocess.run(
    [cov, "export", "-summary-only", f"-instr-profile={merged}", folder / "test_memory"], check=True, stdout=subprocess.PIPE
)
reached, lines = collections.Counter(), collections.Counter()
for file in json.loads(exported.stdout)["data"][0]["files"]:
    if file["filename"].startswith(headers):
        part = pathlib.Path(file["filename"]).relative_to(headers).parts[1].removesuffix(".hpp")
        for key in part, "in all":
            reached[key] += file["summary"]["lines"]["covered"]
            lines[key] += file["summary"]["lines"]["count"]
rows = [
    f"{key:>10} {reached[key]:6} of {lines[key]:6} {100 * reached[key] / lines[key]:6.1f} %"
    for key in sorted(lines, key=lambda key: (key == "in all", key)) if lines[key]
]
text = "Lines of the headers that the tests reach:\n" + "\n".join(rows) + "\n"
(folder / "lines.txt").write_text(text)
print(text)
sys.exit(reached["in all"] < 0.95 * lines["in all"])
