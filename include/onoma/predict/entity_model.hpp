/// Anything that finds entities in texts, behind one type.
#pragma once

#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/entity.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The entities of one text, and what happened on the way to them.
struct tagged_text {
  std::vector<entity> entities;  ///< in the order of the text; those that hold others before these
  index_t windows = 1;             ///< > 1: the text was longer than the model takes
  index_t repairs = 0;             ///< I- tags that continued nothing and opened an entity
  index_t unknown_tokens = 0;      ///< pieces that the vocabulary does not have
  /// The words of raw text that were labelled, in bytes of it; `entity::first` and `last` are places in them.
  /// Empty where the tokenizer's words were, or the text came in words.
  std::vector<byte_span> words;

  /// The first entity: the result is a range of them.
  [[nodiscard]] auto begin() const noexcept { return entities.begin(); }
  /// Behind the last entity.
  [[nodiscard]] auto end() const noexcept { return entities.end(); }
  /// How many entities.
  [[nodiscard]] std::size_t size() const noexcept { return entities.size(); }
  /// Entity i, unchecked.
  [[nodiscard]] const entity& operator[](std::size_t i) const { return entities[i]; }
};

/// Finds entities, with whatever does the finding: an encoder with any head on any backend, or what a host
/// writes. One object serves one thread at a time; `share` makes one for another thread.
class entity_model {
 public:
  entity_model() = default;
  entity_model(const entity_model&) = delete;
  entity_model& operator=(const entity_model&) = delete;
  virtual ~entity_model() = default;

  /// The labels that a model tells apart, by id.
  [[nodiscard]] virtual const std::vector<std::string>& labels() const noexcept = 0;

  /// One result for each text. Results do not depend on which texts are tagged together.
  /// @throws onoma::error (parse) naming the text that is not UTF-8; then nothing is tagged.
  [[nodiscard]] virtual std::vector<tagged_text> tag_batch(std::span<const std::string> texts) = 0;

  /// Words that are split already. Their text is that of the words with a space between each two: offsets
  /// count in it, and `entity::first` and `last` are positions in `words`.
  /// @throws onoma::error (parse) if a word is not UTF-8.
  [[nodiscard]] virtual tagged_text tag_words(std::span<const std::string> words) = 0;

  /// The flag that calls look at from now on, until another takes its place: a call that finds it set ends with an
  /// error (cancelled). It belongs to this object, not to those that `share` makes later.
  /// @throws onoma::error (unsupported) where the finder cannot be stopped.
  virtual void set_cancellation(cancellation stop) {
    static_cast<void>(stop);
    fail(error_code::unsupported, "set_cancellation", "a finder of entities that can be stopped", "another");
  }

  /// Another one over the same weights, which are there once. Each may outlive the others.
  [[nodiscard]] virtual std::unique_ptr<entity_model> share() const = 0;
};

}  // namespace onoma::inline ONOMA_ABI
