/// Lists of phrases with labels, millions of them, found in texts in one pass.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/match/automaton.hpp>
#include <onoma/match/gazetteer_layout.hpp>
#include <onoma/match/match.hpp>
#include <onoma/match/unit_table.hpp>
#include <onoma/match/units.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Phrases with labels and ids, compiled: an automaton over the units of text (match/units.hpp), so
/// that a text is gone through once however many phrases there are. Immutable; one serves many
/// threads. Copies share what they look at.
class gazetteer {
 public:
  /// Memory of one thread.
  class workspace {
    friend class gazetteer;
    unit_reader::workspace units_;
    recent_units recent_;
    std::vector<std::size_t> begins_;  // of the units just read, as many as the longest phrase has
    std::shared_ptr<const void> owner_;  // of the table that `recent_` is of
  };

  /// Maps a file that `save` wrote.
  /// @throws onoma::error (file_not_found, io); (format) for another file, one that is damaged, or
  /// one of another version.
  [[nodiscard]] static gazetteer open(const std::filesystem::path& path,
                                      file_access access = file_access::mapped) {
    auto file = std::make_shared<const mapped_file>(path, access);
    return gazetteer(file, file->bytes(), "opening the gazetteer " + path.string());
  }

  /// Of a compiled form that lies at a multiple of 8 bytes, in memory that `owner` keeps; `where` is for messages.
  /// @throws onoma::error (format) as `open`.
  [[nodiscard]] static gazetteer of_compiled(std::shared_ptr<const void> owner, std::span<const std::byte> bytes,
                                             const std::string& where) {
    return gazetteer(std::move(owner), bytes, where);
  }
  /// The compiled form, as `save` writes it; it lives as long as this or a copy of it.
  [[nodiscard]] std::span<const std::byte> compiled() const noexcept { return bytes_; }

  /// Writes it, whole or not at all. @throws onoma::error as `atomic_file`.
  void save(const std::filesystem::path& path) const {
    atomic_file file(path);
    file.write(bytes_);
    file.commit();
  }

  /// How many entries: a phrase with a label and an id.
  [[nodiscard]] index_t size() const noexcept {
    return static_cast<index_t>(parts_.entry_labels.size());
  }
  /// Bytes of the compiled form, in memory and as a file.
  [[nodiscard]] index_t bytes() const noexcept { return static_cast<index_t>(bytes_.size()); }
  /// How it looks for phrases.
  [[nodiscard]] const phrase_options& options() const noexcept { return rules_->options(); }

  /// Calls `use(byte_span place, index_t entry)` for each place where a phrase stands, overlapping
  /// ones too, in the order of their ends; entries of one phrase in the order in which they were
  /// added. Takes time in proportion to the text and to what is found.
  /// @throws onoma::error (parse) for a text that is not UTF-8, when that place is reached.
  template <class Use>
  void scan(std::string_view text, workspace& memory, Use use) const {
    const std::size_t ring = std::bit_ceil(parts_.phrases.longest() + 1);
    if (memory.begins_.size() < ring) memory.begins_.resize(ring);
    if (memory.owner_ != owner_) memory.recent_.clear();
    memory.owner_ = owner_;
    unit_reader reader(text, *rules_, memory.units_);
    // Reading and finding by turns, as each waits for other things.
    std::array<found_unit, 64> units;
    std::uint32_t state = 0;
    std::uint32_t before = unit_table::none;
    for (std::size_t count = 0;;) {
      std::size_t size = 0;
      while (size < units.size() && reader.next()) {
        const auto unit = memory.recent_.find(parts_.units, reader.key());
        units[size++] = {reader.begin(), reader.end(), unit,
                         2 * unit + (reader.after_space() ? 1U : 0U), false};
      }
      for (std::size_t i = 0; i < size; ++i) {
        units[i].may_be_pair = pairs_->may_begin(before, units[i].symbol);
        before = units[i].unit;
      }
      for (std::size_t i = 0; i < size; ++i, ++count) {
        const auto& next = units[i];
        memory.begins_[count & (ring - 1)] = next.begin;
        if (next.unit == unit_table::none) {
          state = 0;
          continue;
        }
        state = parts_.phrases.step(state, next.symbol, next.may_be_pair);
        if (!parts_.phrases.any_end(state)) continue;
        parts_.phrases.for_each_end(state, [&](std::uint32_t end, std::size_t length) {
          const byte_span place{
              static_cast<index_t>(memory.begins_[(count + 1 - length) & (ring - 1)]),
              static_cast<index_t>(next.end)};
          for (auto e = parts_.entry_begins[end]; e < parts_.entry_begins[end + 1]; ++e) {
            use(place, static_cast<index_t>(e));
          }
        });
      }
      if (size < units.size()) break;
    }
  }

