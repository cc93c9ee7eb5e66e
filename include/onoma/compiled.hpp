/// The compiled library (CMake: onoma::compiled): tagging, evaluating and training behind a small header.
///
/// For programs that do not want to compile the library themselves. This header includes the standard library
/// alone, needs C++17, and is the same for all flags of its user: it shares no type with the other headers.
/// docs/compiled.md has a program, and the rules for the binary interface. The C interface is onoma.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// @def ONOMA_API
/// What the shared library exports.
#if !defined(ONOMA_API)
#if !defined(_WIN32)
#define ONOMA_API __attribute__((visibility("default")))
#elif defined(ONOMA_BUILDS_LIBRARY)
#define ONOMA_API __declspec(dllexport)
#else
#define ONOMA_API
#endif
#endif

/// The compiled library. Strings are UTF-8, names of files and folders included.
namespace onoma::compiled {

/// What kind of thing went wrong: for programs that react, where the message is for people.
enum class error_code {
  invalid_argument = 1,  ///< a value outside its domain, or arguments that contradict each other
  shape_mismatch = 2,    ///< extents that do not fit together
  out_of_range = 3,      ///< an id or index outside its table
  file_not_found = 4,    ///< a file or folder that is not there
  io = 5,                ///< the operating system refused to read or write
  parse = 6,             ///< text that does not follow its grammar (JSON, CoNLL, UTF-8)
  format = 7,            ///< well-formed data whose content contradicts its format
  missing = 8,           ///< something required is absent (a key, a tensor, a file of a folder)
  unsupported = 9,       ///< valid, but outside what this version handles
  cancelled = 12,        ///< another thread asked for the end of a call; nothing here does so yet
  limit_exceeded = 13,   ///< a call would take more than its limits allow; nothing here sets any yet
};

/// Every failure that the library reports, but for std::bad_alloc. `what()` reads
/// `<operation>: <code>: expected <expected>, found <found>`; the parts are kept for programs.
class ONOMA_API error : public std::runtime_error {
 public:
  /// `message` is the whole; the parts are as their functions say.
  error(const std::string& message, error_code code, std::string operation, std::string expected,
        std::string found);
  error(const error&) = default;             ///< as any exception
  error& operator=(const error&) = default;  ///< likewise
  ~error() override;

  /// For programs that react.
  [[nodiscard]] error_code code() const noexcept { return code_; }
  /// What was being done, and where (a file, a line, a tensor).
  [[nodiscard]] const std::string& operation() const noexcept { return operation_; }
  /// Completes "expected ..."; may be empty.
  [[nodiscard]] const std::string& expected() const noexcept { return expected_; }
  /// Completes "found ..."; may be empty.
  [[nodiscard]] const std::string& found() const noexcept { return found_; }

