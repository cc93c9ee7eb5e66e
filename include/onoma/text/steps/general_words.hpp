/// Any chain of normalizers and pre-tokenizers, as tokenizer.json lists them, in front of a model.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/steps/normalizers.hpp>
#include <onoma/text/steps/pre_tokenizers.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Step after step over the whole stretch, each character with its origin.
class general_words {
 public:
  /// Memory of one thread.
  struct buffers {
    aligned_text text;                       ///< normalised
    normalizer_chain::buffers normalizers;   ///< of the first steps
    cut_text cut;                            ///< the text with its words
    pre_tokenizers::buffers pre_tokenizers;  ///< of the other steps

    /// A text begins: what its patterns may take counts from now on.
    void begin_text() {
      normalizers.step.match.search.begin();
      pre_tokenizers.match.search.begin();
    }
  };

  /// Of these steps, in this order.
  general_words(std::vector<normalizer> normalizers, std::vector<pre_tokenizer> steps)
      : normalizers_(std::move(normalizers)), steps_(std::move(steps)) {}

  /// The steps that rewrite the text as a whole.
  [[nodiscard]] const normalizer_chain& normalizers() const noexcept { return normalizers_; }

  /// Normalises valid UTF-8 whose first byte is `base` of the whole into `b.text`.
  /// @throws onoma::error (out_of_range) if it grows without measure.
  void normalize(std::string_view text, index_t base, buffers& b) const {
    b.text.assign(text, base);
    normalizers_(b.text, b.normalizers);
  }

  /// Calls `sink(const word_view&)` for each word of a part of `b.text`, which is not empty. If it is
  /// all of the text, nothing is left there. `spaced`: a space is added in front of the part, and stands
  /// for nothing.
  /// @throws onoma::error as `normalize`, and as `regex::find`.
  void split(word_range part, bool spaced, buffers& b, function_ref<void(const word_view&)> sink) const {
    auto& [text, words] = b.cut;
    if (!spaced && part.begin == 0 && part.end == b.text.bytes.size()) {
      std::swap(text, b.text);
    } else {
      text.clear();
      text.base = b.text.base;
      if (spaced) {
        const index_t at = b.text.origin[part.begin].begin;
        text.append(" ", {at, at});
      }
      text.append(b.text, part.begin, part.end);
    }
    words.assign(1, {0, static_cast<std::uint32_t>(text.bytes.size())});
    const std::size_t limit = largest_growth(text.bytes.size());
    for (const auto& step : steps_) {
      auto& next = b.pre_tokenizers.next;
      next.text.clear();
      next.text.base = text.base;
      next.words.clear();
      std::visit([&](const auto& chosen) { chosen(b.cut, b.pre_tokenizers); }, step);
      check_growth(text.bytes.size(), limit, "pre-tokenizing");
    }
    text.bytes.append(word_padding, '\0');
    for (const auto word : words) {
      sink(word_view{text.bytes.data() + word.begin, word.end - word.begin, 0,
                     text.origin.data() + word.begin});
    }
  }

 private:
  normalizer_chain normalizers_;
  std::vector<pre_tokenizer> steps_;
};

}  // namespace onoma::inline ONOMA_ABI
