/// A tokenizer: text or words in, ids with offsets and word ids out, equal to Hugging Face's.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/files/in_file.hpp>
#include <onoma/text/found_tokens.hpp>
#include <onoma/text/pieces/vocabulary.hpp>
#include <onoma/text/pieces/word_cache.hpp>
#include <onoma/text/steps/added_tokens.hpp>
#include <onoma/text/tokenizer_settings.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Immutable, and cheap to copy: copies share what was loaded. One tokenizer serves many threads,
/// each with a workspace of its own.
class tokenizer {
  struct parts;

 public:
  using settings = tokenizer_settings;                     ///< what a tokenizer is made from
  using wordpiece_settings = settings::wordpiece_chain;    ///< BERT's chain
  using byte_level_settings = settings::byte_level_chain;  ///< RoBERTa's chain
  using general_settings = settings::general_chain;        ///< any other chain
  using trimming = settings::trimming;                     ///< what offsets leave out

  /// Memory and a word cache (256 KiB) for one thread's calls. Whoever encodes line after line
  /// keeps one: results are the same without, and take longer.
  class workspace {
   public:
    /// For one thread. The tokenizer must outlive it.
    explicit workspace(const tokenizer& owner) : workspace(owner, cache_bits) {}

   private:
    friend class tokenizer;
    static constexpr unsigned cache_bits = 12;

    workspace(const tokenizer& owner, unsigned bits) : owner_(owner.parts_), cache_(bits) {}
    void clear() {
      found_.clear();
      word_count_ = 0;
      sink_ = nullptr;
      most_tokens_ = SIZE_MAX;
      std::get<general_words::buffers>(words_).begin_text();
    }

    // The cache belongs to this vocabulary. Shared, so that its address is not used again.
    std::shared_ptr<const parts> owner_;
    word_cache cache_;
    std::tuple<bert_words::buffers, byte_level_words::buffers, general_words::buffers> words_;
    std::vector<placed_piece> pieces_;
    found_tokens found_;
    std::int32_t word_count_ = 0;
    window_sink* sink_ = nullptr;
    std::size_t most_tokens_ = SIZE_MAX;  // so many, and windows are made of them
  };

  /// `pieces[id]` is the vocabulary. @throws onoma::error (missing) if it lacks the unknown piece or
  /// a special one; as `vocabulary`.
  tokenizer(const std::vector<std::string>& pieces, settings options)
      : parts_(std::make_shared<const parts>(pieces, std::move(options))) {}

  /// From the content of a vocab.txt. The five special tokens of BERT are recognised in text where
  /// the vocabulary has them, and so are those of `more`.
  /// @throws onoma::error (format, parse, missing) with the file's `name`.
  [[nodiscard]] static tokenizer from_vocab(std::string_view vocab_txt,
                                            const bert_options& options = {},
                                            std::string_view name = "vocab.txt",
                                            const std::vector<added_token>& more = {}) {
    const auto pieces = read_vocab_txt(vocab_txt, name);
    settings s;
    for (const char* content : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      // The last of equal lines gives the id.
      const auto line = std::find(pieces.rbegin(), pieces.rend(), content);
      if (line == pieces.rend()) continue;
      s.added.push_back({content, static_cast<std::int32_t>(pieces.rend() - line - 1)});
    }
    merge_added(s.added, more);
    s.kind = bert_chain(options, {}, s.added);
    return in_file(name, [&] { return tokenizer(pieces, std::move(s)); });
  }

  /// Encodes text; offsets are bytes of `text`, word ids count the words of the
  /// pre-tokenizer.
  /// At least one window is returned; empty text gives the special tokens alone.
  /// @throws onoma::error (parse: not UTF-8; invalid_argument: a limit that leaves no room;
  /// out_of_range: 2 GiB or more).
  [[nodiscard]] std::vector<encoding> encode(std::string_view text,
                                             const encode_options& options = {}) const {
    workspace work(*this, 0);
    return encode(text, options, work);
  }
  /// With memory of the caller's.
  [[nodiscard]] std::vector<encoding> encode(std::string_view text, const encode_options& options,
                                             workspace& work) const {
    std::vector<encoding> windows;
    encode(text, options, work, windows);
    return windows;
  }
  /// The same into `windows`, whose memory is used again.
  void encode(std::string_view text, const encode_options& options, workspace& work,
              std::vector<encoding>& windows) const {
    check(work);
    check_text(text, "tokenizer::encode");
    work.clear();
    work.found_.text = text;
    add_text(text, -1, work);
    make_windows(work, options, windows);
  }

