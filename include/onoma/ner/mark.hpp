/// A text with its entities marked where they stand, for people.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/ner/entity.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

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

/// Entities in the order of the text. One that begins inside of another is left out: the strategy
/// `aggregation::none` may repeat a place.
[[nodiscard]] inline std::string mark_entities(std::string_view text, std::span<const entity> entities,
                                               mark_style style = mark_style::brackets) {
  std::string out;
  index_t at = 0;
  for (const auto& e : entities) {
    const auto bytes = e.span.bytes;
    if (bytes.begin < at) continue;
    out += text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(bytes.begin - at));
    if (style == mark_style::colors) {
      const auto color = std::to_string(label_color(e.label));
      out += "\033[1;" + color + "m" + e.text + "\033[0m\033[" + color + "m|" + e.label + "\033[0m";
    } else {
      out += "[" + e.text + "|" + e.label + "]";
    }
    at = bytes.end;
  }
  return out.append(text.substr(static_cast<std::size_t>(at)));
}

}  // namespace onoma::inline ONOMA_ABI
