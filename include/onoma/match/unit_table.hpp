/// Numbers of strings: a table that can lie in a mapped file, and what makes one.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/fold_product.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Strings, one behind another: string i has the characters from `begins[i]` to `begins[i + 1]`.
struct string_list {
  std::span<const std::uint32_t> begins;  ///< one more than there are strings, or none at all
  std::string_view characters;            ///< of all

  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return begins.empty() ? 0 : begins.size() - 1; }
  /// String i; a list without `begins` has empty ones.
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    return begins.empty() ? std::string_view()
                          : characters.substr(begins[i], begins[i + 1] - begins[i]);
  }
  /// @throws onoma::error (format) unless each string lies in `characters`; `where` names the file.
  void validate(const std::string& where) const {
    bool right = begins.empty() || (begins.front() == 0 && begins.back() == characters.size());
    for (std::size_t i = 1; right && i < begins.size(); ++i) right = begins[i - 1] <= begins[i];
    if (!right)
      fail(error_code::format, where, "strings one behind another", "wrong places of strings");
  }
};

/// Owns a list of strings.
struct string_pool {
  std::vector<std::uint32_t> begins{0};  ///< as in `string_list`
  std::string characters;                ///< as in `string_list`

  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return begins.size() - 1; }
  /// Adds one. @throws onoma::error (limit_exceeded) if all together have 4 GiB or more.
  void add(std::string_view text) {
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - characters.size()) {
      fail(error_code::limit_exceeded, "adding a string to a table", "less than 4 GiB of strings",
           "more");
    }
    characters += text;
    begins.push_back(static_cast<std::uint32_t>(characters.size()));
  }
  /// Shows it.
  [[nodiscard]] string_list view() const noexcept { return {begins, characters}; }
};

/// Finds the number of a string. Each slot has half of a hash above, and a number plus 1 below; 0:
/// empty.
struct unit_table {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();  ///< no number

  string_list units;                     ///< by number
  std::span<const std::uint64_t> slots;  ///< more than units
  hash_key key{};                        ///< of the hashes

  /// The number of a string, or `none`.
  [[nodiscard]] std::uint32_t find(std::string_view unit) const {
    if (slots.empty()) return none;
    const bool is_short = unit.size() <= piece_key::whole_bytes;
    const auto given = piece_key::of(unit);
    const std::uint64_t hash = is_short ? hash_of(given) : keyed_hash(unit, key);
    for (std::size_t at = place(hash, slots.size());;) {
      const std::uint64_t slot = slots[at];
      if (slot == 0) return none;
      const auto number = static_cast<std::uint32_t>(slot) - 1;
      if (slot >> 32 == (hash & 0xFFFFFFFFU)) {
        const auto found = units[number];
        const bool same = found.size() == unit.size() &&
                          (is_short ? piece_key::of(found) == given : found == unit);
        if (same) return number;
      }
      at = at + 1 == slots.size() ? 0 : at + 1;
    }
  }

  /// The hash of a string.
  [[nodiscard]] std::uint64_t hash_of(std::string_view unit) const {
    return unit.size() <= piece_key::whole_bytes ? hash_of(piece_key::of(unit)) : keyed_hash(unit, key);
  }

  /// Where the search for a hash begins.
  [[nodiscard]] static std::size_t place(std::uint64_t hash, std::size_t slots) noexcept {
    return static_cast<std::size_t>((hash >> 32) * slots >> 32);
  }
  /// How many slots a table of so many units has.
  [[nodiscard]] static std::size_t slots_for(std::size_t units) noexcept {
    return units + units / 3 + 1;
  }

  /// The hash of a string of at most `piece_key::whole_bytes` bytes.
  [[nodiscard]] std::uint64_t hash_of(const piece_key& unit) const {
    return keyed_hash(unit.low + unit.size, unit.high, key);
  }