  /// Encodes words that are split already (`is_split_into_words`): offsets are bytes of the word,
  /// word ids are positions in `words`. A word may give no token (white space only).
  ///
  /// Where pieces hold the space before their word (ByteLevel) and `add_prefix_space` is false, as in
  /// roberta-base, every word but the first is encoded as if a space stood before it, unless it begins
  /// with one or with an added token: pieces are those of the words joined by single spaces. Offsets do
  /// not count that space. Hugging Face's are then the pieces of a word that begins a text, and
  /// transformers asks for add_prefix_space=True instead (RobertaTokenizer's documentation; run_ner.py).
  /// @throws onoma::error as `encode`.
  [[nodiscard]] std::vector<encoding> encode_words(std::span<const std::string> words,
                                                   const encode_options& options = {}) const {
    workspace work(*this, 0);
    return encode_words(words, options, work);
  }
  /// With memory of the caller's.
  [[nodiscard]] std::vector<encoding> encode_words(std::span<const std::string> words,
                                                   const encode_options& options,
                                                   workspace& work) const {
    std::vector<encoding> windows;
    check(work);
    work.clear();
    work.found_.words = words;
    for (std::size_t i = 0; i < words.size(); ++i) {
      check_text(words[i], "tokenizer::encode_words", static_cast<index_t>(i));
      add_text(words[i], static_cast<std::int32_t>(i), work);
    }
    make_windows(work, options, windows);
    return windows;
  }

  /// Whether texts, or words that are given, are gone through part by part, with the windows of the whole: not where
  /// steps rewrite a text as a whole.
  [[nodiscard]] bool reads_in_parts(bool given_words) const noexcept {
    const bool rewrites = std::holds_alternative<word_model<general_words, any_pieces>>(parts_->kind);
    return !rewrites || (given_words && !parts_->trim);
  }
  /// The windows of `encode`, one after another: `take` gets each as soon as its tokens are there, so that memory
  /// does not grow with the text where `reads_in_parts`. `drop_blank`: as after `drop_blank_words`. `take` may move
  /// from the window.
  /// @throws onoma::error as `encode`; (invalid_argument) without a limit; what `take` throws.
  void encode_parts(std::string_view text, const encode_options& options, bool drop_blank, workspace& work,
                    function_ref<void(encoding&)> take) const {
    check(work);
    check_text(text, "tokenizer::encode");
    work.clear();
    work.found_.text = text;
    window_sink sink{options, drop_blank, take};
    begin_parts(sink, work);
    add_text(text, -1, work);
    make_parts(work, true);
  }
  /// Likewise of `encode_words`, for the words that stand in these places of a text. Offsets are bytes of the word.
  void encode_word_parts(std::string_view text, std::span<const byte_span> places, const encode_options& options,
                         bool drop_blank, workspace& work, function_ref<void(encoding&)> take) const {
    check(work);
    check_text(text, "tokenizer::encode_words");
    work.clear();
    work.found_.text = text;
    work.found_.places = places;
    window_sink sink{options, drop_blank, take};
    begin_parts(sink, work);
    for (std::size_t i = 0; i < places.size(); ++i) {
      add_text(part(text, places[i]), static_cast<std::int32_t>(i), work);
      if (work.found_.tokens.size() >= work.most_tokens_) make_parts(work, false);
    }
    make_parts(work, true);
  }

