/// How a classical model lies in a file, and the checks before anything of it is believed.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/match/unit_table.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A classical model's parts, as views of a file or of what it is written from. L labels, V values, N weights.
struct classic_parts {
  std::string_view settings;               ///< JSON: labels, templates, and what else is said of the model
  unit_table keys;                         ///< numbers of the keys of values; of a hashed model empty but for the key
  std::uint32_t bits = 0;                  ///< > 0: a value's number is so many bits of the hash of its key
  std::uint32_t labels = 0;                ///< L
  std::uint32_t slots = 0;                 ///< of each value
  std::span<const std::uint32_t> begins;   ///< [V + 1] the first weight of each value, and their number
  std::span<const std::uint16_t> targets;  ///< [N] slot * L + label of each weight
  std::span<const float> weights;          ///< [N]
  std::span<const float> transitions;      ///< [L, L] from the row's label to the column's
  std::span<const std::uint8_t> rules;     ///< [L, L] 1: may follow; [L] may begin, [L] may end
  std::string_view list;                   ///< a compiled gazetteer, or nothing

  /// How many values there are.
  [[nodiscard]] std::size_t values() const noexcept { return begins.empty() ? 0 : begins.size() - 1; }
  /// The number of a value by its key, or `unit_table::none`.
  [[nodiscard]] std::uint32_t find(std::string_view key) const {
    if (bits == 0) return keys.find(key);
    return static_cast<std::uint32_t>(keyed_hash(key, keys.key) >> (64U - bits));
  }
};

/// The most bits of a hashed model.
inline constexpr std::uint32_t most_hash_bits = 26;

namespace detail {

/// The first bytes of the file: numbers in little-endian order. Version 1.
struct classic_header {
  static constexpr std::array<char, 16> right_magic = {'o', 'n', 'o', 'm', 'a', ' ', 'c', 'l',
                                                       'a', 's', 's', 'i', 'c', ' ', '1', '\n'};
  static constexpr std::uint32_t right_version = 1;

  std::array<char, 16> magic = right_magic;
  std::uint32_t version = right_version;
  std::uint32_t bits = 0;
  std::uint64_t digest = 0;  // of the whole file, with 0 here
  std::uint64_t file_size = 0;
  std::uint64_t hash_first = 0;
  std::uint64_t hash_second = 0;
  std::uint32_t labels = 0;
  std::uint32_t slots = 0;
  std::array<std::uint64_t, 10> counts{};  // elements of each part, in the order in which they lie in the file
};
static_assert(std::is_trivially_copyable_v<classic_header> && sizeof(classic_header) == 144);

/// Calls `use(part)` for each array of a model, in the order of the file.
template <class Parts, class Use>
void for_each_classic_array(Parts& parts, Use use) {
  use(parts.list);  // first: a gazetteer lies at a multiple of 8 bytes, as all parts do
  use(parts.settings);
  use(parts.keys.slots);
  use(parts.keys.units.begins);
  use(parts.keys.units.characters);
  use(parts.begins);
  use(parts.targets);
  use(parts.weights);
  use(parts.transitions);
  use(parts.rules);
}

/// The digest of a file whose header's field of it is 0.
[[nodiscard]] inline std::uint64_t digest_of_classic(classic_header header, std::span<const std::byte> rest) {
  header.digest = 0;
  return digest_of(rest, digest_of(std::as_bytes(std::span(&header, 1))));
}

inline void check_classic_weights(const classic_parts& parts, const std::string& where) {
  const auto check_that = [&](bool right, const char* found) {
    if (!right) fail(error_code::format, where, "a classical model whose parts fit together", found);
  };
  const std::size_t labels = parts.labels;
  check_that(labels > 0 && parts.slots > 0 && std::uint64_t{parts.labels} * parts.slots <= 65'536,
             "a number of labels that is none");
  check_that(parts.transitions.size() == labels * labels, "a wrong count of transitions");
  check_that(parts.rules.size() == labels * labels + 2 * labels, "a wrong count of rules");
  check_that(parts.weights.size() == parts.targets.size(), "a wrong count of weights");
  const auto& begins = parts.begins;
  check_that(!begins.empty() && begins.front() == 0 && begins.back() == parts.weights.size(),
             "wrong places of weights");
  for (std::size_t i = 1; i < begins.size(); ++i) check_that(begins[i - 1] <= begins[i], "wrong places of weights");
  for (const auto target : parts.targets) {
    check_that(target < labels * parts.slots, "a weight of a label that is none");
  }
  check_that(all_finite(parts.weights) && all_finite(parts.transitions), "a weight that is not finite");
  bool any = false;  // a label that may stand alone, again and again: then each sentence has a path
  for (std::size_t l = 0; l < labels; ++l) {
    any = any || (parts.rules[l * labels + l] != 0 && parts.rules[labels * labels + l] != 0 &&
                  parts.rules[labels * labels + labels + l] != 0);
  }
  check_that(any, "rules without a path");
}

}  // namespace detail

