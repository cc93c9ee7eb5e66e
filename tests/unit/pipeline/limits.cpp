/// Long texts in parts, limits of a call, its end on request, and weights that are not mapped.
#include "support/temporary_folder.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace test::limits_tests {
namespace {

namespace fs = std::filesystem;
using onoma::index_t;

std::string model(const std::string& name) { return std::string(ONOMA_TEST_DATA_DIR) + "/" + name; }

/// Some thousand words of all kinds: names, signs, marks, scripts without spaces, added tokens, blanks, emoji.
std::string mixed_text(std::uint32_t seed, std::size_t bytes) {
  const std::vector<std::string> pieces = {
      "Jane Doe ", "moved to ", "Berlin", ", ", "\n", "   ", "[MASK]", " <mask> ", "don't ", "3.5kg ",
      "\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x81\xAB", "e\xCC\x81\xCC\xA3", "\xCC\x81\xCC\xA3\xCC\x81", "\xC2\xA0\xC2\xA0",
      "\xF0\x9F\x98\x80 ",
      "\xC3\x9C" "ber ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
      "antidisestablishmentarianism", "x", ". ", "\t", "\xE2\x80\x8D"};
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < bytes) text += pieces[random() % pieces.size()];
  return text;
}

void check_same(const onoma::tagged_text& a, const onoma::tagged_text& b) {
  CHECK(a.windows == b.windows);
  CHECK(a.repairs == b.repairs);
  CHECK(a.unknown_tokens == b.unknown_tokens);
  CHECK(a.words == b.words);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].text == b[i].text);
    CHECK(a[i].label == b[i].label);
    CHECK(a[i].score == b[i].score);  // the same bits
    CHECK(a[i].span == b[i].span);
    CHECK(a[i].first == b[i].first);
    CHECK(a[i].last == b[i].last);
  }
}

template <class Body>
onoma::error_code code_of(const Body& body) {
  try {
    body();
  } catch (const onoma::error& e) {
    return e.code();
  }
  FAIL("no error");
  return {};
}

/// A model that may be changed, with another tokenizer if one is named.
struct folder_copy : temporary_folder {
  explicit folder_copy(const std::string& name, const std::string& tokenizer = {}) {
    fs::copy(model(name), path / "model", fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(path / "model")) {
      fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
    }
    if (tokenizer.empty()) return;
    const auto goldens = onoma::json::parse(onoma::read_text_file(model(tokenizer)));
    std::ofstream(model_path() / "tokenizer.json") << goldens["tokenizer"].dump();
    std::ofstream(model_path() / "tokenizer_config.json") << R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
  }
  [[nodiscard]] fs::path model_path() const { return path / "model"; }
};

}  // namespace