  /// V, with added tokens.
  [[nodiscard]] index_t vocabulary_size() const noexcept { return parts_->size; }
  /// The text of a piece, "##" included. @throws onoma::error (out_of_range).
  [[nodiscard]] std::string_view piece(std::int32_t id) const {
    // Added tokens usually repeat pieces of the vocabulary, and may fill its gaps.
    const bool inside = id >= 0 && id < parts_->pieces.size();
    if (inside && !parts_->pieces.piece(id).empty()) return parts_->pieces.piece(id);
    if (const auto* token = parts_->added_by_id(id)) return token->content;
    return parts_->pieces.piece(id);
  }
  /// The id of a piece, if there is one.
  [[nodiscard]] std::optional<std::int32_t> id(std::string_view piece) const {
    return parts_->id(piece);
  }
  /// The id of the unknown piece, or -1 if there is none.
  [[nodiscard]] std::int32_t unknown_id() const noexcept {
    return std::visit([](const auto& kind) { return unknown_of(kind.model); }, parts_->kind);
  }
  /// Whether its words are what stands between spaces, with punctuation, and whole clauses where a script
  /// has no spaces (a Unigram model, or Metaspace). `assign_words` knows better ones.
  [[nodiscard]] bool has_space_words() const noexcept { return parts_->has_space_words; }
  /// Whether a prefix such as "##" marks the pieces that continue a word (WordPiece, BPE with a prefix): the
  /// model's continuing_subword_prefix in tokenizer.json is there and not empty.
  [[nodiscard]] bool has_continuing_prefix() const noexcept { return parts_->has_continuing_prefix; }
  /// What is odd about the files that it was made of, for people: a sentence each.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return parts_->remarks; }
  /// This tokenizer for a model with `rows` word embeddings: pieces behind them, of which there may be some,
  /// must not occur then. Encoding refuses texts that give one, by its name. It shares its vocabulary and its
  /// workspaces with this one.
  [[nodiscard]] tokenizer for_table(index_t rows) const {
    tokenizer limited = *this;
    limited.limit_ = rows;
    return limited;
  }
  /// Special tokens around every window.
  [[nodiscard]] index_t special_tokens() const noexcept {
    return static_cast<index_t>(parts_->before.size() + parts_->after.size());
  }

 private:
  /// How text becomes words, and words pieces.
  template <class Words, class Model>
  struct word_model {
    Words words;
    Model model;
  };
  /// The two that most models have are compiled as one loop. Behind a chain of steps, whose words take longer,
  /// the model is chosen word by word: a loop for each would be compiled five times over.
  using any_pieces = std::variant<wordpiece, bpe, character_bpe, word_level, unigram>;
  using any_model = std::variant<word_model<bert_words, wordpiece>, word_model<byte_level_words, bpe>,
                                 word_model<general_words, any_pieces>>;

  template <class Model>
  [[nodiscard]] static std::int32_t unknown_of(const Model& model) {
    if constexpr (std::is_same_v<Model, any_pieces>) {
      return std::visit([](const auto& chosen) { return chosen.unknown(); }, model);
    } else {
      return model.unknown();
    }
  }

  struct parts {
    parts(const std::vector<std::string>& vocab, settings options)
        : pieces(vocab),
          added(options.find_added(false)),
          added_normalized(options.find_added(true)),
          kind(make_model(pieces, options)),
          trim(options.trim),
          has_space_words(options.cuts_at_spaces()),
          has_continuing_prefix(options.marks_continuations()),
          spaces_words(options.has_unspaced_words()),
          remarks(std::move(options.remarks)),
          size(pieces.size()) {
      for (const auto* tokens : {&added, &added_normalized}) {
        for (const auto& token : tokens->list()) size = std::max(size, index_t{token.id} + 1);
      }
      for (const auto& piece : options.before) before.push_back(special_id(piece));
      for (const auto& piece : options.after) after.push_back(special_id(piece));
      if (trim) count_spaces();
    }
    [[nodiscard]] static any_model make_model(const vocabulary& pieces, const settings& options) {
      if (const auto* chosen = std::get_if<wordpiece_settings>(&options.kind)) {
        return word_model<bert_words, wordpiece>{bert_words(chosen->normalizer),
                                                 wordpiece(pieces, chosen->model)};
      }
      if (const auto* chosen = std::get_if<byte_level_settings>(&options.kind)) {
        return word_model<byte_level_words, bpe>{byte_level_words(chosen->words),
                                                 bpe(pieces, chosen->model)};
      }
      const auto& chosen = std::get<general_settings>(options.kind);
      struct {
        const vocabulary& pieces;
        any_pieces operator()(const wordpiece::options& o) const { return wordpiece(pieces, o); }
        any_pieces operator()(const bpe::options& o) const { return bpe(pieces, o); }
        any_pieces operator()(const character_bpe::options& o) const { return character_bpe(pieces, o); }
        any_pieces operator()(const word_level::options& o) const { return word_level(pieces, o); }
        any_pieces operator()(const unigram::options& o) const { return unigram(pieces, o); }
      } const make{pieces};
      return word_model<general_words, any_pieces>{
          general_words(chosen.normalizers, chosen.pre_tokenizers), std::visit(make, chosen.model)};
    }

