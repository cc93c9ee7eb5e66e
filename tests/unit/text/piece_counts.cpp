/// How well a vocabulary covers a corpus.
#include <onoma/text/piece_counts.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::piece_counts_tests {
namespace {

struct line {
  std::vector<std::string> words;
};

const onoma::tokenizer& tokens() {
  static const auto made =
      onoma::tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\npar\n##is\nin\n", {}, "vocab.txt");
  return made;
}

}  // namespace

TEST_CASE("pieces and unknown ones are counted without special tokens") {
  // "in", "par" "##is", [UNK].
  const auto counts = onoma::count_pieces(tokens(), std::vector<line>{{{"in", "Paris"}}, {{"Rome"}}, {{}}});
  CHECK(counts.pieces == 4);
  CHECK(counts.unknown == 1);
  CHECK(counts.unknown_rate() == 0.25);
}

TEST_CASE("nothing is no rate") {
  const auto counts = onoma::count_pieces(tokens(), std::vector<line>{});
  CHECK(counts.pieces == 0);
  CHECK(counts.unknown_rate() == 0.0);
}

}  // namespace test::piece_counts_tests
