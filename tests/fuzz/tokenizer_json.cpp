/// A libFuzzer target for tokenizer.json: hostile files are refused, or make tokenizers that encode hostile texts.
///
/// Built and run by tests/fuzz/CMakeLists.txt.
/// An input that begins with '{' is a file. Of another the bytes choose components, fields and a text, so
/// that most inputs load. Seeds are the tokenizers of tests/golden/data/tokenizers.
#include <onoma/io/json.hpp>
#include <onoma/text/files/tokenizer_json.hpp>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace {

using onoma::json;

/// Choices read from the input; zeros when it is at its end.
class choices {
 public:
  explicit choices(std::string_view bytes) : bytes_(bytes) {}

  std::size_t below(std::size_t n) {
    const std::size_t byte = bytes_.empty() ? 0 : static_cast<unsigned char>(bytes_.front());
    if (!bytes_.empty()) bytes_.remove_prefix(1);
    return byte % n;
  }
  bool flip() { return below(2) == 1; }
  std::string one(std::initializer_list<const char*> names) { return *(names.begin() + below(names.size())); }
  /// Valid UTF-8 of up to `longest` bytes of the input.
  std::string text(std::size_t longest) {
    const auto part = bytes_.substr(0, longest > 16 ? longest : below(longest + 1));
    bytes_.remove_prefix(part.size());
    std::string valid;
    for (onoma::index_t i = 0; i < static_cast<onoma::index_t>(part.size());) {
      const auto c = onoma::decode_utf8(part, i);
      const auto byte = static_cast<unsigned char>(part[static_cast<std::size_t>(i)]);
      onoma::append_utf8(valid, c.length > 0 ? c.code_point : 0x100U + byte);
      i += c.length > 0 ? c.length : 1;
    }
    return valid;
  }
  std::string character() {
    const auto found = text(4);
    return found.empty() ? "_" : found.substr(0, static_cast<std::size_t>(onoma::decode_utf8(found, 0).length));
  }

 private:
  std::string_view bytes_;
};

json pattern(choices& c) {
  if (c.flip()) return {{"String", c.text(6)}};
  if (c.flip()) {
    return {{"Regex", c.one({"\\s+", "\\b", "a*", "\\p{L}+|\\p{N}", "(?=a)", "^|$", "[^\\s\\w]", "(a|b)+c?"})}};
  }
  return {{"Regex", c.text(12)}};
}
std::string behavior(choices& c) {
  return c.one({"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"});
}

json normalizer(choices& c) {
  const auto type = c.one({"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip",
                           "Replace", "Prepend", "Nmt", "ByteLevel", "Precompiled"});
  json part = {{"type", type}};
  if (type == "BertNormalizer") {
    part["clean_text"] = c.flip();
    part["handle_chinese_chars"] = c.flip();
    part["strip_accents"] = c.flip();
    part["lowercase"] = c.flip();
  } else if (type == "Strip") {
    part["strip_left"] = c.flip();
    part["strip_right"] = c.flip();
  } else if (type == "Replace") {
    part["pattern"] = pattern(c);
    part["content"] = c.text(8);
  } else if (type == "Precompiled") {
    // 32 bytes of a trie, from the input, then the texts "" and "a".
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string group = "IAAAAA";
    while (group.size() < 48) group += digits[c.below(64)];
    group += "AGEA";
    part["precompiled_charsmap"] = group;
  } else if (type == "Prepend") {
    part["prepend"] = c.text(5);
  }
  return part;
}

json pre_tokenizer(choices& c) {
  const auto type = c.one({"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "ByteLevel", "Metaspace", "Punctuation",
                           "Digits", "Split", "CharDelimiterSplit", "FixedLength"});
  json part = {{"type", type}};
  if (type == "ByteLevel") {
    part["add_prefix_space"] = c.flip();
    part["use_regex"] = c.flip();
  } else if (type == "Metaspace") {
    part["replacement"] = c.character();
    part["prepend_scheme"] = c.one({"always", "first", "never"});
    part["split"] = c.flip();
  } else if (type == "Punctuation") {
    part["behavior"] = behavior(c);
  } else if (type == "Digits") {
    part["individual_digits"] = c.flip();
  } else if (type == "Split") {
    part["pattern"] = pattern(c);
    part["behavior"] = behavior(c);
    part["invert"] = c.flip();
  } else if (type == "CharDelimiterSplit") {
    part["delimiter"] = c.character();
  } else if (type == "FixedLength") {
    part["length"] = c.below(6);
  }
  return part;
}