    [[nodiscard]] const added_token* added_by_id(std::int32_t id) const {
      for (const auto* tokens : {&added, &added_normalized}) {
        for (const auto& token : tokens->list()) {
          if (token.id == id) return &token;
        }
      }
      return nullptr;
    }
    [[nodiscard]] std::optional<std::int32_t> id(std::string_view piece) const {
      const auto* token = added.find(piece);
      if (token == nullptr) token = added_normalized.find(piece);
      return token != nullptr ? std::optional(token->id) : pieces.id(piece);
    }
    [[nodiscard]] std::int32_t special_id(const std::string& piece) const {
      const auto found = id(piece);
      if (!found) {
        fail(error_code::missing, "tokenizer", "the piece '" + piece + "' in the vocabulary",
             "no such piece");
      }
      return *found;
    }
    void count_spaces() {
      spaces.resize(static_cast<std::size_t>(pieces.size()));  // of added tokens the text decides
      for (std::int32_t i = 0; i < pieces.size(); ++i) {
        spaces[static_cast<std::size_t>(i)] = spaces_of(pieces.piece(i));
      }
    }

    vocabulary pieces;
    added_tokens added;
    added_tokens added_normalized;
    any_model kind;
    std::optional<trimming> trim;
    bool has_space_words;
    bool has_continuing_prefix;
    bool spaces_words;  // pre-split ones but the first get a space in front
    std::vector<std::string> remarks;
    std::vector<outer_spaces> spaces;  // of each piece, where offsets are trimmed
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> after;
    index_t size;
  };

  void check(const workspace& work) const {
    if (work.owner_ != parts_) {
      fail(error_code::invalid_argument, "tokenizer", "a workspace of this tokenizer",
           "one of another");
    }
  }
  /// `word` is the number of a pre-split word, for the message, or -1.
  static void check_text(std::string_view text, const char* operation, index_t word = -1) {
    const auto name = [&] {
      return std::string(operation) + (word < 0 ? "" : ": word " + std::to_string(word));
    };
    if (text.size() > INT32_MAX) {
      fail(error_code::out_of_range, name(), "less than 2 GiB", std::to_string(text.size()));
    }
    if (find_invalid_utf8(text) >= 0) validate_utf8(text, name());
  }