  /// @throws onoma::error (format) unless each search ends, at a unit of the table; `where` names
  /// the file.
  void validate(const std::string& where) const {
    units.validate(where);
    std::size_t used = 0;
    for (const auto slot : slots) {
      const auto number = static_cast<std::uint32_t>(slot);
      if (slot != 0) ++used;
      if (slot != 0 && (number == 0 || number > units.size())) used = slots.size();
    }
    if (used >= slots.size())
      fail(error_code::format, where, "a table of strings", "slots without one");
  }
};

/// Remembers the numbers of short strings that were looked for last, for tables that no cache of a
/// processor holds. Memory of one thread, for one table.
class recent_units {
 public:
  /// As `table.find(unit)`. 16 bytes can be read from the begin of `unit`.
  [[nodiscard]] std::uint32_t find(const unit_table& table, std::string_view unit) {
    if (unit.size() > piece_key::whole_bytes) return table.find(unit);
    if (places_.empty()) places_.resize(places);
    const auto asked = piece_key::of_padded(unit.data(), unit.size());
    const std::uint64_t mixed =
        fold_product(asked.low ^ 0x9E3779B97F4A7C15U, asked.high ^ 0xC4CEB9FE1A85EC53U);
    auto& place = places_[mixed % places];
    if (place.low != asked.low || place.high != asked.high || place.size != asked.size) {
      place = {asked.low, asked.high, asked.size, table.find(unit)};
    }
    return place.number;
  }
  /// Forgets all.
  void clear() noexcept { places_.clear(); }

 private:
  static constexpr std::size_t places = 16384;
  struct entry {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint32_t size = 0;  // 0: nothing
    std::uint32_t number = 0;
  };
  std::vector<entry> places_;
};

/// Owns a table, and gives strings numbers in the order in which they come.
class unit_numbers {
 public:
  /// The number of a string, which it has already or gets now.
  /// @throws onoma::error (limit_exceeded) for 2^31 strings, or 4 GiB of them.
  std::uint32_t number(std::string_view unit) {
    const auto found = view().find(unit);
    if (found != unit_table::none) return found;
    if (pool_.size() + 1 >= std::numeric_limits<std::uint32_t>::max() / 2) {
      fail(error_code::limit_exceeded, "numbering strings", "fewer than 2^31", "more");
    }
    pool_.add(unit);
    if (unit_table::slots_for(pool_.size()) > slots_.size()) {
      slots_.assign(2 * unit_table::slots_for(pool_.size()), 0);
      for (std::size_t i = 0; i < pool_.size(); ++i) put(static_cast<std::uint32_t>(i));
    } else {
      put(static_cast<std::uint32_t>(pool_.size() - 1));
    }
    return static_cast<std::uint32_t>(pool_.size() - 1);
  }

  /// The strings of `list`, numbered by their places in it, in as few slots as a table takes. They
  /// differ.
  [[nodiscard]] static unit_numbers of(string_pool list, const hash_key& key) {
    unit_numbers made;
    made.pool_ = std::move(list);
    made.key_ = key;
    made.slots_.assign(unit_table::slots_for(made.pool_.size()), 0);
    for (std::size_t i = 0; i < made.pool_.size(); ++i) made.put(static_cast<std::uint32_t>(i));
    return made;
  }

  /// How many strings.
  [[nodiscard]] std::size_t size() const noexcept { return pool_.size(); }
  /// Shows the table, until the next string comes.
  [[nodiscard]] unit_table view() const noexcept { return {pool_.view(), slots_, key_}; }

 private:
  void put(std::uint32_t number) {
    const std::uint64_t hash = view().hash_of(pool_.view()[number]);
    std::size_t at = unit_table::place(hash, slots_.size());
    while (slots_[at] != 0) at = at + 1 == slots_.size() ? 0 : at + 1;
    slots_[at] = (hash & 0xFFFFFFFFU) << 32 | (std::uint64_t{number} + 1);
  }

  string_pool pool_;
  std::vector<std::uint64_t> slots_;
  hash_key key_ = hash_key::of_process();
};

}  // namespace onoma::inline ONOMA_ABI