  /// The label of an entry. Precondition: 0 <= entry < size().
  [[nodiscard]] std::string_view label(index_t entry) const {
    return parts_.labels[parts_.entry_labels[static_cast<std::size_t>(entry)]];
  }
  /// The id of an entry, empty if it has none. Precondition: 0 <= entry < size().
  [[nodiscard]] std::string_view id(index_t entry) const {
    return parts_.ids[static_cast<std::size_t>(entry)];
  }

  /// The labels of its entries, each once.
  [[nodiscard]] std::vector<std::string_view> labels() const {
    std::vector<std::string_view> all;
    for (std::size_t i = 0; i < parts_.labels.size(); ++i) all.push_back(parts_.labels[i]);
    return all;
  }

  /// Appends what stands in a document, overlapping places too. A match need not begin and end with
  /// words of the document.
  /// @throws onoma::error (parse) for a text that is not UTF-8.
  void find(const document& d, std::vector<match>& found, workspace& memory) const {
    scan(d.text, memory, [&](byte_span place, index_t entry) {
      found.push_back({place, 0, 0, label(entry), id(entry), entity_source::gazetteer});
    });
  }

 private:
  friend class gazetteer_builder;

  struct found_unit {
    std::size_t begin;
    std::size_t end;
    std::uint32_t unit;
    phrase_symbol symbol;
    bool may_be_pair;
  };

  gazetteer(std::shared_ptr<const void> owner, std::span<const std::byte> bytes,
            const std::string& where)
      : owner_(std::move(owner)), bytes_(bytes), parts_(read_gazetteer(bytes, where)) {
    rules_ = std::make_shared<const unit_rules>(parts_.options);
    pairs_ = std::make_shared<const pair_filter>(parts_.phrases);
  }

  std::shared_ptr<const void> owner_;  // of the bytes
  std::span<const std::byte> bytes_;
  gazetteer_parts parts_;
  std::shared_ptr<const unit_rules> rules_;
  std::shared_ptr<const pair_filter> pairs_;
};

/// Collects phrases and compiles them.
class gazetteer_builder {
 public:
  /// What happened to a phrase.
  enum class outcome {
    added,  ///< it is there
    blank,  ///< it has no unit: it is empty or white space
  };

  /// @throws onoma::error never but for lack of memory.
  explicit gazetteer_builder(phrase_options options = {}) : rules_(options) {}

  /// Adds a phrase. White space at its ends does not count, and that inside of it is one space.
  /// @throws onoma::error (parse) if the phrase, label or id is not UTF-8, (invalid_argument) for
  /// an empty label, (limit_exceeded) for more than 2^31 words or 4 GiB of words or ids.
  outcome add(std::string_view phrase, std::string_view label, std::string_view id = {}) {
    validate_utf8(phrase, "a phrase of a gazetteer");
    validate_utf8(label, "a label of a gazetteer");
    validate_utf8(id, "an id of a gazetteer");
    check(!label.empty(), error_code::invalid_argument, "adding a phrase to a gazetteer", "a label",
          "none");
    const std::size_t begin = sequences_.symbols.size();
    unit_reader reader(phrase, rules_, memory_);
    while (reader.next()) {
      const bool first = sequences_.symbols.size() == begin;
      const auto unit = units_.number(reader.key());
      sequences_.symbols.push_back(2 * unit + (!first && reader.after_space() ? 1U : 0U));
    }
    if (sequences_.symbols.size() == begin) return outcome::blank;
    sequences_.begins.push_back(sequences_.symbols.size());
    entry_labels_.push_back(labels_.number(label));
    ids_.add(id);
    return outcome::added;
  }

