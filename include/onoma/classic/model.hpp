/// A classical model: what training left of its weights, in one file.
#pragma once

#include <onoma/classic/model_layout.hpp>
#include <onoma/classic/templates.hpp>
#include <onoma/classic/word_values.hpp>
#include <onoma/core/crf.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/ner/tag_set.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A linear-chain conditional random field over features of words, without a network: labels, templates of features,
/// weights of what was seen in training, transitions, rules of the tag scheme, and a gazetteer if it was trained with
/// one. Immutable; one serves many threads. Copies share what they look at.
class classic_model {
 public:
  /// Maps a file that `save` wrote, and looks at each byte of it once.
  /// @throws onoma::error (file_not_found, io); (format) for another file, one that is damaged, or one of another
  /// version; (format, missing, parse, invalid_argument) for settings that are none.
  [[nodiscard]] static classic_model open(const std::filesystem::path& path,
                                          file_access access = file_access::mapped) {
    auto file = std::make_shared<const mapped_file>(path, access);
    return classic_model(file, file->bytes(), "opening the model " + path.string());
  }
  /// Whether a file begins as such a model; false for what is no file.
  [[nodiscard]] static bool is_model(const std::filesystem::path& path) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(path, problem)) return false;
    return is_classic(mapped_file(path).bytes());
  }
  /// Of a file that is in memory, at a multiple of 8 bytes, which `owner` keeps; `where` is for messages.
  /// @throws onoma::error as `open`.
  [[nodiscard]] static classic_model of_file(std::shared_ptr<const void> owner, std::span<const std::byte> bytes,
                                             const std::string& where) {
    return classic_model(std::move(owner), bytes, where);
  }

  /// Writes the file, whole or not at all. @throws onoma::error as `atomic_file`.
  void save(const std::filesystem::path& path) const {
    atomic_file file(path);
    file.write(bytes_);
    file.commit();
  }

  /// The file.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// By number.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return about_->labels; }
  /// What it looks at.
  [[nodiscard]] const template_plan& plan() const noexcept { return about_->plan; }
  /// What it was trained with, or null.
  [[nodiscard]] const gazetteer* list() const noexcept { return about_->list ? &*about_->list : nullptr; }
  /// What else is said of it: an object that has the key "words" if it has rules for the words of raw text.
  [[nodiscard]] const json& own() const noexcept { return about_->own; }
  /// Values and weights.
  [[nodiscard]] const classic_parts& parts() const noexcept { return parts_; }
  /// Which label may follow which, begin a sentence and end one.
  [[nodiscard]] crf_rules rules() const noexcept {
    const auto labels = static_cast<index_t>(parts_.labels);
    const auto* all = parts_.rules.data();
    return {{all, labels, labels}, {all + labels * labels, labels}, {all + labels * labels + labels, labels}};
  }

  /// Adds the weights of a value to `scores` [slots, width], width >= L; none for one that is not known.
  void add(std::string_view key, std::size_t width, float* scores) const {
    const auto value = parts_.find(key);
    if (value == unit_table::none) return;
    for (std::uint32_t i = parts_.begins[value]; i < parts_.begins[value + 1]; ++i) {
      const std::size_t slot = parts_.targets[i] / parts_.labels;
      scores[slot * width + parts_.targets[i] % parts_.labels] += parts_.weights[i];
    }
  }

 private:
  struct description {
    std::vector<std::string> labels;
    template_plan plan;
    json own;
    std::optional<gazetteer> list;
  };

  classic_model(std::shared_ptr<const void> owner, std::span<const std::byte> bytes, const std::string& where)
      : owner_(std::move(owner)), bytes_(bytes), parts_(read_classic(bytes, where)) {
    const std::string name = where + ": its settings";
    const json settings = parse_json(parts_.settings, name);
    std::vector<std::string> labels = texts(settings, "labels", name);
    template_plan plan(templates_from_texts(texts(settings, "templates", name)));
    if (labels.size() != parts_.labels || static_cast<std::size_t>(plan.slots()) != parts_.slots) {
      fail(error_code::format, name, std::to_string(parts_.labels) + " labels and " + std::to_string(parts_.slots) +
           " slots", std::to_string(labels.size()) + " and " + std::to_string(plan.slots()));
    }
    static_cast<void>(tag_set(labels));
    std::optional<gazetteer> list;
    if (!parts_.list.empty()) {
      list = gazetteer::of_compiled(owner_, std::as_bytes(std::span(parts_.list.data(), parts_.list.size())),
                                    where + ": its gazetteer");
    }
    check(list.has_value() || plan.lists().empty(), error_code::format, where.c_str(),
          "a gazetteer, for which it has templates", "none");
    json own = member(settings, "own");
    if (!own.is_null() && !own.is_object()) fail(error_code::format, name + ".own", "an object", describe(own));
    about_ = std::make_shared<const description>(
        description{std::move(labels), std::move(plan), std::move(own), std::move(list)});
  }

  [[nodiscard]] static std::vector<std::string> texts(const json& settings, const char* key, const std::string& name) {
    std::vector<std::string> found;
    for (const auto& each : require_array(settings, key, name)) {
      found.push_back(json_value<std::string>(each, key, name));
    }
    return found;
  }

  std::shared_ptr<const void> owner_;  // of the bytes
  std::span<const std::byte> bytes_;
  classic_parts parts_;
  std::shared_ptr<const description> about_;
};

}  // namespace onoma::inline ONOMA_ABI
