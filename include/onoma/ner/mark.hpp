/// A text with its entities marked where they stand, for people.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/entity.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How `mark_entities` marks.
enum class mark_style {
  brackets,  ///< "[Jane Doe|PER] lives in [Paris|LOC]."
  colors,    ///< the same without brackets, in colours of terminals (ECMA-48, SGR)
};

/// The number of a foreground colour of terminals (30 to 37, 90 to 97): the same for the same label always.
/// Red is not among them, which means errors.
[[nodiscard]] inline int label_color(std::string_view label) noexcept {
  constexpr int colors[] = {32, 33, 34, 35, 36, 95, 92, 94};
  // Numbers with which the usual labels have colours of their own.
  std::uint32_t hash = 53;
  for (const char c : label) hash = hash * 131 + static_cast<unsigned char>(c);
  return colors[hash >> 8 & 7U];
}

/// Entities in the order of the text, those that hold others before these: one inside of another is marked there,
/// "[University of [Oslo|LOC]|ORG]". One on the same place as the one before is left out (the strategy
/// `aggregation::none` may repeat a place), and so is one that begins inside of another and ends behind it.
[[nodiscard]] inline std::string mark_entities(std::string_view text, std::span<const entity> entities,
                                               mark_style style = mark_style::brackets) {
  std::string out;
  index_t at = 0;
  std::vector<const entity*> open;
  const auto color_of = [](const entity& e) { return std::to_string(label_color(e.label)); };
  const auto copy_to = [&](index_t byte) {
    out += text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(byte - at));
    at = byte;
  };
  const auto close_until = [&](index_t byte) {
    while (!open.empty() && open.back()->span.bytes.end <= byte) {
      const auto& e = *open.back();
      copy_to(e.span.bytes.end);
      open.pop_back();
      if (style == mark_style::brackets) {
        out += "|" + e.label + "]";
        continue;
      }
      out += "\033[0m\033[" + color_of(e) + "m|" + e.label + "\033[0m";
      if (!open.empty()) out += "\033[1;" + color_of(*open.back()) + "m";
    }
  };
  const byte_span* last = nullptr;
  for (const auto& e : entities) {
    const auto& bytes = e.span.bytes;
    close_until(bytes.begin);
    const bool repeats = last != nullptr && last->begin == bytes.begin && last->end == bytes.end;
    if (bytes.begin < at || repeats || (!open.empty() && bytes.end > open.back()->span.bytes.end)) continue;
    copy_to(bytes.begin);
    out += style == mark_style::colors ? "\033[1;" + color_of(e) + "m" : "[";
    open.push_back(&e);
    last = &bytes;
  }
  close_until(static_cast<index_t>(text.size()));
  copy_to(static_cast<index_t>(text.size()));
  return out;
}

}  // namespace onoma::inline ONOMA_ABI