/// The file of a classical model: a header and its arrays, each at a multiple of 8 bytes.
[[nodiscard]] inline std::vector<std::byte> write_classic(const classic_parts& parts) {
  static_assert(std::endian::native == std::endian::little, "classical models are little-endian");
  detail::classic_header header;
  header.bits = parts.bits;
  header.hash_first = parts.keys.key.first;
  header.hash_second = parts.keys.key.second;
  header.labels = parts.labels;
  header.slots = parts.slots;
  std::vector<std::byte> bytes(sizeof header);
  std::size_t part = 0;
  detail::for_each_classic_array(parts, [&](const auto& array) {
    header.counts[part++] = array.size();
    const std::size_t size = array.size() * sizeof(array[0]);
    const std::size_t at = bytes.size();
    bytes.resize(at + (size + 7) / 8 * 8);
    if (size > 0) std::memcpy(bytes.data() + at, array.data(), size);
  });
  header.file_size = bytes.size();
  header.digest = detail::digest_of_classic(header, std::span<const std::byte>(bytes).subspan(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

/// Whether a file begins as one that `write_classic` made.
[[nodiscard]] inline bool is_classic(std::span<const std::byte> bytes) {
  const auto& magic = detail::classic_header::right_magic;
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// Views of a file that `write_classic` made, which lies at a multiple of 8 bytes. Each byte was looked at, and no
/// number leads out of the file; the settings and the gazetteer are for their readers.
/// @throws onoma::error (format) for another file, a damaged one, or one of another version; `where` names it.
[[nodiscard]] inline classic_parts read_classic(std::span<const std::byte> bytes, const std::string& where) {
  detail::classic_header header;
  if (bytes.size() < sizeof header || !is_classic(bytes)) {
    fail(error_code::format, where, "a classical model, as onoma train --classic writes it", "another file");
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != detail::classic_header::right_version) {
    fail(error_code::format, where, "a model of version " + std::to_string(header.right_version),
         "version " + std::to_string(header.version));
  }
  if (header.file_size != bytes.size()) {
    fail(error_code::format, where, std::to_string(header.file_size) + " bytes", std::to_string(bytes.size()));
  }
  if (detail::digest_of_classic(header, bytes.subspan(sizeof header)) != header.digest) {
    fail(error_code::format, where, "the bytes that were written", "others: it is damaged");
  }
  classic_parts parts;
  parts.bits = header.bits;
  parts.keys.key = {header.hash_first, header.hash_second};
  parts.labels = header.labels;
  parts.slots = header.slots;
  std::size_t part = 0;
  std::size_t at = sizeof header;
  detail::for_each_classic_array(parts, [&](auto& array) {
    using element = std::remove_cvref_t<decltype(array[0])>;
    const std::uint64_t count = header.counts[part++];
    const std::size_t left = (bytes.size() - at) / sizeof(element);
    if (count > left) fail(error_code::format, where, "parts inside of the file", "more");
    array = {reinterpret_cast<const element*>(bytes.data() + at), static_cast<std::size_t>(count)};
    at = std::min(bytes.size(), at + (static_cast<std::size_t>(count) * sizeof(element) + 7) / 8 * 8);
  });
  const auto check_that = [&](bool right, const char* found) {
    if (!right) fail(error_code::format, where, "a classical model whose parts fit together", found);
  };
  check_that(at == bytes.size(), "bytes behind its parts");
  check_that(parts.bits <= most_hash_bits, "too many bits of a hash");
  const std::size_t values = parts.bits > 0 ? std::size_t{1} << parts.bits : parts.keys.units.size();
  check_that(parts.bits == 0 || (parts.keys.slots.empty() && parts.keys.units.begins.empty()), "keys and bits");
  check_that(parts.values() == values, "a wrong count of values");
  if (parts.bits == 0) parts.keys.validate(where);
  detail::check_classic_weights(parts, where);
  return parts;
}

}  // namespace onoma::inline ONOMA_ABI