TEST_CASE("a long text in parts gives the results of the whole") {
  struct way {
    const char* model;
    onoma::aggregation strategy;
    onoma::word_splitting splitting;
  };
  using a = onoma::aggregation;
  using w = onoma::word_splitting;
  std::size_t entities = 0;
  for (const way& at :
       {way{"bert-tiny", a::word, w::tokenizer}, way{"bert-tiny", a::word, w::general},
        way{"bert-tiny", a::simple, w::automatic}, way{"bert-tiny", a::max, w::automatic},
        way{"roberta-tiny", a::word, w::tokenizer}, way{"roberta-tiny", a::word, w::general},
        way{"roberta-tiny", a::average, w::automatic}, way{"xlm-roberta-tiny", a::word, w::general},
        way{"xlm-roberta-tiny", a::word, w::tokenizer}}) {
    onoma::pipeline_options options;
    const std::string name = at.model;
    options.strategy = at.strategy;
    options.splitting = at.splitting;
    options.max_length = 24;
    options.stride = 7;
    options.max_tokens = 200;
    options.long_text = INT32_MAX;
    const auto family = name.substr(0, name.find("-tiny"));
    const folder_copy copy(name, family == "bert" ? "" : "pipeline-" + family + ".json");
    auto whole = onoma::pipeline::load(copy.model_path(), options);
    options.long_text = 0;
    auto parts = onoma::pipeline::load(copy.model_path(), options);
    for (const std::size_t bytes : {0U, 1U, 40U, 300U, 60'000U}) {
      const auto text = mixed_text(static_cast<std::uint32_t>(bytes) + 1, bytes);
      INFO(name << ", strategy " << static_cast<int>(at.strategy) << ", " << bytes << " bytes");
      const auto expected = whole.tag(text);
      entities += expected.size();
      check_same(expected, parts.tag(text));
    }
    const std::string blank(20'000, ' ');
    check_same(whole.tag(blank), parts.tag(blank));
    check_same(whole.tag(blank + "Jane" + blank), parts.tag(blank + "Jane" + blank));
  }
  CHECK(entities > 1000);
}

TEST_CASE("windows of a text in parts are those of the whole, wherever a part ends") {
  const auto tokens = onoma::load_tokenizer(model("bert-tiny"));
  onoma::tokenizer::workspace work(tokens);
  std::string text;
  for (int i = 0; i < 8300; ++i) text += i % 7 == 0 ? "b " : "a ";
  // A part has some more than 8,192 tokens: with some of these, a window ends just where a part does.
  for (int i = 0; i < 80; ++i) {
    onoma::encode_options options;
    options.max_length = 8 + i / 4;
    options.stride = i % 4;
    CAPTURE(options.max_length);
    CAPTURE(options.stride);
    const auto expected = tokens.encode(text, options);
    std::size_t place = 0;
    bool same = true;
    const auto take = [&](onoma::encoding& window) {
      same = same && place < expected.size() && window.ids == expected[place].ids &&
             window.offsets == expected[place].offsets;
      ++place;
    };
    tokens.encode_parts(text, options, false, work, take);
    CHECK(same);
    CHECK(place == expected.size());
  }
}

TEST_CASE("many texts are tagged some at a time, in any order of long and short ones") {
  onoma::pipeline_options options;
  auto plain = onoma::pipeline::load(model("bert-tiny"), options);
  options.long_text = 200;
  auto mixed = onoma::pipeline::load(model("bert-tiny"), options);
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < 20; ++i) texts.push_back(mixed_text(i, (i % 3) * 150));
  const auto expected = plain.tag_batch(texts);
  const auto found = mixed.tag_batch(texts);
  REQUIRE(found.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) check_same(expected[i], found[i]);
}

TEST_CASE("a call that goes beyond a limit ends by name, and the pipeline serves the next") {
  const std::string text = "Jane Doe moved to Berlin.";
  std::string longer;
  for (int i = 0; i < 50; ++i) longer += text + " ";
  const auto expected = onoma::pipeline::load(model("bert-tiny")).tag(text);
  const auto refused = [&](const onoma::tagging_limits& limits) {
    onoma::pipeline_options options;
    options.max_tokens = 64;  // all of a call count, not those of a batch
    options.max_length = 32;
    options.limits = limits;
    auto limited = onoma::pipeline::load(model("bert-tiny"), options);
    CHECK(code_of([&] { static_cast<void>(limited.tag(longer)); }) == onoma::error_code::limit_exceeded);
    check_same(expected, limited.tag(text));
    auto other = limited.share();
    CHECK(code_of([&] { static_cast<void>(other.tag(longer)); }) == onoma::error_code::limit_exceeded);
    const std::vector<std::string> words(300, "Jane");
    CHECK(code_of([&] { static_cast<void>(limited.tag_words(words)); }) == onoma::error_code::limit_exceeded);
  };
  refused({.text_bytes = 100});
  refused({.tokens = 100});
  refused({.memory = 30'000});
  // No time at all: whatever is asked, it is late.
  onoma::pipeline_options options;
  options.limits.seconds = 1e-12;
  auto hasty = onoma::pipeline::load(model("bert-tiny"), options);
  CHECK(code_of([&] { static_cast<void>(hasty.tag(text)); }) == onoma::error_code::limit_exceeded);
  options.limits.seconds = 1e6;
  check_same(expected, onoma::pipeline::load(model("bert-tiny"), options).tag(text));
}

TEST_CASE("another thread ends a call, and the pipeline serves the next") {
  auto tagger = onoma::pipeline::load(model("bert-tiny"));
  const std::string text = "Jane Doe moved to Berlin.";
  const auto expected = tagger.tag(text);
  const onoma::cancellation stop;
  tagger.set_cancellation(stop);
  check_same(expected, tagger.tag(text));
  stop.cancel();
  CHECK(code_of([&] { static_cast<void>(tagger.tag(text)); }) == onoma::error_code::cancelled);
  CHECK(code_of([&] { static_cast<void>(tagger.tag_words(std::vector<std::string>{"Jane"})); }) ==
        onoma::error_code::cancelled);
  check_same(expected, tagger.share().tag(text));  // with no flag of its own
  stop.reset();
  check_same(expected, tagger.tag(text));
  // While it runs: it would tag texts without an end.
  std::atomic<int> calls{0};
  std::thread other([&] {
    while (calls.load() < 3) std::this_thread::yield();
    stop.cancel();
  });
  const std::string longer = mixed_text(1, 3000);
  CHECK(code_of([&] {
          for (int late = 0; late < 3; late += stop.is_cancelled() ? 1 : 0) {
            static_cast<void>(tagger.tag(longer));
            ++calls;
          }
        }) == onoma::error_code::cancelled);
  other.join();
  stop.reset();
  check_same(expected, tagger.tag(text));
}

TEST_CASE("a call looks at the request before each batch") {
  /// Asks for the end at one of the pieces of work that it is given.
  struct asking_executor {
    [[nodiscard]] index_t concurrency() const { return 1; }
    void parallel_for(index_t count, onoma::function_ref<void(index_t)> task) {
      if (++pieces == last) stop.cancel();
      for (index_t i = 0; i < count; ++i) task(i);
    }
    onoma::cancellation stop;
    index_t pieces = 0;
    index_t last = -1;
  };
  for (const index_t long_text : {0, INT32_MAX}) {
    CAPTURE(long_text);
    asking_executor asking;
    onoma::pipeline_options options;
    options.executor = onoma::executor_ref(asking);
    options.max_tokens = 64;
    options.max_length = 24;
    options.long_text = long_text;
    auto tagger = onoma::pipeline::load(model("bert-tiny"), options);
    tagger.set_cancellation(asking.stop);
    const std::string text = mixed_text(3, 1500);
    asking.pieces = 0;
    const auto expected = tagger.tag(text);
    const auto all = asking.pieces;
    REQUIRE(expected.windows > 10);
    REQUIRE(all > 10);
    asking.pieces = 0;
    asking.last = 1;  // in the first batch
    CHECK(code_of([&] { static_cast<void>(tagger.tag(text)); }) == onoma::error_code::cancelled);
    CHECK(asking.pieces < all / 4);
    asking.stop.reset();
    check_same(expected, tagger.tag(text));
  }
}

TEST_CASE("an evaluation ends on request and by its limits") {
  onoma::cpu_backend backend;
  auto session = onoma::token_classifier_session<onoma::cpu_backend>::load(model("bert-tiny"), backend);
  const auto tokens = onoma::load_tokenizer(model("bert-tiny"));
  const std::vector<onoma::sentence> sentences(50, {{"Jane", "Doe"}, {"B-PER", "I-PER"}, false});
  onoma::prediction_options options;
  options.stop = onoma::cancellation();
  CHECK(onoma::evaluate_on(session, tokens, sentences, {}, options).sentences == 50);
  options.stop->cancel();
  const auto run = [&] { static_cast<void>(onoma::evaluate_on(session, tokens, sentences, {}, options)); };
  CHECK(code_of(run) == onoma::error_code::cancelled);
  options.stop.reset();
  options.limits.tokens = 100;
  CHECK(code_of(run) == onoma::error_code::limit_exceeded);
}

TEST_CASE("weights that are not mapped do not change with their files") {
  const std::string text = "Jane Doe moved from Berlin to Paris, said the mayor of London.";
  const auto expected = onoma::pipeline::load(model("bert-tiny")).tag(text);
  for (const bool cached : {false, true}) {
    INFO("packed cache: " << cached);
    const folder_copy copy("bert-tiny");
    onoma::pipeline_options options;
    options.map_files = false;
    if (cached) {
      options.packed_cache = copy.path / "packed";
      static_cast<void>(onoma::pipeline::load(copy.model_path(), options));  // writes it
    }
    auto tagger = onoma::pipeline::load(copy.model_path(), options);
    for (const auto& entry : fs::directory_iterator(copy.model_path())) fs::resize_file(entry.path(), 10);
    if (cached) fs::resize_file(options.packed_cache, 10);
    check_same(expected, tagger.tag(text));
    check_same(expected, tagger.share().tag(text));
  }
}

}  // namespace test::limits_tests