  /// How many were added.
  [[nodiscard]] index_t size() const noexcept { return static_cast<index_t>(sequences_.size()); }

  /// Compiles what was added; the builder is empty then. Entries that are there twice (phrase,
  /// label and id, all compared in the form of units) are kept once; `duplicates` gets how many
  /// were not.
  /// @throws onoma::error (limit_exceeded) for 2^30 states of the automaton or more.
  [[nodiscard]] gazetteer build(index_t* duplicates = nullptr) {
    const std::string_view all(reinterpret_cast<const char*>(sequences_.symbols.data()),
                               sequences_.symbols.size() * sizeof(phrase_symbol));
    const hash_key key{digest_of(all), digest_of(units_.view().units.characters) | 1U};
    const auto units = number_beginnings_first(units_, sequences_, key);
    const auto made = build_automaton(sequences_);
    gazetteer_parts parts;
    parts.options = rules_.options();
    parts.units = units.view();
    parts.phrases = made.view();
    const auto order = order_of_entries(made.end_of);
    std::vector<std::uint32_t> begins(made.view().count_ends() + 1, 0);
    std::vector<std::uint32_t> entry_labels;
    string_pool ids;
    for (const auto entry : order) {
      entry_labels.push_back(entry_labels_[entry]);
      ids.add(ids_.view()[entry]);
      begins[made.end_of[entry] + 1] = static_cast<std::uint32_t>(entry_labels.size());
    }
    for (std::size_t i = 1; i < begins.size(); ++i) begins[i] = std::max(begins[i], begins[i - 1]);
    if (duplicates != nullptr) *duplicates = size() - static_cast<index_t>(order.size());
    parts.entry_begins = begins;
    parts.entry_labels = entry_labels;
    if (!ids.characters.empty()) parts.ids = ids.view();
    parts.labels = labels_.view().units;
    auto bytes = std::make_shared<const std::vector<std::byte>>(write_gazetteer(parts));
    *this = gazetteer_builder(rules_.options());
    const std::span<const std::byte> view(*bytes);
    return gazetteer(std::move(bytes), view, "building a gazetteer");
  }

 private:
  /// Entries by their ends, then as they were added, without those that are there twice.
  [[nodiscard]] std::vector<std::uint32_t> order_of_entries(
      const std::vector<std::uint32_t>& end_of) const {
    std::vector<std::uint32_t> order(end_of.size());
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    const auto ids = ids_.view();
    const auto compare = [&](std::uint32_t a, std::uint32_t b) {  // <0, 0, >0, by end, label and id
      if (end_of[a] != end_of[b]) return end_of[a] < end_of[b] ? -1 : 1;
      if (entry_labels_[a] != entry_labels_[b]) return entry_labels_[a] < entry_labels_[b] ? -1 : 1;
      return ids[a].compare(ids[b]);
    };
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int compared = compare(a, b);
      return compared != 0 ? compared < 0 : a < b;
    });
    const auto same = [&](std::uint32_t a, std::uint32_t b) { return compare(a, b) == 0; };
    order.erase(std::unique(order.begin(), order.end(), same), order.end());
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return end_of[a] != end_of[b] ? end_of[a] < end_of[b] : a < b;
    });
    return order;
  }

  unit_rules rules_;
  unit_reader::workspace memory_;
  unit_numbers units_;
  unit_numbers labels_;
  symbol_sequences sequences_;
  std::vector<std::uint32_t> entry_labels_;
  string_pool ids_;
};

}  // namespace onoma::inline ONOMA_ABI
