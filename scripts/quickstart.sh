#!/usr/bin/env bash
# The main job from nothing: installs packages, builds, fetches a pretrained encoder, fine-tunes it
# on the sample corpus, prints the scores per entity type, saves a model and tags a sentence. The command
# `onoma` is then at build/onoma.
# Usage: scripts/quickstart.sh [output folder, default build/quickstart-model]
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-build/quickstart-model}

scripts/install_deps.sh
cmake --preset release >/dev/null
cmake --build --preset release --target onoma_command
ln -sfn release/onoma build/onoma
encoder=$(scripts/fetch_encoder.sh)

data=examples/data
build/onoma train --encoder "$encoder" --output "$output" --overwrite \
  --train $data/train.conll --dev $data/dev.conll --test $data/test.conll \
  --epochs 12 --learning-rate 3e-4 --batch-size 16 --seed 1 --label-all-tokens

echo
build/onoma tag --model "$output" \
  "Apple Inc. was founded by Steve Jobs in California on April 1, 1976."
echo
echo "Tag your own text: build/onoma tag --model $output \"...\""
