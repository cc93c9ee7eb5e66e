/// The tokenizer of a model folder: which file counts, and which options.
#include "unit/text/golden_tokenizers.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/weights.hpp>
#include <onoma/text/load.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace test {
namespace {

/// A piece of a SentencePiece file: field 1, with its text, score and type.
std::string piece(const std::string& text, float score, char type) {
  std::string message = "\x0A";
  message += static_cast<char>(text.size());
  message += text + '\x15';
  char bytes[4];
  std::memcpy(bytes, &score, 4);
  message.append(bytes, 4);
  message += '\x18';
  message += type;
  return std::string("\x0A") + static_cast<char>(message.size()) + message;
}

/// A folder that lives as long as this.
struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "onoma_load_test";
  folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~folder() { std::filesystem::remove_all(path); }
  void write(const char* name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
  }
};

std::string refusal(const folder& f) {
  try {
    static_cast<void>(onoma::load_tokenizer(f.path));
  } catch (const onoma::error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a SentencePiece file is read by the rules of the folder's family") {
  const folder f;
  CHECK(refusal(f).find("SentencePiece") != std::string::npos);
  f.write("sentencepiece.bpe.model", piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) +
                                         piece("\xE2\x96\x81" "a", -1, 1) + piece("b", -2, 1));
  CHECK(refusal(f).find("model_type") != std::string::npos);
  f.write("config.json", R"({"model_type": "gpt2"})");
  CHECK(refusal(f).find("'gpt2'") != std::string::npos);
  f.write("config.json", R"({"model_type": "xlm-roberta"})");
  CHECK(onoma::load_tokenizer(f.path).encode("ab a").front().ids == std::vector<std::int32_t>{0, 4, 5, 4, 2});
  f.write("tokenizer_config.json", R"({"add_prefix_space": false})");
  CHECK(onoma::load_tokenizer(f.path).encode("b a").front().ids == std::vector<std::int32_t>{0, 5, 3, 2});
  f.write("tokenizer_config.json", R"({"add_prefix_space": 1})");
  CHECK(refusal(f).find("add_prefix_space") != std::string::npos);
}

TEST_CASE("vocab.txt is read with the options of tokenizer_config.json") {
  const folder f;
  f.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\nA\n");
  CHECK(onoma::load_tokenizer(f.path).encode("A").front().ids == std::vector<std::int32_t>{1, 3, 2});
  f.write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null})");
  CHECK(onoma::load_tokenizer(f.path).encode("A").front().ids == std::vector<std::int32_t>{1, 4, 2});
}

// What transformers 5.24 makes of the same folders (AutoTokenizer).
TEST_CASE("tokenizer_config.json counts against a tokenizer.json where transformers obeys it") {
  const folder f;
  const auto bert = [&f](bool lowercase, const char* config, const char* model) {
    const onoma::json file = {
        {"normalizer", {{"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true},
                        {"strip_accents", nullptr}, {"lowercase", lowercase}}},
        {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
        {"model", {{"type", "WordPiece"}, {"unk_token", "?"},
                   {"vocab", {{"?", 0}, {"a", 1}, {"A", 2}, {"e", 3}, {"\xC3\xA9", 4}, {"\xE4\xB8\xAD", 5}}}}}};
    f.write("tokenizer.json", file.dump());
    f.write("tokenizer_config.json", config);
    f.write("config.json", model);
    return onoma::load_tokenizer(f.path).encode("A \xC3\xA9 \xE4\xB8\xAD\xE4\xB8\xAD").front().ids;
  };
  using ids = std::vector<std::int32_t>;
  for (const char* model : {R"({"model_type": "bert"})", R"({"model_type": "distilbert"})",
                            R"({"model_type": "electra"})", R"({"model_type": "mpnet"})",
                            R"({"tokenizer_class": "ElectraTokenizerFast"})"}) {
    CAPTURE(model);
    CHECK(bert(true, "{}", model) == ids{1, 3, 5, 5});
    CHECK(bert(false, "{}", model) == ids{1, 3, 5, 5});
    CHECK(bert(true, R"({"do_lower_case": false})", model) == ids{2, 4, 5, 5});
    CHECK(bert(true, R"({"do_lower_case": false, "strip_accents": true})", model) == ids{2, 3, 5, 5});
    CHECK(bert(true, R"({"tokenize_chinese_chars": false})", model) == ids{1, 3, 0});
  }
  CHECK(bert(true, R"({"do_lower_case": false, "tokenizer_class": "DistilBertTokenizer"})",
             R"({"model_type": "roberta"})") == ids{2, 4, 5, 5});
  CHECK(bert(true, R"({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"})",
             R"({"model_type": "bert"})") == ids{1, 3, 5, 5});
  CHECK(bert(false, "{}", "{}") == ids{2, 4, 5, 5});
  f.write("tokenizer_config.json", R"({"do_lower_case": 1, "tokenizer_class": "BertTokenizer"})");
  CHECK(refusal(f).find("tokenizer_config.json: 'do_lower_case'") != std::string::npos);

  auto file = golden("roberta")["tokenizer"];
  const auto roberta = [&](bool prefix, const char* config, const char* model) {
    file["pre_tokenizer"]["add_prefix_space"] = prefix;
    file["post_processor"]["add_prefix_space"] = prefix;
    f.write("tokenizer.json", file.dump());
    f.write("tokenizer_config.json", config);
    f.write("config.json", model);
    return onoma::load_tokenizer(f.path).encode("Jane Doe").front();
  };
  const char* model = R"({"model_type": "roberta"})";
  for (const bool prefix : {false, true}) {
    CHECK(roberta(prefix, "{}", model).ids == ids{0, 305, 73, 373, 73, 2});
    CHECK(roberta(prefix, R"({"add_prefix_space": true})", model).ids == ids{0, 225, 305, 73, 373, 73, 2});
    CHECK(roberta(prefix, R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": true})", model)
              .ids.size() == (prefix ? 7 : 6));
  }
  CHECK(roberta(false, "{}", model).offsets[3] == onoma::byte_span{5, 7});
  CHECK(roberta(false, R"({"trim_offsets": false})", model).offsets[3] == onoma::byte_span{4, 7});
}

