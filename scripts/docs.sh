#!/usr/bin/env bash
# Makes the API reference from the docstrings: build/docs/index.html. Fails on any warning of Doxygen, which
# names without a docstring are. Usage: scripts/docs.sh
#
# Needs Doxygen (Debian: doxygen). install_deps.sh does not install it, since it brings LLVM along (200 MB);
# where it is installed, `ctest -L docs` runs this script.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v doxygen >/dev/null; then
  echo "docs.sh: doxygen is not installed (apt-get install doxygen)" >&2
  exit 77
fi
mkdir -p build/docs
if ! doxygen docs/Doxyfile 2>build/docs/warnings.txt || [[ -s build/docs/warnings.txt ]]; then
  sed "s,^$PWD/,," build/docs/warnings.txt | sort -u >&2
  echo "docs.sh: $(sort -u build/docs/warnings.txt | wc -l) warnings" >&2
  exit 1
fi
echo "build/docs/index.html"
