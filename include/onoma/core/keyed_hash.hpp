/// Hashes for tables whose keys come from files or texts: no one can choose keys that collide.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/fold_product.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <random>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// What a hash depends on beside what is hashed. Drawn once per process, so that a file cannot be made to fill
/// one place of a table. Tables are asked for keys and never listed: results do not depend on it.
struct hash_key {
  std::uint64_t first = 0;   ///< one half
  std::uint64_t second = 0;  ///< the other

  /// That of this process.
  [[nodiscard]] static const hash_key& of_process() {
    static const hash_key drawn = draw();
    return drawn;
  }

 private:
  [[nodiscard]] static hash_key draw() {
    try {
      std::random_device source;
      const auto word = [&source] { return std::uint64_t{source()} << 32 | source(); };
      return {word(), word() | 1U};
    } catch (const std::exception&) {  // a system without: the clock and where a variable lies
      const auto ticks = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
      const auto place = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&ticks));
      return {fold_product(ticks, 0x9E3779B97F4A7C15U) ^ place, fold_product(ticks ^ place, 0xC4CEB9FE1A85EC53U) | 1U};
    }
  }
};

/// Of a number of two words: one multiplication (foldhash, Orson Peters 2024).
[[nodiscard]] inline std::uint64_t keyed_hash(std::uint64_t low, std::uint64_t high, const hash_key& key) {
  return fold_product(low ^ key.first, high ^ key.second);
}
/// Of a byte string: the same, sixteen bytes after another.
[[nodiscard]] inline std::uint64_t keyed_hash(std::string_view text, const hash_key& key) {
  std::uint64_t hash = key.first ^ text.size();
  while (!text.empty()) {
    std::uint64_t words[2] = {};
    const std::size_t taken = text.size() < sizeof words ? text.size() : sizeof words;
    std::memcpy(words, text.data(), taken);
    hash = fold_product(words[0] ^ hash, words[1] ^ key.second);
    text.remove_prefix(taken);
  }
  return fold_product(hash ^ key.second, key.first);
}

/// For the unordered containers of the standard library, whose own hashes of strings are the same in each process
/// and whose hashes of numbers are the numbers.
struct keyed_hasher {
  /// Of a byte string.
  [[nodiscard]] std::size_t operator()(std::string_view text) const {
    return static_cast<std::size_t>(keyed_hash(text, hash_key::of_process()));
  }
  /// Of a number.
  [[nodiscard]] std::size_t operator()(std::uint64_t number) const {
    return static_cast<std::size_t>(keyed_hash(number, 0, hash_key::of_process()));
  }
};

}  // namespace onoma::inline ONOMA_ABI
