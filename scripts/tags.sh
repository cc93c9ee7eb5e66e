#!/usr/bin/env bash
# Writes ./tags for editors, with Universal Ctags (Debian: universal-ctags).
# Usage: scripts/tags.sh
#
# ctags (5.9, Debian 12) reads nothing inside of `namespace onoma::inline ONOMA_ABI`, with no option that helps:
# it does not know inline namespaces in nested names (C++20). So it is shown copies whose line for the namespace
# is shorter. All other lines are the same ones, at the same places, and names have the scope onoma.
set -euo pipefail
cd "$(dirname "$0")/.."

copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT
cp -r --parents include examples tools tests bench "$copies"
find "$copies" -name '*.hpp' -exec sed -i -E 's/^namespace onoma::inline ONOMA_(ABI|SEAM)/namespace onoma/' {} +
tags=$PWD/tags
cd "$copies"
ctags --recurse --languages=C++,C --exclude='*_tables.hpp' --fields=+S -f "$tags" .