  [[nodiscard]] static std::string_view part(std::string_view whole, byte_span range) {
    return whole.substr(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
  }

  /// `word` is the number of a pre-split word, or -1 to count the words that are found.
  void add_text(std::string_view text, std::int32_t word, workspace& work) const {
    const bool spaced = word > 0 && parts_->spaces_words;
    std::visit(
        [&](const auto& kind) {
          parts_->added.split(
              text,
              [&](byte_span outer) {
                add_stretch(kind, part(text, outer), outer.begin, spaced && outer.begin == 0, word, work);
              },
              [&](const added_token& token, byte_span range) {
                add_token(token, part(text, range), range, word, work);
              });
        },
        parts_->kind);
  }

  /// Whether a part of a stretch gets a space in front: `spaced` ones do at their begin, like those of
  /// ByteLevel if there is none (tokenizers, pre_tokenizers/byte_level.rs).
  [[nodiscard]] bool adds_space(bool spaced, std::string_view stretch, byte_span range,
                                workspace& work) const {
    if (!spaced || range.begin != 0 || stretch.front() == ' ') return false;
    if (parts_->trim) work.found_.spaced.push_back(work.found_.tokens.size());
    return true;
  }

  /// A stretch without added tokens, but for those that are looked for in normalised text. `spaced`: it
  /// begins a word that a space stands before.
  template <class Words, class Model>
  void add_stretch(const word_model<Words, Model>& kind, std::string_view stretch, index_t base,
                   bool spaced, std::int32_t word, workspace& work) const {
    auto& buffers = std::get<typename Words::buffers>(work.words_);
    const auto sink = [&](const word_view& found) {
      add_word(kind.model, found, word >= 0 ? word : work.word_count_++, work);
      if (work.found_.tokens.size() >= work.most_tokens_ && word < 0) make_parts(work, false);
    };
    if constexpr (std::is_same_v<Words, general_words>) {
      kind.words.normalize(stretch, base, buffers);
      const std::string_view text = buffers.text.bytes;
      parts_->added_normalized.split(
          text,
          [&](byte_span range) {
            kind.words.split({static_cast<std::uint32_t>(range.begin),
                              static_cast<std::uint32_t>(range.end)},
                             adds_space(spaced, text, range, work), buffers, sink);
          },
          [&](const added_token& token, byte_span range) {
            const auto& origin = buffers.text.origin;
            add_token(token, part(text, range),
                      {origin[static_cast<std::size_t>(range.begin)].begin,
                       origin[static_cast<std::size_t>(range.end - 1)].end}, word, work);
          });
    } else {
      parts_->added_normalized.split(
          stretch,
          [&](byte_span range) {
            const auto words = part(stretch, range);
            if constexpr (std::is_same_v<Words, byte_level_words>) {
              kind.words.split(words, base + range.begin, adds_space(spaced, stretch, range, work),
                               buffers, sink);
            } else {
              kind.words.split(words, base + range.begin, buffers, sink);
            }
          },
          [&](const added_token& token, byte_span range) {
            add_token(token, part(stretch, range), {base + range.begin, base + range.end}, word, work);
          });
    }
  }

  /// `text` is what was found, white space that the token took included.
  void add_token(const added_token& token, std::string_view text, byte_span offset,
                 std::int32_t word, workspace& work) const {
    if (parts_->trim) work.found_.added_spaces.emplace_back(work.found_.tokens.size(), spaces_of(text));
    work.found_.tokens.push_back({token.id, word >= 0 ? word : work.word_count_++, offset});
  }

  static void add_word(const any_pieces& model, const word_view& found, std::int32_t word,
                       workspace& work) {
    std::visit([&](const auto& chosen) { add_word(chosen, found, word, work); }, model);
  }
  template <class Model>
  static void add_word(const Model& model, const word_view& found, std::int32_t word,
                       workspace& work) {
    const auto key = piece_key::of_padded(found.data, found.size);
    if (key.is_whole()) {
      if (const auto id = model.whole(key); id >= 0) {
        work.found_.tokens.push_back({id, word, found.span(0, found.size)});
        return;
      }
      if (const auto* known = work.cache_.find(key)) {
        for (std::size_t i = 0; i < known->count; ++i) {
          work.found_.tokens.push_back({known->ids[i], word, found.span(known->begins[i], known->ends[i])});
        }
        return;
      }
    }
    work.pieces_.clear();
    model.split(found, work.pieces_);
    if (key.is_whole()) work.cache_.store(key, work.pieces_);
    for (const auto& piece : work.pieces_) {
      work.found_.tokens.push_back({piece.id, word, found.span(piece.begin, piece.end)});
    }
  }

  /// Windows as Hugging Face's `truncate` with overflow makes them: each begins max - stride tokens
  /// after the one before, the last ends with the text (tokenizers, tokenizer/encoding.rs).
  void make_windows(const workspace& work, const encode_options& options,
                    std::vector<encoding>& windows) const {
    const auto total = static_cast<index_t>(work.found_.tokens.size());
    const index_t room = options.max_length > 0 ? room_of(options) : total;
    std::size_t count = 0;
    index_t begin = 0;
    do {
      const index_t end = std::min(begin + room, total);
      if (count == windows.size()) windows.emplace_back();
      const auto tokens = std::span(work.found_.tokens).subspan(static_cast<std::size_t>(begin),
                                                          static_cast<std::size_t>(end - begin));
      fill_window(windows[count++], tokens, options.add_special_tokens, work);
      if (end == total) break;
      begin += room - options.stride;
    } while (true);
    windows.resize(count);
  }

  /// Tokens of a text in a window. @throws onoma::error (invalid_argument).
  [[nodiscard]] index_t room_of(const encode_options& options) const {
    const index_t special = options.add_special_tokens ? special_tokens() : 0;
    const index_t room = options.max_length - special;
    if (room < 1 || options.stride < 0 || options.stride >= room) {
      fail(error_code::invalid_argument, "tokenizer: window",
           "max_length > stride + " + std::to_string(special) + " special tokens",
           "max_length " + std::to_string(options.max_length) + ", stride " + std::to_string(options.stride));
    }
    return room;
  }

  void begin_parts(window_sink& sink, workspace& work) const {
    work.sink_ = &sink;
    // Many windows at a time: tokens that windows share are moved to the front each time.
    work.most_tokens_ = static_cast<std::size_t>(2 * room_of(sink.options)) + 8192;
  }
  /// Windows of the tokens that are there, which end with a word. `last`: they end with the text.
  void make_parts(workspace& work, bool last) const {
    auto& sink = *work.sink_;
    if (sink.drop_blank) work.found_.mark_blank_words(sink.whole);
    const auto total = static_cast<index_t>(work.found_.tokens.size());
    const index_t room = room_of(sink.options);
    index_t begin = 0;
    while (last || begin + room < total) {
      const index_t end = std::min(begin + room, total);
      const auto tokens = std::span(work.found_.tokens).subspan(static_cast<std::size_t>(begin),
                                                          static_cast<std::size_t>(end - begin));
      fill_window(sink.window, tokens, sink.options.add_special_tokens, work);
      sink.take(sink.window);
      if (end == total) return;
      begin += room - sink.options.stride;
    }
    work.found_.forget(static_cast<std::size_t>(begin));
    sink.whole = work.found_.tokens.size();
  }
  void fill_window(encoding& e, std::span<const found_tokens::token> tokens, bool special,
                   const workspace& work) const {
    const std::size_t before = special ? parts_->before.size() : 0;
    const std::size_t after = special ? parts_->after.size() : 0;
    const std::size_t size = before + tokens.size() + after;
    e.ids.resize(size);
    e.word_ids.resize(size);
    e.offsets.resize(size);
    e.special.assign(size, 0);
    e.type_ids.assign(size, 0);
    const auto set_special = [&e](std::size_t at, std::int32_t id) {
      e.ids[at] = id;
      e.word_ids[at] = -1;
      e.offsets[at] = {0, 0};
      e.special[at] = 1;
    };
    for (std::size_t i = 0; i < before; ++i) set_special(i, parts_->before[i]);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      e.ids[before + i] = tokens[i].id;
      e.word_ids[before + i] = std::max(-1, tokens[i].word);
      e.offsets[before + i] = tokens[i].offset;
    }
    if (parts_->trim) trim(e, before, tokens, work);
    for (std::size_t i = 0; i < after; ++i) {
      set_special(before + tokens.size() + i, parts_->after[i]);
    }
    if (parts_->size > limit_) check_ids(e.ids);
  }
  void check_ids(std::span<const std::int32_t> ids) const {
    const auto found = std::find_if(ids.begin(), ids.end(), [this](std::int32_t id) { return id >= limit_; });
    if (found == ids.end()) return;
    fail(error_code::out_of_range, "tokenizer",
         "pieces of the model's table, which has " + std::to_string(limit_) + " rows",
         "the piece '" + std::string(piece(*found)) + "' with the id " + std::to_string(*found));
  }

