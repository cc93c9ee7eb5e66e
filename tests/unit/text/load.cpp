/// The tokenizer of a model folder: which file counts, and which options.
#include "support/temporary_folder.hpp"
#include "unit/text/golden_tokenizers.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/weights.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace test::load_tests {
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
struct folder : temporary_folder {
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

using ids = std::vector<std::int32_t>;

/// A folder of WordPiece with BERT's and MPNet's special tokens.
void write_pieces(const folder& f) {
  f.write("vocab.txt", "<s>\n<pad>\n</s>\n<unk>\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nanna\noslo\n<mask>\n");
}

ids encode(const folder& f, const char* text) {
  return onoma::load_tokenizer(f.path).encode(text).front().ids;
}

// What transformers 5.24 makes of the same folders (AutoTokenizer); scripts/compare_tokenizer_folders.py asks
// it for many more.
TEST_CASE("the class of a tokenizer has special tokens, which other files name anew") {
  const folder f;
  write_pieces(f);
  const char* text = "anna zzz oslo";
  f.write("config.json", R"({"model_type": "bert"})");
  CHECK(encode(f, text) == ids{6, 9, 5, 10, 7});
  f.write("config.json", R"({"model_type": "mpnet"})");
  CHECK(encode(f, text) == ids{0, 9, 5, 10, 2});
  CHECK(encode(f, "anna  <mask> [MASK]") == ids{0, 9, 11, 5, 5, 5, 2});
  f.write("config.json", R"({"model_type": "bert"})");
  f.write("tokenizer_config.json", R"({"tokenizer_class": "MPNetTokenizerFast"})");
  CHECK(encode(f, text) == ids{0, 9, 5, 10, 2});
  f.write("tokenizer_config.json", R"({"cls_token": "<s>", "unk_token": "<unk>", "sep_token": {
    "__type": "AddedToken", "content": "</s>", "lstrip": true}, "additional_special_tokens": ["oslo"]})");
  CHECK(encode(f, text) == ids{0, 9, 3, 10, 2});
  CHECK(encode(f, "annaoslo <pad> </s>") == ids{0, 9, 10, 3, 3, 3, 2, 2});
  // special_tokens_map.json counts more, unless there is an added_tokens_decoder.
  f.write("special_tokens_map.json", R"({"unk_token": "[PAD]", "cls_token": {"content": "[CLS]"}})");
  CHECK(encode(f, text) == ids{6, 9, 4, 10, 2});
  f.write("tokenizer_config.json", R"({"unk_token": "<unk>", "added_tokens_decoder": {}})");
  CHECK(encode(f, text) == ids{6, 9, 3, 10, 7});
  std::filesystem::remove(f.path / "special_tokens_map.json");
  // Tokens without a piece follow the vocabulary, those with a role first.
  f.write("tokenizer_config.json", R"({"extra_special_tokens": ["[B]"], "x_token": "[A]", "bos_token": "[C]"})");
  CHECK(encode(f, "[A][B][C]") == ids{6, 13, 14, 12, 7});
  for (const auto& [config, part] : std::vector<std::pair<const char*, const char*>>{
           {R"({"cls_token": "[C]"})", "'[C]' in the vocabulary"},
           {R"({"cls_token": null})", "cls_token"},
           {R"({"unk_token": "[U]"})", "'[U]'"},
           {R"({"unk_token": 5})", "unk_token"},
           {R"({"split_special_tokens": true})", "split_special_tokens"}}) {
    f.write("tokenizer_config.json", config);
    CAPTURE(config);
    CHECK(refusal(f).find(part) != std::string::npos);
  }
}

