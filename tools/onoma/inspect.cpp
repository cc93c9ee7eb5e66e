/// onoma inspect: what is in a model folder, and what of it would be refused, without loading its weights.
#include "command.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/models/checkpoint.hpp>
#include <onoma/models/encoder.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/trainable_model.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/words/word_rules_json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace command {

namespace {

using onoma::index_t;
using backend = onoma::cpu_backend;

struct settings : shared_options {};

/// The parameters of a model without memory for them.
template <class Head>
struct shape {
  explicit shape(const onoma::encoder_config& config) : body(config), head(onoma::head_settings_of<Head>(config)) {}
  template <class Visitor>
  void visit(const onoma::scope& at, Visitor&& visitor) {
    body.visit(at, visitor);
    head.visit(at, visitor);
  }

  onoma::encoder<backend> body;
  Head head;
};

/// Calls `use` with the type of the folder's head. @throws onoma::error (unsupported) for another kind.
template <class Use>
void with_head_of(const onoma::encoder_config& config, Use&& use) {
  onoma::with_head<backend>(config.head, [&](auto head) {
    using type = typename decltype(head)::type;
    onoma::check(config.head == type::kind, onoma::error_code::unsupported, "config.json: 'onoma': 'head'",
                 "a head of kind 'token', 'crf' or 'span'", ("'" + config.head + "'").c_str());
    use(head);
  });
}

/// Everything as JSON, which is printed as it is or as lines for people. `refused` says what is in the way of
/// tagging; a part that cannot be read is missing.
class inspection {
 public:
  inspection(const std::filesystem::path& path, onoma::verification verify) : path_(path) {
    all_ = {{"folder", path.string()}};
    attempt("folder", [&] { folder_ = onoma::model_folder::open(path, verify); });
    if (folder_) {
      for (const auto& remark : folder_->remarks()) remarks_.push_back(remark);
    }
    if (folder_) attempt("config", [&] { read_config(); });
    if (config_) attempt("word rules", [&] { read_word_rules(); });
    if (config_) attempt("head", [&] { with_head_of(*config_, [&](auto head) { read_head(head); }); });
    attempt("tokenizer", [&] { read_tokenizer(); });
    all_["refused"] = refused_;
    all_["remarks"] = remarks_;
  }

  [[nodiscard]] const onoma::json& all() const noexcept { return all_; }

 private:
  template <class Read>
  void attempt(const char* part, Read&& read) {
    try {
      read();
    } catch (const onoma::error& problem) {
      refused_.push_back({{"part", part}, {"why", problem.what()}});
    }
  }

  void read_config() {
    config_ = onoma::encoder_config::from_json(folder_->config());
    const auto& c = *config_;
    all_["family"] = c.family->model_type;
    all_["architecture"] = c.family->architecture;
    all_["sizes"] = {{"layers", c.layers},
                     {"hidden", c.hidden},
                     {"heads", c.heads},
                     {"feed_forward", c.inner},
                     {"vocabulary", c.vocabulary},
                     {"embedding", c.embedding == 0 ? c.hidden : c.embedding},
                     {"longest_text", c.max_length()}};
    if (c.trained_length > 0) all_["trained_length"] = c.trained_length;
    if (c.labels_are_default) {
      remarks_.push_back("config.json names no labels");
    } else {
      all_["labels"] = c.labels;
    }
    for (const auto& remark : c.remarks) remarks_.push_back(remark);
  }

  void read_word_rules() {
    const auto rules = onoma::find_word_rules(config_->own);
    all_["word_rules"] = nullptr;
    if (!rules) return;
    all_["word_rules"] = {{"signs", rules->signs.size()},
                          {"texts", rules->before.size() + rules->behind.size()},
                          {"pairs", rules->pairs.size()}};
  }

  /// What depends on the kind of head.
  template <class Head>
  void read_head(std::type_identity<Head> /*kind*/) {
    all_["head_kind"] = Head::kind;
    if (config_->scheme) all_["scheme"] = onoma::to_string(*config_->scheme);
    if constexpr (onoma::head_with_settings<Head>) {
      attempt("head", [&] {
        const Head made(onoma::head_settings_of<Head>(*config_));
        all_["head_settings"] = made.settings();
        if constexpr (requires { made.scheme(); }) all_["scheme"] = onoma::to_string(made.scheme());
      });
    }
    attempt("weights", [&] { read_weights<Head>(); });
    attempt("memory of training", [&] { measure_training<Head>(); });
  }

