/// How a compiled gazetteer lies in a file, and the checks before anything of it is believed.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/match/automaton.hpp>
#include <onoma/match/unit_table.hpp>
#include <onoma/match/units.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A gazetteer's parts, as views of a file or of what it is written from.
struct gazetteer_parts {
  phrase_options options;  ///< how phrases are looked for
  unit_table units;        ///< numbers of units, which symbols are made of
  automaton phrases;       ///< over these symbols
  std::span<const std::uint32_t>
      entry_begins;  ///< of each end of the automaton, the first entry; and their number
  std::span<const std::uint32_t> entry_labels;  ///< of each entry
  string_list ids;                              ///< of each entry; empty: of none
  string_list labels;                           ///< by number
};

namespace detail {

/// The first bytes of the file: numbers in little-endian order. Version 1.
struct gazetteer_header {
  static constexpr std::array<char, 16> right_magic = {'o', 'n', 'o', 'm', 'a', ' ', 'g', 'a',
                                                       'z', 'e', 't', 't', 'e', 'e', 'r', '\n'};
  static constexpr std::uint32_t right_version = 1;

  std::array<char, 16> magic = right_magic;
  std::uint32_t version = right_version;
  std::uint32_t options = 0;  // bit 0: fold_case, 1: whole_words
  std::uint64_t digest = 0;   // of the whole file, with 0 here
  std::uint64_t file_size = 0;
  std::uint64_t hash_first = 0;
  std::uint64_t hash_second = 0;
  std::uint64_t roots = 0;
  std::array<std::uint64_t, 14>
      counts{};  // elements of each part, in the order in which they lie in the file
};
static_assert(std::is_trivially_copyable_v<gazetteer_header> && sizeof(gazetteer_header) == 176);

/// Calls `use(part, count)` for each array of a gazetteer, in the order of the file.
template <class Parts, class Use>
void for_each_array(Parts& parts, Use use) {
  use(parts.units.slots);
  use(parts.units.units.begins);
  use(parts.units.units.characters);
  use(parts.phrases.states);
  use(parts.phrases.symbols);
  use(parts.phrases.ends);
  use(parts.phrases.ends_before);
  use(parts.phrases.levels);
  use(parts.entry_begins);
  use(parts.entry_labels);
  use(parts.ids.begins);
  use(parts.ids.characters);
  use(parts.labels.begins);
  use(parts.labels.characters);
}

/// The digest of a file whose header's field of it is 0.
[[nodiscard]] inline std::uint64_t digest_of_gazetteer(gazetteer_header header,
                                                       std::span<const std::byte> rest) {
  header.digest = 0;
  return digest_of(rest, digest_of(std::as_bytes(std::span(&header, 1))));
}

}  // namespace detail

/// The file of a gazetteer: a header and its arrays, each at a multiple of 8 bytes.
[[nodiscard]] inline std::vector<std::byte> write_gazetteer(const gazetteer_parts& parts) {
  static_assert(std::endian::native == std::endian::little, "gazetteers are little-endian");
  detail::gazetteer_header header;
  header.options = (parts.options.fold_case ? 1U : 0U) | (parts.options.whole_words ? 2U : 0U);
  header.hash_first = parts.units.key.first;
  header.hash_second = parts.units.key.second;
  header.roots = parts.phrases.roots;
  std::vector<std::byte> bytes(sizeof header);
  std::size_t part = 0;
  detail::for_each_array(parts, [&](const auto& array) {
    header.counts[part++] = array.size();
    const std::size_t size = array.size() * sizeof(array[0]);
    const std::size_t at = bytes.size();
    bytes.resize(at + (size + 7) / 8 * 8);
    if (size > 0) std::memcpy(bytes.data() + at, array.data(), size);
  });
  header.file_size = bytes.size();
  header.digest =
      detail::digest_of_gazetteer(header, std::span<const std::byte>(bytes).subspan(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

/// Whether bytes begin as a file of `write_gazetteer` does.
[[nodiscard]] inline bool is_gazetteer(std::span<const std::byte> bytes) noexcept {
  constexpr auto& magic = detail::gazetteer_header::right_magic;
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// Views of a file that `write_gazetteer` made, which lies at a multiple of 8 bytes. Each byte was
/// looked at, and no number leads out of the file.
/// @throws onoma::error (format) for another file, a damaged one, or one of another version;
/// `where` names it.
[[nodiscard]] inline gazetteer_parts read_gazetteer(std::span<const std::byte> bytes,
                                                    const std::string& where) {
  detail::gazetteer_header header;
  if (!is_gazetteer(bytes)) fail(error_code::format, where, "a compiled gazetteer", "another file");
  if (bytes.size() < sizeof header) fail(error_code::format, where, "a whole file", "its beginning");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != detail::gazetteer_header::right_version) {
    fail(error_code::format, where,
         "a gazetteer of version " + std::to_string(header.right_version),
         "version " + std::to_string(header.version) + "; compile it anew");
  }
  if (header.file_size != bytes.size()) {
    fail(error_code::format, where, std::to_string(header.file_size) + " bytes",
         std::to_string(bytes.size()));
  }
  if (detail::digest_of_gazetteer(header, bytes.subspan(sizeof header)) != header.digest) {
    fail(error_code::format, where, "the bytes that were written", "others: it is damaged");
  }
  gazetteer_parts parts;
  parts.options = {(header.options & 1U) != 0, (header.options & 2U) != 0};
  parts.units.key = {header.hash_first, header.hash_second};
  std::size_t part = 0;
  std::size_t at = sizeof header;
  detail::for_each_array(parts, [&](auto& array) {
    using element = std::remove_cvref_t<decltype(array[0])>;
    const std::uint64_t count = header.counts[part++];
    if (count > (bytes.size() - at) / sizeof(element))
      fail(error_code::format, where, "parts inside of the file", "more");
    const auto* first = reinterpret_cast<const element*>(bytes.data() + at);
    array = {first, static_cast<std::size_t>(count)};
    at = std::min(bytes.size(),
                  at + (static_cast<std::size_t>(count) * sizeof(element) + 7) / 8 * 8);
  });
  const auto check_that = [&](bool right, const char* found) {
    if (!right) fail(error_code::format, where, "a gazetteer whose parts fit together", found);
  };
  check_that(at == bytes.size(), "bytes behind its parts");
  check_that(header.roots <= parts.units.units.size(), "more beginnings than units");
  parts.phrases.roots = static_cast<std::uint32_t>(header.roots);
  parts.units.validate(where);
  parts.phrases.validate(where);
  parts.ids.validate(where);
  parts.labels.validate(where);
  const std::size_t entries = parts.entry_labels.size();
  const auto& begins = parts.entry_begins;
  check_that(begins.size() == std::size_t{parts.phrases.count_ends()} + 1 && begins[0] == 0 &&
                 begins.back() == entries,
             "wrong counts of entries");
  for (std::size_t i = 1; i < begins.size(); ++i)
    check_that(begins[i - 1] < begins[i], "an end without entries");
  for (const auto label : parts.entry_labels)
    check_that(label < parts.labels.size(), "a label that is none");
  check_that(parts.ids.begins.empty() || parts.ids.size() == entries, "wrong counts of ids");
  return parts;
}

}  // namespace onoma::inline ONOMA_ABI
