/// Tokenizers of families from SentencePiece's files: ids, special tokens and what is put around the pieces.
#include <onoma/text/files/sentencepiece_families.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace test::sentencepiece_families_tests {
namespace {

using family = onoma::sentencepiece_family;
using type = onoma::sentencepiece_model::piece_type;

onoma::sentencepiece_model small_model() {
  onoma::sentencepiece_model model;
  model.pieces = {{"<unk>", 0, type::unknown}, {"<s>", 0, type::control}, {"</s>", 0, type::control},
                  {"▁", -3},  {"▁a", -1}, {"b", -2}, {"1,", -2}, {"1", -3}, {",", -3}, {"B", -2}};
  return model;
}

std::vector<std::int32_t> ids(family kind, const std::string& text, const onoma::sentencepiece_options& options = {},
                              onoma::sentencepiece_model model = small_model()) {
  auto [pieces, settings] = onoma::convert_sentencepiece(model, kind, options);
  return onoma::tokenizer(pieces, std::move(settings)).encode(text).front().ids;
}
using list = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("sentencepiece families: ids are shifted as in fairseq") {
  CHECK(ids(family::xlm_roberta, "ab  a") == list{0, 5, 6, 5, 2});
  CHECK(ids(family::xlm_roberta, "z<mask>") == list{0, 4, 3, 11, 2});
  CHECK(ids(family::camembert, "ab a") == list{5, 8, 9, 8, 6});
  CHECK(ids(family::camembert, "z <mask>") == list{5, 7, 3, 14, 6});
}

TEST_CASE("sentencepiece families: T5 has extra pieces and no first one") {
  CHECK(ids(family::t5, "ab") == list{4, 5, 2});
  CHECK(ids(family::t5, "a<extra_id_0><extra_id_99>") == list{4, 109, 10, 2});
  CHECK(ids(family::t5, "a<extra_id_0>", {.extra_ids = 1}) == list{4, 10, 2});
}

TEST_CASE("sentencepiece families: ALBERT lowers case, quotes, accents and numbers with commas") {
  // [CLS], [SEP] and others are added behind the ten pieces.
  CHECK(ids(family::albert, "\u00C1B") == list{10, 4, 5, 11});
  CHECK(ids(family::albert, "aB", {.do_lower_case = false}) == list{10, 4, 9, 11});
  CHECK(ids(family::albert, "a1,") == list{10, 4, 7, 8, 11});
  CHECK(ids(family::deberta_v2, "a1,") == list{10, 4, 6, 11});
}

TEST_CASE("sentencepiece families: DeBERTa strips spaces, and cuts at punctuation if told") {
  CHECK(ids(family::deberta_v2, "  a   a ") == list{10, 4, 4, 11});
  CHECK(ids(family::deberta_v2, "aB") == list{10, 4, 9, 11});
  CHECK(ids(family::deberta_v2, "AB", {.do_lower_case = true}) == list{10, 4, 5, 11});
  CHECK(ids(family::deberta_v2, "a,b", {.split_by_punct = true}) == list{10, 4, 3, 8, 3, 5, 11});
}

TEST_CASE("sentencepiece families: model types of config.json") {
  CHECK(onoma::find_sentencepiece_family("xlm-roberta") == family::xlm_roberta);
  CHECK(onoma::find_sentencepiece_family("deberta-v2") == family::deberta_v2);
  CHECK_FALSE(onoma::find_sentencepiece_family("bert"));
}

TEST_CASE("sentencepiece families: what no converter can use is refused") {
  auto model = small_model();
  model.type = onoma::sentencepiece_model::algorithm::bpe;
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::convert_sentencepiece(model, family::t5)),
                       "SentencePiece model: unsupported: expected model_type unigram, found bpe", onoma::error);
  model = small_model();
  model.treat_whitespace_as_suffix = true;
  CHECK_THROWS_AS(static_cast<void>(onoma::convert_sentencepiece(model, family::t5)), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(ids(family::t5, "a", {.extra_ids = -1})), onoma::error);
  model = small_model();
  model.charsmap = "no rules";
  CHECK_THROWS_AS(static_cast<void>(ids(family::xlm_roberta, "a", {}, model)), onoma::error);
}

}  // namespace test::sentencepiece_families_tests