TEST_CASE("special tokens of byte-level tokenizers and of tokenizer.json are named in other files too") {
  const folder f;
  f.write("merges.txt", "a b\n");
  f.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<s>": 3, "</s>": 4, "<x>": 5, "<unk>": 6})");
  f.write("config.json", R"({"model_type": "roberta"})");
  CHECK(encode(f, "ab<x>") == ids{3, 2, 4});  // bytes without a piece are dropped
  f.write("tokenizer_config.json", R"({"cls_token": "<x>", "unk_token": "ab"})");
  CHECK(encode(f, "ab<x>a") == ids{5, 2, 5, 0, 4});
  f.write("special_tokens_map.json", R"({"mask_token": {"content": "<m>", "lstrip": true}})");
  CHECK(encode(f, "a  <m>") == ids{5, 0, 8, 4});

  const folder j;
  const onoma::json file = {
      {"normalizer", {{"type", "BertNormalizer"}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", {{"type", "BertProcessing"}, {"cls", {"<a>", 3}}, {"sep", {"<b>", 4}}}},
      {"model", {{"type", "WordPiece"}, {"unk_token", "<b>"},
                 {"vocab", {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"<a>", 3}, {"<b>", 4}, {"x", 5}}}}}};
  j.write("tokenizer.json", file.dump());
  CHECK(encode(j, "x y") == ids{3, 5, 4, 4});
  j.write("config.json", R"({"model_type": "bert"})");
  CHECK(encode(j, "x y") == ids{1, 5, 0, 2});
  j.write("special_tokens_map.json", R"({"cls_token": "<a>", "unk_token": "<b>"})");
  CHECK(encode(j, "x y") == ids{3, 5, 4, 2});
  j.write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast", "x_token": "y"})");
  CHECK(encode(j, "x y z") == ids{3, 5, 6, 4, 4});
}

TEST_CASE("HerbertTokenizer's pieces end words") {
  const folder f;
  f.write("vocab.json", R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "J": 5, "a": 6, "n</w>": 7,
    "Ja": 8, "Jan</w>": 9, ",</w>": 10, "a</w>": 11})");
  f.write("merges.txt", "#version: 0.2\nJ a\nJa n</w>\n");
  f.write("config.json", R"({"model_type": "bert"})");
  f.write("tokenizer_config.json", R"({"tokenizer_class": "HerbertTokenizerFast", "do_lower_case": true})");
  const auto tokenizer = onoma::load_tokenizer(f.path);
  const auto found = tokenizer.encode("Jan, Jana jan<mask>").front();
  CHECK(found.ids == ids{0, 9, 10, 8, 3, 11, 3, 6, 7, 4, 2});
  CHECK(found.offsets[3] == onoma::byte_span{5, 7});
  CHECK(found.offsets[4] == onoma::byte_span{7, 8});
  CHECK(tokenizer.unknown_id() == 3);
  f.write("vocab.json", R"({"<s>": 1, "<pad>": 0, "</s>": 2, "<unk>": 3, "J": 4, "a": 5, "Ja": 6, "n</w>": 7,
    "Jan</w>": 8})");
  CHECK(refusal(f).find("'<s>' with the id 0") != std::string::npos);
}

TEST_CASE("classes that are not known are refused by name, unless there is a tokenizer.json") {
  const folder f;
  write_pieces(f);
  f.write("merges.txt", "a b\n");
  f.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<s>": 3, "</s>": 4})");
  f.write("config.json", R"({"model_type": "bert"})");
  for (const std::string name :
       {"BertJapaneseTokenizer", "PhobertTokenizer", "BertweetTokenizer", "XLMTokenizer", "FlaubertTokenizer",
        "CTRLTokenizer", "FSMTTokenizer", "GPT2TokenizerFast", "PreTrainedTokenizerFast", "MyTokenizer"}) {
    CAPTURE(name);
    f.write("tokenizer_config.json", R"({"tokenizer_class": ")" + name + "\"}");
    CHECK(refusal(f).find("'" + name + "' (tokenizer_class of tokenizer_config.json)") != std::string::npos);
  }
  std::filesystem::remove(f.path / "tokenizer_config.json");
  f.write("config.json", R"({"tokenizer_class": "XLMTokenizer", "model_type": "bert"})");
  CHECK(refusal(f).find("'XLMTokenizer' (tokenizer_class of config.json)") != std::string::npos);
  f.write("config.json", R"({"model_type": "flaubert"})");
  CHECK(refusal(f).find("'flaubert' (model_type of config.json)") != std::string::npos);
  // The class says which files are read.
  f.write("config.json", R"({"model_type": "bert"})");
  CHECK(encode(f, "anna") == ids{6, 9, 7});
  f.write("config.json", R"({"model_type": "roberta"})");
  CHECK(encode(f, "ab") == ids{3, 2, 4});
  f.write("config.json", R"({"model_type": "albert"})");
  CHECK(refusal(f).find("SentencePiece model that AlbertTokenizer reads") != std::string::npos);
  std::filesystem::remove(f.path / "vocab.txt");
  f.write("config.json", R"({"model_type": "electra"})");
  CHECK(refusal(f).find("vocab.txt, as BertTokenizer reads it") != std::string::npos);

  const onoma::json file = {{"model", {{"type", "WordLevel"}, {"vocab", {{"<unk>", 0}, {"a", 1}}}}}};
  f.write("tokenizer.json", file.dump());
  f.write("tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  const auto tokenizer = onoma::load_tokenizer(f.path);
  CHECK(tokenizer.encode("a").front().ids == ids{1});
  REQUIRE(tokenizer.remarks().size() == 1);
  CHECK(tokenizer.remarks().front().find("BertJapaneseTokenizer") != std::string::npos);
}

