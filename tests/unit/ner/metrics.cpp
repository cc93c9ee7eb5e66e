/// Entity scores equal seqeval's, to the last digit of its report.
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/ner/report_json.hpp>

#include <doctest/doctest.h>

#include <clocale>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace test::metrics_tests {
namespace {

void compare(const onoma::entity_score& found, const onoma::json& expected) {
  // Equal bits: the same quotients, summed in the same order, so that no report rounds another way.
  CHECK(found.precision == expected["precision"].get<double>());
  CHECK(found.recall == expected["recall"].get<double>());
  CHECK(found.f1 == expected["f1-score"].get<double>());
  CHECK(static_cast<double>(found.support) == expected["support"].get<double>());
}

}  // namespace

TEST_CASE("random pairs of tag sequences, default and strict") {
  const auto cases = onoma::json::parse(
      onoma::read_text_file(std::string(ONOMA_TEST_DATA_DIR) + "/metrics.json"));
  REQUIRE(cases.size() == 201);
  for (const auto& c : cases) {
    const auto gold = c["gold"].get<onoma::tag_sequences>();
    const auto predicted = c["predicted"].get<onoma::tag_sequences>();
    const auto scheme = onoma::tag_scheme_from_name(c["scheme"].get<std::string>());
    for (std::size_t i = 0; i < gold.size(); ++i) {
      auto found = onoma::json::array();
      for (const auto& e : onoma::lenient_entities(gold[i])) {
        found.push_back({e.type, e.begin, e.end - 1});
      }
      CHECK(found == c["default_entities"][i]);
      if (c["strict_entities"].is_null()) continue;
      found = onoma::json::array();
      for (const auto& e : onoma::strict_entities(gold[i], scheme)) {
        found.push_back({e.type, e.begin, e.end});
      }
      CHECK(found == c["strict_entities"][i]);
    }
    for (const char* mode : {"default", "strict"}) {
      const auto& expected = c[mode];
      if (expected.is_null()) continue;  // seqeval has no report without any entity
      onoma::metric_options options;
      if (std::string(mode) == "strict") options.strict = scheme;
      const auto report = onoma::evaluate(gold, predicted, options);
      CHECK(report.types.size() + 3 == expected["report"].size());
      for (const auto& [name, score] : report.types) compare(score, expected["report"][name]);
      compare(report.micro, expected["report"]["micro avg"]);
      compare(report.macro, expected["report"]["macro avg"]);
      compare(report.weighted, expected["report"]["weighted avg"]);
      CHECK(onoma::to_text(report, 3) == expected["text"].get<std::string>());
      CHECK(report.token_accuracy == doctest::Approx(c["accuracy"].get<double>()).epsilon(1e-12));
    }
  }
}

TEST_CASE("sums are numpy's, bit for bit") {
  // numpy.sum(1 / numpy.arange(1, size + 1)) of numpy 2.4.
  const std::pair<std::size_t, double> sums[] = {{0, 0.0},
                                                 {7, 2.5928571428571425},
                                                 {127, 5.425334592589172},
                                                 {129, 5.440899030573669},
                                                 {300, 6.282663880299504}};
  for (const auto& [size, expected] : sums) {
    std::vector<double> values;
    for (std::size_t i = 1; i <= size; ++i) values.push_back(1.0 / static_cast<double>(i));
    CHECK(onoma::detail::numpy_sum(values) == expected);
  }
}

TEST_CASE("a report says its mode and is valid JSON") {
  const onoma::tag_sequences gold = {{"B-\"q\"", "O"}};
  const auto report = onoma::evaluate(gold, gold, {.strict = onoma::tag_scheme::iob2});
  CHECK(report.mode == "strict IOB2");
  const auto json = onoma::to_json(report);
  CHECK(json["types"]["\"q\""]["f1"] == 1.0);
  CHECK(json["confusion"]["O"]["O"] == 1);
  CHECK(onoma::confusion_text(report).find("gold \\ predicted") != std::string::npos);
}