 private:
  error_code code_;
  std::string operation_;
  std::string expected_;
  std::string found_;
};

/// The version of the library that is linked, such as "0.1.0".
[[nodiscard]] ONOMA_API const char* version() noexcept;

/// [begin, end) of a text.
struct range {
  std::int64_t begin = 0;  ///< the first place inside
  std::int64_t end = 0;    ///< the first place behind
};

/// What tagging finds: a name, its type and its place in three units.
struct entity {
  std::string text;        ///< as it stands in the text
  std::string label;       ///< its type, such as "PER"; the whole label with the strategy "none"
  double score = 0.0;      ///< mean probability of its words (or pieces), 0 to 1
  range bytes;             ///< in bytes: text_of_input.substr(bytes.begin, bytes.end - bytes.begin) is `text`
  range code_points;       ///< in Unicode code points (Python)
  range utf16;             ///< in UTF-16 units (JavaScript, Java)
  std::int64_t first = 0;  ///< first word (or, for the token-based strategies, token)
  std::int64_t last = 0;   ///< last word (or token), inclusive
  /// What found it, where rules or gazetteers look too: "model", "rule" or "gazetteer"; else empty.
  std::string source{};
  std::string id{};  ///< the name of the rule or of the gazetteer's entry; may be empty
};

/// The entities of one text, and what happened on the way to them.
struct tagged_text {
  std::vector<entity> entities;     ///< in the order of the text
  std::int64_t windows = 1;         ///< > 1: the text was longer than the model takes
  std::int64_t repairs = 0;         ///< I- tags that continued nothing and opened an entity
  std::int64_t unknown_tokens = 0;  ///< pieces that the vocabulary does not have
  /// The words of raw text by the rules of `model_options::split`; `entity::first` and `last` are places in
  /// them. Empty where the tokenizer's words were labelled, or the text came in words.
  std::vector<range> words;
};

/// A sentence as data: words, and one tag for each ("B-PER", "O"), or none at all.
struct sentence {
  std::vector<std::string> words;  ///< in the order of the text
  std::vector<std::string> tags;   ///< one for each word, or none
};

/// Which columns of a CoNLL file hold words and tags. What is not said is guessed from the file.
struct columns {
  std::optional<std::int64_t> word{};  ///< from 0; negative: from the last (-1)
  std::optional<std::int64_t> tag{};   ///< likewise
};

/// Reads the sentences of a file in CoNLL columns.
/// @throws error (file_not_found, io, parse, format), with the line.
[[nodiscard]] ONOMA_API std::vector<sentence> read_conll(const std::string& path, const columns& which = {});

/// Scores of one type or one average.
struct score {
  double precision = 0.0;      ///< correct of those predicted
  double recall = 0.0;         ///< correct of those that are there
  double f1 = 0.0;             ///< harmonic mean of both
  std::int64_t support = 0;    ///< entities in the gold tags
  std::int64_t predicted = 0;  ///< entities in the predicted tags
  std::int64_t correct = 0;    ///< in both (0 for macro and weighted averages)
};

/// Scores of entities, equal to seqeval's.
struct report {
  std::string mode;                                  ///< "default", or "strict IOB2" and so on
  std::vector<std::pair<std::string, score>> types;  ///< sorted by name
  score micro;                                       ///< over all entities
  score macro;                                       ///< mean over types
  score weighted;                                    ///< mean over types, weighted by support
  double token_accuracy = 0.0;                       ///< of single tags
  std::int64_t tokens = 0;                           ///< tags that were compared
  std::int64_t sentences = 0;                        ///< sentences that were compared
  /// Words of which the tokenizer makes no piece, or whose true tag is not known ("-"): they do not count
  std::int64_t skipped_words = 0;
  std::int64_t misread_tags = 0;   ///< tags with a prefix that is none of B, I, E and S
};

/// How a model is loaded and run.
struct model_options {
  std::int64_t threads = 1;        ///< > 1: the model has a pool of so many threads; 0: one per processor
  std::string strategy = "word";   ///< how pieces become entities: word, none, simple, first, average, max
  /// What finds the words of raw text: "auto" (the rules that training left in the folder, else the
  /// tokenizer), "learned", "general" or "tokenizer" (docs/words.md).
  std::string split = "auto";
  std::int64_t max_length = 0;     ///< tokens per window; 0: as it was trained, or as many as it takes
  std::int64_t stride = 64;        ///< tokens that windows of a long text share
  std::int64_t max_tokens = 2048;  ///< tokens per batch
  std::string packed_cache{};      ///< file for packed weights, so that later starts are faster; empty: none
  std::vector<std::string> rules{};       ///< files of patterns beside the model (docs/rules.md)
  std::vector<std::string> gazetteers{};  ///< files of phrases, as text or compiled
  /// "before", "after", "override" or "only": what becomes of the model's entities where both find something. With
  /// "only" no model is loaded, and the folder may be empty.
  std::string rules_policy = "before";
};

/// A tagger. Movable; one object serves one thread at a time, and `share` makes one more for another thread.
class ONOMA_API model {
 public:
  /// Loads a folder as the Hub publishes it or as `trainer::save` writes it.
  /// @throws error naming what is missing or wrong in which file.
  [[nodiscard]] static model load(const std::string& folder, const model_options& options = {});

  model(model&&) noexcept;             ///< leaves nothing behind but what can be assigned to
  model& operator=(model&&) noexcept;  ///< likewise
  ~model();

  /// Another one over the same weights, with memory and threads of its own. Each may outlive the others.
  [[nodiscard]] model share() const;

  /// The labels that it tells apart, by id.
  [[nodiscard]] std::vector<std::string> labels() const;

  /// Finds the entities of a text. @throws error (parse) if it is not UTF-8.
  [[nodiscard]] tagged_text tag(std::string_view text);

  /// Many texts at once: the same entities as one by one, faster.
  /// @throws error (parse) naming the text that is not UTF-8; then nothing is tagged.
  [[nodiscard]] std::vector<tagged_text> tag_batch(const std::vector<std::string>& texts);

  /// Words that are split already. Offsets count in the words with a space between each two.
  /// @throws error (parse) if a word is not UTF-8.
  [[nodiscard]] tagged_text tag_words(const std::vector<std::string>& words);

  /// Tags the words of annotated sentences and compares. `scheme`: empty for seqeval's default mode, or IOB1,
  /// IOB2, IOE1, IOE2, IOBES or BILOU for its strict mode.
  /// @throws error (shape_mismatch) for a sentence without tags, (invalid_argument) for another scheme.
  [[nodiscard]] report evaluate(const std::vector<sentence>& sentences, const std::string& scheme = {});