TEST_CASE("pieces behind a model's table are refused where they occur, and what is odd is remarked") {
  const folder f;
  f.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\na\n\n");
  f.write("config.json", R"({"model_type": "bert"})");
  const auto whole = onoma::load_tokenizer(f.path);
  CHECK(whole.vocabulary_size() == 9);
  REQUIRE(whole.remarks().size() == 2);
  CHECK(whole.remarks()[0].find("line 8 has 'a' again") != std::string::npos);
  CHECK(whole.remarks()[1].find("line 9 is blank") != std::string::npos);
  const auto limited = whole.for_table(8);
  CHECK(limited.encode("a b [PAD] c").front().ids == ids{2, 7, 6, 0, 1, 3});
  const auto narrow = whole.for_table(7);
  CHECK(narrow.encode("b").front().ids == ids{2, 6, 3});
  CHECK_THROWS_WITH_AS(static_cast<void>(narrow.encode("b a")),
                       "tokenizer: out of range: expected pieces of the model's table, which has 7 rows, "
                       "found the piece 'a' with the id 7",
                       onoma::error);
  onoma::tokenizer::workspace work(whole);  // tables share it
  CHECK_THROWS_AS(static_cast<void>(narrow.encode("a", {}, work)), onoma::error);
  CHECK(limited.encode("a", {}, work).front().ids == ids{2, 7, 3});

  f.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
  const auto maskless = onoma::load_tokenizer(f.path);
  CHECK(maskless.remarks().empty());
  CHECK(maskless.encode("[MASK]").front().ids == ids{2, 5, 3});
  CHECK_THROWS_WITH(static_cast<void>(maskless.for_table(5).encode("a [MASK]")),
                    doctest::Contains("'[MASK]' with the id 5"));
  std::filesystem::remove(f.path / "config.json");
  CHECK(onoma::load_tokenizer(f.path).remarks().size() == 1);
  // A token that no piece stands for would get the id of another one.
  f.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na\n");
  CHECK(encode(f, "[MASK]").size() == 5);
  f.write("tokenizer_config.json", R"({"mask_token": "[M]"})");
  CHECK(refusal(f).find("every piece once, as '[M]' has none") != std::string::npos);
}

TEST_CASE("a file that only points to the real one is named as such") {
  const char* pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 231508\n";
  for (const char* content : {pointer, "\n<!DOCTYPE html>\n<html><body>404</body></html>", "<HTML>"}) {
    const folder f;
    const std::string part = content == pointer ? "Git LFS" : "HTML";
    const auto refused = [&](const char* name, const std::string& message) {
      CAPTURE(name);
      CAPTURE(message);
      return message.find((f.path / name).string() + ": bad format") != std::string::npos &&
             message.find(part) != std::string::npos;
    };
    for (const char* name : {"tokenizer.json", "config.json", "tokenizer_config.json", "special_tokens_map.json",
                             "added_tokens.json", "vocab.txt"}) {
      write_pieces(f);
      f.write(name, content);
      CHECK(refused(name, refusal(f)));
      std::filesystem::remove(f.path / name);
    }
    f.write("config.json", R"({"model_type": "roberta"})");
    f.write("vocab.json", "{}");
    f.write("merges.txt", content);
    CHECK(refused("merges.txt", refusal(f)));
    f.write("vocab.json", content);
    CHECK(refused("vocab.json", refusal(f)));
    f.write("config.json", R"({"model_type": "albert"})");
    f.write("spiece.model", content);
    CHECK(refused("spiece.model", refusal(f)));
    for (const char* name : {"model.safetensors", "pytorch_model.bin", "model.safetensors.index.json",
                             "pytorch_model.bin.index.json"}) {
      f.write(name, content);
      std::string message = "no error";
      try {
        static_cast<void>(onoma::model_weights::open(f.path));
      } catch (const onoma::error& e) {
        message = e.what();
      }
      CHECK(refused(name, message));
      std::filesystem::remove(f.path / name);
    }
  }
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

}  // namespace test::load_tests
