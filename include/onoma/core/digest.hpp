/// A digest of bytes: two contents that differ have different ones, but for one chance in 2^64.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/fold_product.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

namespace detail {

[[nodiscard]] inline std::uint64_t load_word(const std::byte* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// 16 bytes into a chain.
[[nodiscard]] inline std::uint64_t fold_words(const std::byte* from, std::uint64_t key, std::uint64_t chain) {
  return fold_product(load_word(from) ^ key, load_word(from + 8) ^ chain);
}

}  // namespace detail

/// Finds damage and mistakes, as a disk or a mixed-up copy makes them; it is not cryptographic, and whoever wants
/// to can make two contents of one digest. Several bytes per cycle: four chains of multiply-and-fold (`fold_product`)
/// over blocks of 64 bytes. The same on every little-endian machine.
[[nodiscard]] inline std::uint64_t digest_of(std::span<const std::byte> bytes, std::uint64_t seed = 0) {
  // Bits of the square roots of 2, 3, 5 and 7.
  constexpr std::array<std::uint64_t, 4> keys = {0x6A09E667F3BCC909U, 0xBB67AE8584CAA73BU, 0x3C6EF372FE94F82BU,
                                                 0xA54FF53A5F1D36F1U};
  constexpr std::size_t block = 64;
  // Other than the keys: products commute, and two words in each other's place must not look the same. Four
  // variables and no array: GCC and Clang keep them in registers.
  std::uint64_t a = keys[1] ^ seed, b = keys[2] ^ seed, c = keys[3] ^ seed, d = keys[0] ^ seed;
  const auto take = [&](const std::byte* at) {
    a = detail::fold_words(at, keys[0], a);
    b = detail::fold_words(at + 16, keys[1], b);
    c = detail::fold_words(at + 32, keys[2], c);
    d = detail::fold_words(at + 48, keys[3], d);
  };
  std::size_t at = 0;
  for (; at + block <= bytes.size(); at += block) take(bytes.data() + at);
  if (at < bytes.size()) {
    std::array<std::byte, block> rest{};
    std::memcpy(rest.data(), bytes.data() + at, bytes.size() - at);
    take(rest.data());
  }
  std::uint64_t sum = bytes.size() ^ keys[0];
  for (const auto chain : {a, b, c, d}) sum = fold_product(sum ^ keys[1], chain ^ keys[2]) + chain;
  return fold_product(sum ^ keys[3], keys[0]);
}
/// Of a text.
[[nodiscard]] inline std::uint64_t digest_of(std::string_view text, std::uint64_t seed = 0) {
  return digest_of(std::as_bytes(std::span(text.data(), text.size())), seed);
}

/// 16 hexadecimal digits.
[[nodiscard]] inline std::string digest_text(std::uint64_t digest) {
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[digest >> shift & 15U];
  return text;
}

}  // namespace onoma::inline ONOMA_ABI