  template <class Head>
  void read_weights() {
    const auto& file = folder_->tensors();
    std::map<std::string, index_t> formats;
    std::uint64_t bytes = 0;
    for (const auto& tensor : file.tensors()) {
      ++formats[std::string(onoma::to_string(tensor.type))];
      bytes += tensor.bytes.size();
    }
    all_["weights"] = {{"file", file.file_name()}, {"tensors", file.tensors().size()}, {"bytes", bytes},
                       {"formats", formats}};
    shape<Head> model(*config_);
    const auto layout = onoma::parameter_layout::of<float>(model, false);
    index_t parameters = 0;
    for (const auto& entry : layout.entries()) parameters += entry.size();
    all_["parameters"] = parameters;
    const auto match =
        onoma::match_checkpoint({*config_->family, model.head}, layout.entries(), file, false,
                                config_->int8_weights, "load '" + path_.string() + "'");
    all_["weights"]["ignored"] = match.ignored;
    all_["head"] = match.initialised.empty();
    if (!match.initialised.empty()) {
      refused_.push_back({{"part", "head"},
                          {"why", "no token-classification head: train the encoder before it tags"}});
    }
    measure_inference(match);
  }

  /// What inference keeps: packed weights and small vectors; rows of tables are read in the file.
  void measure_inference(const onoma::checkpoint_match& match) {
    std::uint64_t packed = 0;
    std::uint64_t tables = 0;
    for (const auto& source : match.found) {
      std::uint64_t stored = 0;
      for (const auto* tensor : source.tensors) stored += tensor->bytes.size();
      const bool is_int8 = !source.scales.empty();
      const auto size = static_cast<std::uint64_t>(source.entry->size());
      if (source.entry->reading == onoma::read_as::rows) {
        tables += stored;
      } else {
        packed += is_int8 ? stored : size * sizeof(float);
      }
    }
    all_["memory"]["inference"] = {{"weights", packed}, {"tables_in_the_file", tables}};
  }

  /// A step of 8 sentences of 128 tokens, or of as many as the model takes.
  template <class Head>
  void measure_training() {
    if (config_->int8_weights) return;
    backend device;
    using model = onoma::trainable_model<backend, Head>;
    typename model::batch_type batch;
    const index_t length = std::min<index_t>(128, config_->max_length());
    const std::vector<std::int32_t> ids(static_cast<std::size_t>(length), 0);
    typename model::targets::item item;
    if constexpr (onoma::span_scoring_head<Head>) {
      item.words.resize(ids.size());
      std::iota(item.words.begin(), item.words.end(), 0);  // every token a word
    } else {
      item = ids;
    }
    for (int i = 0; i < 8; ++i) batch.add(ids, item);
    const auto memory = model::measure_training(*config_, device, batch);
    all_["memory"]["training"] = {{"tokens", 8 * length},
                                  {"parameters", memory.parameters},
                                  {"packed", memory.packed},
                                  {"activations", memory.activations},
                                  {"scratch", memory.scratch}};
  }

  void read_tokenizer() {
    onoma::json found = onoma::json::object();
    if (folder_) found["class"] = onoma::value_or<std::string>(folder_->tokenizer_config(), "tokenizer_class",
                                                               "", "tokenizer_config.json");
    found["files"] = onoma::json::array();
    for (const auto name : onoma::tokenizer_files) {
      if (onoma::is_there(path_ / name)) found["files"].push_back(name);
    }
    const auto tokens = onoma::load_tokenizer(path_);
    found["pieces"] = tokens.vocabulary_size();
    found["kind"] = tokens.has_space_words()         ? "words between spaces (SentencePiece)"
                    : tokens.has_continuing_prefix() ? "pieces with a prefix inside of words (WordPiece)"
                                                     : "pieces without a prefix (BPE, Unigram or words)";
    found["special"] = onoma::json::array();
    for (const auto& window : tokens.encode("")) {
      for (const auto id : window.ids) found["special"].push_back({std::string(tokens.piece(id)), id});
    }
    if (tokens.unknown_id() >= 0) {
      found["unknown"] = {std::string(tokens.piece(tokens.unknown_id())), tokens.unknown_id()};
    }
    all_["tokenizer"] = std::move(found);
    for (const auto& remark : tokens.remarks()) remarks_.push_back(remark);
    if (config_ && tokens.vocabulary_size() > config_->vocabulary) {
      remarks_.push_back(fmt::format("the tokenizer has {} pieces and the table of the model {} rows",
                                     tokens.vocabulary_size(), config_->vocabulary));
    }
  }

