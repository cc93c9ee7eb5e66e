#!/usr/bin/env bash
# Installs what is needed, builds everything and runs all tests.
# Usage: scripts/test.sh [ctest arguments, for instance -L gradients]
# ONOMA_DATA_DIR: folder with the external corpora; tests that need it are skipped where it is unset.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_deps.sh --tests
cmake --preset dev
cmake --build --preset dev
# Before CTest's summary: the lines that the tests reach.
ctest --preset dev --parallel "$(nproc)" "$@" | sed -u '/tests passed,/e cat build/dev/tests/sanitizers/lines.txt || true'