TEST_CASE("entities are confused only where their words are the same") {
  const onoma::tag_sequences gold = {{"B-A", "I-A", "O", "B-B", "O", "B-A"}};
  const onoma::tag_sequences found = {{"B-B", "I-B", "O", "B-B", "B-A", "O"}};
  const auto report = onoma::evaluate(gold, found);
  const std::string none(onoma::ner_report::no_entity);
  const onoma::confusion_table expected = {
      {"A", {{"B", 1}, {none, 1}}}, {"B", {{"B", 1}}}, {none, {{"A", 1}}}};
  CHECK(report.entity_confusion == expected);
  CHECK(onoma::entity_confusion_text(report).find(none) != std::string::npos);
}

TEST_CASE("tags that the default mode misreads are counted, and strict mode reads them") {
  const onoma::tag_sequences bilou = {{"U-A", "U-A", "B-B", "L-B"}};
  const auto report = onoma::evaluate(bilou, {{"U-A", "O", "B-B", "L-B"}});
  CHECK(report.misread_tags == 5);
  CHECK(onoma::summary(report).find("5 tags") != std::string::npos);
  CHECK(onoma::evaluate({{"ORG", "ORG", "O"}}, {{"ORG", "O", "O"}}).misread_tags == 3);
  const auto strict = onoma::evaluate(bilou, bilou, {.strict = onoma::tag_scheme::bilou});
  CHECK(strict.micro.support == 3);
  CHECK(strict.misread_tags == 0);
}

TEST_CASE("numbers do not follow the host's locale") {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  const char* comma = nullptr;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
    if (comma == nullptr) comma = std::setlocale(LC_NUMERIC, name);
  }
  const auto text = onoma::to_json(onoma::evaluate({{"B-A", "O"}}, {{"B-A", "B-A"}})).dump();
  const auto table = onoma::to_text(onoma::evaluate({{"B-A", "O"}}, {{"B-A", "B-A"}}));
  std::setlocale(LC_NUMERIC, before.c_str());
  CHECK(onoma::json::parse(text)["micro"]["precision"] == 0.5);
  CHECK(table.find("0.50") != std::string::npos);
}

TEST_CASE("odd tags reach into the next sentence, as seqeval reads all sentences as one sequence") {
  const auto report = onoma::evaluate({{"B-PER", "0"}, {"0", "B-PER"}}, {{"0", "0"}, {"0", "B-PER"}});
  CHECK(report.micro.correct == 1);
  CHECK(report.micro.support == 3);
  CHECK(report.micro.predicted == 2);
  CHECK(report.micro.f1 == 0.4);  // seqeval 1.2.2
}

TEST_CASE("entities on the same words with two types are two entities") {
  using spans = std::vector<onoma::entity_span>;
  const spans gold = {{0, 2, "A"}, {0, 2, "B"}, {4, 5, "A"}, {4, 5, "A"}, {6, 9, "C"}};
  const auto report =
      onoma::evaluate_entities(gold, spans{{0, 2, "B"}, {4, 5, "B"}, {6, 8, "C"}, {7, 8, "D"}});
  CHECK(report.micro.support == 4);
  CHECK(report.micro.predicted == 4);
  CHECK(report.micro.correct == 1);
  const std::string none(onoma::ner_report::no_entity);
  const onoma::confusion_table expected = {
      {"A", {{"B", 1}, {none, 1}}}, {"B", {{"B", 1}}}, {"C", {{none, 1}}}, {none, {{"C", 1}, {"D", 1}}}};
  CHECK(report.entity_confusion == expected);
  CHECK(onoma::evaluate_entities(gold, gold).micro.f1 == 1.0);
  CHECK(onoma::evaluate_entities({}, {}, 1.0).micro.recall == 1.0);
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate_entities({}, {}, 0.5)), onoma::error);
  CHECK(onoma::summary(report).find("spans") == 0);
}

TEST_CASE("no entity at all, undefined quotients, and inputs that do not fit") {
  const onoma::tag_sequences none = {{"O", "O"}};
  CHECK(onoma::evaluate(none, none).micro.f1 == 0.0);
  CHECK(onoma::evaluate(none, none, {.strict = {}, .zero_division = 1.0}).micro.recall == 1.0);
  CHECK(onoma::evaluate({}, {}).token_accuracy == 0.0);
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate(none, {})), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate(none, {{"O"}})), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate({{"S-X"}}, {{"O"}},
                                                    {.strict = onoma::tag_scheme::iob2})),
                  onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate(none, none, {.strict = {}, .zero_division = 0.5})),
                  onoma::error);
}

}  // namespace test::metrics_tests