 private:
  struct state;
  explicit model(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

/// The recipe of a training run.
struct training_options {
  std::int64_t threads = 1;           ///< 0: one per processor
  std::int64_t epochs = 3;            ///< passes over the training data
  double learning_rate = 1e-4;        ///< the highest of the schedule
  double warmup = 0.1;                ///< part of all steps in which the rate rises
  double weight_decay = 0.01;         ///< not on biases and LayerNorm weights
  double max_grad_norm = 1.0;         ///< 0: no clipping
  std::int64_t accumulation = 1;      ///< batches per optimizer step
  std::int64_t batch_size = 16;       ///< sentences per batch; 0: no limit
  std::int64_t max_tokens = 0;        ///< tokens per batch; 0: no limit
  std::uint64_t seed = 42;            ///< the same seed gives the same model
  std::int64_t max_length = 256;      ///< tokens per example, here and wherever the model is used
  bool label_all_tokens = false;      ///< train on every piece of a word, not on the first alone
  bool recompute = false;             ///< half the memory per token, a tenth slower
  std::int64_t patience = 0;          ///< stop after so many epochs without a better dev F1; 0: never
  std::string checkpoint{};           ///< file of the training state; empty: none is written
  std::int64_t checkpoint_every = 0;  ///< steps between two of them; 0: after each epoch only
};

/// What a run reports while it goes on.
struct training_progress {
  bool is_epoch = false;           ///< the end of an epoch; else of a step
  std::int64_t epoch = 0;          ///< from 1
  std::int64_t epochs = 0;         ///< of the whole run
  std::int64_t step = 0;           ///< optimizer steps so far
  std::int64_t total_steps = 0;    ///< of the whole run
  double loss = 0.0;               ///< mean over this step, or over the epoch
  double learning_rate = 0.0;      ///< of this step; for an epoch: of the next
  double gradient_norm = 0.0;      ///< before clipping
  double tokens_per_second = 0.0;  ///< evaluation left out
  double seconds = 0.0;            ///< likewise
  double seconds_left = 0.0;       ///< of training
  const report* dev = nullptr;     ///< for an epoch with dev sentences; valid during the call
  bool is_best = false;            ///< its score is above those of all epochs before
};

/// What `trainer::run` did.
struct training_result {
  std::int64_t steps = 0;          ///< optimizer steps, those before a resumption included
  std::int64_t best_epoch = 0;     ///< from 1; 0: none was scored
  double best_f1 = 0.0;            ///< of that epoch, on the dev sentences
  bool stopped = false;            ///< the callback asked to stop
  double seconds = 0.0;            ///< of this call, evaluation left out
  double tokens_per_second = 0.0;  ///< likewise
};

/// Fine-tunes an encoder to find entities. Movable; serves one thread at a time.
class ONOMA_API trainer {
 public:
  /// Called after every step and epoch; returning false stops the run after a checkpoint. What it throws ends
  /// the run and reaches who called it.
  using callback = std::function<bool(const training_progress&)>;

  /// Loads the encoder of a folder, with a head for the tags of `train` (a new one where the folder has none
  /// for these). `dev` may be empty; with it the best epoch is kept.
  /// @throws error naming what is wrong in the folder, the sentences or the options.
  trainer(const std::string& encoder, const std::vector<sentence>& train, const std::vector<sentence>& dev,
          const training_options& options = {});
  trainer(trainer&&) noexcept;             ///< leaves nothing behind but what can be assigned to
  trainer& operator=(trainer&&) noexcept;  ///< likewise
  ~trainer();

  /// Optimizer steps of all epochs.
  [[nodiscard]] std::int64_t total_steps() const;
  /// The labels of the training data, by id.
  [[nodiscard]] std::vector<std::string> labels() const;

  /// Goes on from a checkpoint: the run ends as if it had never stopped.
  /// @throws error (file_not_found, io, format, parse), (invalid_argument) for the state of another run.
  void resume(const std::string& checkpoint);

  /// Runs what is left. With dev sentences the model ends with the weights of its best epoch, unless the
  /// callback stops the run: then with those of the last step.
  /// @throws error (invalid_argument) for a loss that is not finite, (io) for a checkpoint.
  training_result run(const callback& progress = {});

  /// Gives the model the weights of the best epoch so far. False if no epoch was scored.
  bool use_best();

  /// Scores the model as it is now. As `model::evaluate`.
  [[nodiscard]] report evaluate(const std::vector<sentence>& sentences, const std::string& scheme = {});

  /// Writes a folder that `model::load` and transformers load. All or nothing. @throws error (io).
  void save(const std::string& folder) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace onoma::compiled