  std::filesystem::path path_;
  onoma::json all_;
  onoma::json refused_ = onoma::json::array();
  onoma::json remarks_ = onoma::json::array();
  std::optional<onoma::model_folder> folder_;
  std::optional<onoma::encoder_config> config_;
};

std::string megabytes(const onoma::json& bytes) {
  return fmt::format("{:.1f} MB", bytes.get<double>() / 1e6);
}

std::string list(const onoma::json& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

void line(const char* name, const std::string& value) {
  terminal::print(fmt::format("{:<12}{}\n", name, value));
}

void print_model(const onoma::json& all) {
  if (all.contains("family")) {
    const auto& s = all["sizes"];
    line("family", all["family"].get<std::string>() + " (" + all["architecture"].get<std::string>() + ")");
    const auto size = [&](const char* name) { return s[name].get<index_t>(); };
    line("sizes", fmt::format("{} layers, hidden {}, {} heads, feed-forward {}, vocabulary {}, {} tokens at "
                              "most", size("layers"), size("hidden"), size("heads"), size("feed_forward"),
                              size("vocabulary"), size("longest_text")));
  }
  if (all.contains("trained_length")) {
    line("windows", fmt::format("{} tokens, as in training", all["trained_length"].get<index_t>()));
  }
  if (const auto& w = onoma::member(all, "word_rules"); w.is_object()) {
    line("words", fmt::format("found in text by rules from training: {} for signs, {} for texts beside "
                              "them, {} for pairs of signs", w["signs"].get<index_t>(),
                              w["texts"].get<index_t>(), w["pairs"].get<index_t>()));
  } else if (all.contains("word_rules")) {
    line("words", "found in text by the tokenizer: no rules from training");
  }
  if (all.contains("labels")) {
    line("labels", fmt::format("{}: {}", all["labels"].size(), list(all["labels"])));
  }
  if (all.contains("scheme")) {
    line("scheme", all["scheme"].get<std::string>() +
                       (all.contains("head_settings") ? ", whose rules a chain of the words of a text obeys" : ""));
  }
  if (all.contains("head_settings") && all["head_settings"].contains("width")) {
    const auto& own = all["head_settings"];
    line("head", fmt::format("finds spans of up to {} words, {}", own["width"].get<index_t>(),
                             own["decoding"].get<std::string>()));
  }
  if (!all.contains("weights")) return;
  const auto& w = all["weights"];
  std::string formats;
  for (const auto& [name, count] : w["formats"].items()) formats += (formats.empty() ? "" : ", ") + name;
  line("weights", fmt::format("{}, {} in {}, {}, {:.1f} million parameters", w["file"].get<std::string>(),
                              counted(w["tensors"].get<index_t>(), "tensor"), megabytes(w["bytes"]), formats,
                              all.value("parameters", 0.0) / 1e6));
}

void print_tokenizer(const onoma::json& t) {
  const auto name = t.value("class", "");
  line("tokenizer", fmt::format("{}{}; {}; {}", name.empty() ? "" : name + ": ", t["kind"].get<std::string>(),
                                counted(t["pieces"].get<index_t>(), "piece"), list(t["files"])));
  std::string special;
  for (const auto& pair : t["special"]) {
    special += fmt::format("{}{} {}", special.empty() ? "" : ", ", pair[0].get<std::string>(),
                           pair[1].get<index_t>());
  }
  if (t.contains("unknown")) {
    const auto& unknown = t["unknown"];
    special += fmt::format("; unknown {} {}", unknown[0].get<std::string>(), unknown[1].get<index_t>());
  }
  line("special", special);
}

void print_memory(const onoma::json& memory) {
  if (memory.contains("inference")) {
    const auto& m = memory["inference"];
    line("inference", fmt::format("{} of weights, and the rows in use of {} in the file",
                                  megabytes(m["weights"]), megabytes(m["tables_in_the_file"])));
  }
  if (memory.contains("training")) {
    const auto& m = memory["training"];
    const double all = m["parameters"].get<double>() + m["packed"].get<double>() +
                       m["activations"].get<double>() + m["scratch"].get<double>();
    line("training", fmt::format("{:.1f} MB for a step of {} tokens, {} of them for parameters", all / 1e6,
                                 m["tokens"].get<index_t>(), megabytes(m["parameters"])));
  }
}

int inspect(const settings& s) {
  const inspection found(s.model, onoma::verification_from_name(s.verify));
  const auto& all = found.all();
  const bool good = all["refused"].empty();
  if (s.json) {
    terminal::print(onoma::json_line(all) + "\n");
    return good ? done : failed;
  }
  line("folder", s.model);
  print_model(all);
  if (all.contains("tokenizer")) print_tokenizer(all["tokenizer"]);
  if (all.contains("memory")) print_memory(all["memory"]);
  for (const auto& remark : all["remarks"]) line("remark", remark.get<std::string>());
  for (const auto& each : all["refused"]) {
    line("refused", each["part"].get<std::string>() + ": " + each["why"].get<std::string>());
  }
  if (good) line("refused", "nothing");
  return good ? done : failed;
}

}  // namespace

subcommand add_inspect(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(
      root, "inspect",
      "Says what is in a model folder: family, sizes, labels, weights, tokenizer, memory, and what\n"
      "would be refused and why. Weights are not loaded. The exit code is 1 if the folder cannot tag.",
      "  onoma inspect my-model\n"
      "  onoma inspect --json my-model");
  app.add_option("-m,--model,folder", s->model, "Model folder")->required();
  add_shared(app, *s, "The same as one JSON object");
  return {&app, [s] { return inspect(*s); }};
}

}  // namespace command