// What transformers 5.24 makes of the same folders (AutoTokenizer).
TEST_CASE("tokens of added_tokens.json stay whole") {
  const folder f;
  using ids = std::vector<std::int32_t>;
  const auto encode = [&f](const char* text) { return onoma::load_tokenizer(f.path).encode(text).front().ids; };
  const char* text = "a[ENT]b [ent] [MASK]";
  f.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\ne\n##n\n##t\nn\n");
  CHECK(encode(text) == ids{2, 5, 1, 7, 8, 9, 1, 6, 1, 7, 8, 9, 1, 4, 3});
  f.write("added_tokens.json", R"({"[ENT]": 11})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 11, 4, 3});
  CHECK(encode("A \xC3\xA4[Ent]") == ids{2, 5, 5, 11, 3});
  CHECK(onoma::load_tokenizer(f.path).vocabulary_size() == 12);
  f.write("tokenizer_config.json", R"({"do_lower_case": false})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 1, 7, 8, 9, 1, 4, 3});
  // A special token is looked for as it stands.
  f.write("tokenizer_config.json", R"({"additional_special_tokens": ["[ENT]"]})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 1, 7, 8, 9, 1, 4, 3});
  f.write("tokenizer_config.json", "{}");
  f.write("special_tokens_map.json", R"({"additional_special_tokens": ["[ENT]"]})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 11, 4, 3});
  f.write("special_tokens_map.json", R"({"extra_special_tokens": ["[ENT]"]})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 1, 7, 8, 9, 1, 4, 3});
  std::filesystem::remove(f.path / "special_tokens_map.json");
  f.write("added_tokens.json", R"({"[ENT]": 12, "[X]": 11, "a": 5})");
  CHECK(encode("[x][ENT] n") == ids{2, 11, 12, 10, 3});
  // transformers would give the ids that follow, and say nothing.
  for (const char* other : {R"({"[ENT]": 220})", R"({"[ENT]": 5})", R"({"a": 50})", R"({"[ENT]": 15, "[X]": 13})",
                            R"({"[ENT]": 11, "[X]": 11})", R"({"[ENT]": "11"})", R"({"[ENT]": -1})", "[]"}) {
    CAPTURE(other);
    f.write("added_tokens.json", other);
    CHECK(refusal(f).find("added_tokens.json") != std::string::npos);
  }
  // added_tokens_decoder counts instead of the file.
  f.write("tokenizer_config.json", R"({"added_tokens_decoder": {
    "4": {"content": "[MASK]", "lstrip": true, "special": true}, "11": {"content": "[ENT]", "special": true}}})");
  CHECK(encode(text) == ids{2, 5, 11, 6, 1, 7, 8, 9, 1, 4, 3});
  CHECK(onoma::load_tokenizer(f.path).encode("a [MASK]").front().offsets[2] == onoma::byte_span{1, 8});
  for (const char* other : {R"({"added_tokens_decoder": {"12": {"content": "[ENT]"}}})",
                            R"({"added_tokens_decoder": {"x": {"content": "[ENT]"}}})",
                            R"({"added_tokens_decoder": {"11": "[ENT]"}})"}) {
    CAPTURE(other);
    f.write("tokenizer_config.json", other);
    CHECK(refusal(f).find("added_tokens_decoder") != std::string::npos);
  }
  std::filesystem::remove(f.path / "tokenizer_config.json");

  // Other formats have their own, which must agree.
  const onoma::json file = {{"model", {{"type", "WordLevel"}, {"vocab", {{"<unk>", 0}, {"a", 1}}}}},
                            {"added_tokens", {{{"id", 2}, {"content", "[ENT]"}}}}};
  f.write("tokenizer.json", file.dump());
  f.write("added_tokens.json", R"({"[ENT]": 2})");
  CHECK(encode("[ENT]") == ids{2});
  f.write("added_tokens.json", R"({"[ENT]": 2, "[X]": 3})");
  CHECK(refusal(f).find("'[X]': 3") != std::string::npos);
  std::filesystem::remove(f.path / "tokenizer.json");
  f.write("merges.txt", "a b\n");
  f.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<s>": 3, "</s>": 4})");
  f.write("added_tokens.json", R"({"<x>": 5})");
  CHECK(encode("ab<x>a") == ids{3, 2, 5, 0, 4});
}

TEST_CASE("errors name the file, and the line where there is one") {
  const folder f;
  const auto begins = [&f](const std::string& message, const char* file, const char* part) {
    CAPTURE(message);
    return message.find((f.path / file).string() + ": " + part) != std::string::npos;
  };
  f.write("vocab.txt", "[UNK]\n[CLS]\na\xFF\n");
  CHECK(begins(refusal(f), "vocab.txt", "line 3: parse error"));
  f.write("vocab.txt", "[CLS]\n[SEP]\n");
  CHECK(begins(refusal(f), "vocab.txt", "wordpiece vocabulary: missing"));
  f.write("vocab.txt", "[UNK]\n[CLS]\n");
  CHECK(begins(refusal(f), "vocab.txt", "tokenizer: missing"));
  f.write("vocab.txt", "");
  CHECK(begins(refusal(f), "vocab.txt", "vocabulary: bad format"));

  f.write("merges.txt", "#version: 0.2\na b\nab c d\n");
  f.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<s>": 3, "</s>": 4})");
  CHECK(begins(refusal(f), "merges.txt", "line 3: bad format"));
  f.write("merges.txt", "a q\n");
  CHECK(begins(refusal(f), "vocab.json", "BPE vocabulary: missing"));
  f.write("vocab.json", "[]");
  CHECK(begins(refusal(f), "vocab.json", "bad format"));

  for (const auto& [text, part] : std::vector<std::pair<const char*, const char*>>{
           {"{}", "model: bad format"},
           {R"({"model": {"type": "WordPiece", "vocab": {"a": "b"}}})", "model.vocab: 'a': bad format"},
           {R"({"model": {"type": "WordPiece", "vocab": {"a": 0}}})", "wordpiece vocabulary: missing"},
           {R"({"model": {"type": "WordLevel", "vocab": {"<unk>": 0}}, "normalizer": {"type": "Odd"}})",
            "normalizer: unsupported"},
           {R"({"model": {"type": "WordLevel", "vocab": {"<unk>": 0}}, "post_processor": {"type": "Odd"}})",
            "post_processor: unsupported"},
           {R"({"model": {"type": "WordLevel", "vocab": {"<unk>": 0}}, "added_tokens": 1})",
            "added_tokens: bad format"}}) {
    f.write("tokenizer.json", text);
    CHECK(begins(refusal(f), "tokenizer.json", part));
  }
  std::filesystem::remove(f.path / "tokenizer.json");
  f.write("config.json", R"({"model_type": "xlm-roberta"})");
  f.write("spiece.model", piece("<unk>", 0, 2) + piece("a", 0, 3) + std::string("\x12\x02\x18\x02"));
  CHECK(begins(refusal(f), "spiece.model", "SentencePiece model: unsupported"));
}

TEST_CASE("a name that the system refuses is an error of the library") {
  const std::filesystem::path folder(std::string(300, 'x'));
  CHECK_THROWS_AS(static_cast<void>(onoma::load_tokenizer(folder)), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::model_weights::open(folder)), onoma::error);
}

}  // namespace test
