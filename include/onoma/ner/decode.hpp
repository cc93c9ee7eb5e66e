/// Tags to entities, with invalid sequences repaired and counted.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Reads the tags of one sequence from left to right and says of each word whether it opens an
/// entity, continues the open one, or stands outside. BIO is the common case; the prefixes of BIOES,
/// BILOU, BMES and BMEWO are understood, since models with such heads exist.
class tag_reader {
 public:
  /// What a tag does: it stands outside, or opens an entity, or continues one.
  enum class step { outside, opens, continues };

  /// The tag's text must outlive the next call.
  [[nodiscard]] step read(std::string_view tag) {
    const auto [prefix, type] = split_tag(tag);
    if (prefix == 'O') {
      open_ = false;
      return step::outside;
    }
    const bool alone = prefix == 'S' || prefix == 'U' || prefix == 'W';
    const bool begins = alone || prefix == 'B';
    const bool ends = alone || prefix == 'E' || prefix == 'L';
    const bool continues = open_ && !begins && type == type_;
    // A label without a prefix opens an entity by right.
    if (!begins && !continues && type.size() != tag.size()) ++repairs_;
    open_ = !ends;
    type_ = type;
    return continues ? step::continues : step::opens;
  }

  /// The type of the word read last, unless that was outside.
  [[nodiscard]] std::string_view type() const noexcept { return type_; }
  /// Tags that should continue an entity and had none: each opened one.
  [[nodiscard]] index_t repairs() const noexcept { return repairs_; }

 private:
  std::string_view type_;
  bool open_ = false;
  index_t repairs_ = 0;
};

/// The entities of a sequence of tags.
struct decoded_tags {
  std::vector<entity_span> entities;  ///< in order, never overlapping
  index_t repairs = 0;                  ///< I- tags that continued nothing: each opened an entity
};

/// An I- tag after O or after another type opens an entity, as conlleval and seqeval's default mode
/// read it ("repair begin"); every one is counted.
[[nodiscard]] inline decoded_tags decode_bio(std::span<const std::string> tags) {
  decoded_tags result;
  tag_reader reader;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto at = static_cast<index_t>(i);
    switch (reader.read(tags[i])) {
      case tag_reader::step::outside: break;
      case tag_reader::step::opens:
        result.entities.push_back({at, at + 1, std::string(reader.type())});
        break;
      case tag_reader::step::continues: result.entities.back().end = at + 1; break;
    }
  }
  result.repairs = reader.repairs();
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