json model(choices& c) {
  const auto type = c.one({"WordPiece", "BPE", "WordLevel", "Unigram"});
  std::vector<std::string> pieces = {
      "<unk>", "a", "b", "ab", "\xC4\xA0", "\xC4\xA0" "a", "\xC3\x83", "\xC2\xA9", "##a", "##b", "a</w>",
      "\xE2\x96\x81", "\xE2\x96\x81" "a", "\xC3\xA9", "<0x41>", "<0xC3>", "<0xA9>"};
  for (std::size_t i = c.below(4); i > 0; --i) pieces.push_back(c.text(5));
  if (type == "Unigram") {
    json list = json::array();
    for (const auto& piece : pieces) list.push_back({piece, -static_cast<double>(c.below(9))});
    return {{"type", type}, {"vocab", list}, {"unk_id", c.below(3)}, {"byte_fallback", c.flip()}};
  }
  json vocab = json::object();
  for (const auto& piece : pieces) vocab.emplace(piece, vocab.size() + (c.below(16) == 15 ? 1 : 0));
  json made = {{"type", type}, {"vocab", vocab}, {"unk_token", "<unk>"}};
  if (type == "WordPiece") {
    made["continuing_subword_prefix"] = c.one({"##", "", "a"});
    made["max_input_chars_per_word"] = c.below(8);
  } else if (type == "BPE") {
    if (c.flip()) made["unk_token"] = nullptr;
    made["fuse_unk"] = c.flip();
    made["byte_fallback"] = c.flip();
    made["ignore_merges"] = c.flip();
    if (c.flip()) made["continuing_subword_prefix"] = "##";
    if (c.flip()) made["end_of_word_suffix"] = "</w>";
    made["merges"] = json::array();
    for (const auto* pair : {"a b", "\xC4\xA0 a", "\xE2\x96\x81 a", "a ##b"}) {
      if (c.flip()) made["merges"].push_back(pair);
    }
  }
  return made;
}

template <class Part>
json sequence(choices& c, const char* list, const Part& part) {
  auto parts = json::array();
  for (std::size_t i = c.below(4); i > 0; --i) parts.push_back(part(c));
  return {{"type", "Sequence"}, {list, parts}};
}

json file_of(choices& c) {
  json root = {{"normalizer", sequence(c, "normalizers", normalizer)},
               {"pre_tokenizer", sequence(c, "pretokenizers", pre_tokenizer)},
               {"model", model(c)}};
  root["added_tokens"] = json::array();
  for (int i = 0; i < 2; ++i) {
    root["added_tokens"].push_back({{"content", c.text(4)}, {"id", c.below(32)}, {"single_word", c.flip()},
                                    {"lstrip", c.flip()}, {"rstrip", c.flip()}, {"normalized", c.flip()}});
  }
  if (c.flip()) {
    root["post_processor"] = {{"type", "ByteLevel"}, {"trim_offsets", true}, {"add_prefix_space", c.flip()}};
  }
  return root;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void encode(const onoma::tokenizer& tokenizer, const std::string& text) {
  onoma::tokenizer::workspace work(tokenizer);
  const auto size = static_cast<onoma::index_t>(text.size());
  const auto first = tokenizer.encode(text, {}, work);
  for (const auto& window : first) {
    for (const auto& offset : window.offsets) {
      require(0 <= offset.begin && offset.begin <= offset.end && offset.end <= size);
    }
    for (const auto id : window.ids) require(0 <= id && id < tokenizer.vocabulary_size());
  }
  // The word cache changes nothing.
  const auto again = tokenizer.encode(text, {}, work);
  require(again.front().ids == first.front().ids && again.front().offsets == first.front().offsets);
  static_cast<void>(tokenizer.encode(text, {.max_length = 8, .stride = 2}, work));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  choices c(input);
  try {
    const std::string file = input.substr(0, 1) == "{" ? std::string(input) : file_of(c).dump();
    const auto tokenizer = onoma::tokenizer_from_json(file);
    const std::string fixed = "a ab\xC3\xA9  <unk>\xCC\x81\xCC\xA3 1a. \xE4\xB8\xAD\n";
    for (const std::string& text : {c.text(200), fixed}) {
      try {
        encode(tokenizer, text);
      } catch (const onoma::error&) {
        // grew too much, or its pattern took too long: said so
      }
    }
  } catch (const onoma::error&) {
    // refused: good
  }
  return 0;
}
