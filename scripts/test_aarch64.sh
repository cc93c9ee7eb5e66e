#!/usr/bin/env bash
# Builds the tests of kernels, of dispatch and of whole models for AArch64 and runs them under QEMU, on a
# Debian machine with another processor: NEON's own check where no such machine is at hand. Needs root for
# packages that are missing. Usage: scripts/test_aarch64.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/aarch64}

scripts/install_deps.sh
packages=(g++-aarch64-linux-gnu qemu-user-static libxsimd-dev:arm64 libutf8proc-dev:arm64
          libpcre2-dev:arm64 libstdc++6:arm64)
if ! dpkg --status "${packages[@]}" >/dev/null 2>&1; then
  dpkg --add-architecture arm64
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

cmake -S . -B "$build" -G Ninja --toolchain "$PWD/cmake/aarch64-linux-gnu.cmake" \
  -DCMAKE_BUILD_TYPE=Release -DONOMA_NATIVE_ARCH=OFF -DONOMA_BUILD_EXAMPLES=OFF
programs=(test_unit_core test_unit_exec test_kernels test_dispatch test_golden)
cmake --build "$build" --target "${programs[@]}"
for program in "${programs[@]}"; do
  qemu-aarch64-static -L / "$build/tests/$program"
done