  /// Offsets without outer white space (tokenizers, pre_tokenizers/byte_level.rs, process_offsets).
  void trim(encoding& e, std::size_t before, std::span<const found_tokens::token> tokens,
            const workspace& work) const {
    auto place = static_cast<std::size_t>(tokens.data() - work.found_.tokens.data());
    auto added = std::lower_bound(
        work.found_.added_spaces.begin(), work.found_.added_spaces.end(), place,
        [](const auto& entry, std::size_t value) { return entry.first < value; });
    auto spaced = std::lower_bound(work.found_.spaced.begin(), work.found_.spaced.end(), place);
    for (std::size_t i = 0; i < tokens.size(); ++i, ++place) {
      outer_spaces spaces;
      if (added != work.found_.added_spaces.end() && added->first == place) {
        spaces = (added++)->second;
      } else {
        spaces = parts_->spaces[static_cast<std::size_t>(tokens[i].id)];
        while (spaced != work.found_.spaced.end() && *spaced < place) ++spaced;
        if (spaced != work.found_.spaced.end() && *spaced == place && spaces.leading > 0) --spaces.leading;
      }
      if (spaces.leading == 0 && spaces.trailing == 0) continue;
      const std::string_view text = work.found_.text_of(tokens[i]);
      auto& offset = e.offsets[before + i];
      const bool first = i == 0 || offset.begin == 0;
      if (first && parts_->trim->keep_prefix_space && spaces.leading == 1) spaces.leading = 0;
      offset = without_spaces(text, offset, spaces);
    }
  }

  std::shared_ptr<const parts> parts_;
  index_t limit_ = INT32_MAX;  // ids below it may occur
};

}  // namespace onoma::inline ONOMA_ABI
