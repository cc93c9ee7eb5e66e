/// JSON is read to the letter of RFC 8259, with errors that say where.
#include "support/data_dir.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace test::json_tests {

TEST_CASE("JSONTestSuite: 95 texts parse, 188 are refused, 35 do not crash") {
  ONOMA_REQUIRE_DATA_DIR(data);
  int accepted = 0;
  int refused = 0;
  int either = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(data / "conformance" / "json" / "test_parsing")) {
    const auto name = entry.path().filename().string();
    bool parses = true;
    try {
      static_cast<void>(onoma::parse_json(onoma::read_text_file(entry.path()), name));
    } catch (const onoma::error& problem) {
      parses = false;
      CHECK(problem.code() == onoma::error_code::parse);
    }
    INFO(name);
    if (name[0] == 'y') {
      // The two texts with a key twice are valid JSON and refused here, as onoma says it does.
      const bool duplicate = name.find("duplicated_key") != std::string::npos;
      CHECK(parses != duplicate);
      ++accepted;
    } else if (name[0] == 'n') {
      CHECK_FALSE(parses);
      ++refused;
    } else {
      ++either;
    }
  }
  CHECK(accepted == 95);
  CHECK(refused == 188);
  CHECK(either == 35);
}

TEST_CASE("errors name file, line and column") {
  try {
    static_cast<void>(onoma::parse_json("{\n  \"a\": x\n}", "config.json"));
    FAIL("no error");
  } catch (const onoma::error& e) {
    const std::string text = e.what();
    CHECK(text.find("config.json") != std::string::npos);
    CHECK(text.find("line 2, column 8") != std::string::npos);
  }
  CHECK_THROWS_AS(static_cast<void>(onoma::parse_json("{\"a\":1,\"a\":2}", "x")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::parse_json(std::string(300, '[') + std::string(300, ']'), "x")),
                  onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::parse_json("\xEF\xBB\xBF{}", "x")), onoma::error);
}

TEST_CASE("a key that comes twice is named, wherever it is") {
  const auto refusal = [](const std::string& text) {
    try {
      static_cast<void>(onoma::parse_json(text, "x"));
    } catch (const onoma::error& problem) {
      return std::string(problem.found());
    }
    return std::string("none");
  };
  CHECK(refusal(R"([{"a": {"b": 1, "c": 2, "b": {}}}])") == "'b' twice");
  // What the first of the two held is gone with it.
  CHECK(refusal(R"({"a": {"x": 1, "y": 2}, "a": {}})") == "'a' twice");
  CHECK(refusal(R"({"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]})") == "none");
  CHECK(refusal(R"({"\"a:{": 1, "b": "x\\", "\"a:{": 2})") == R"('\"a:{' twice)");
  CHECK(refusal(R"({"a": 1, "\u0061": 2})") == "a key twice, written in two ways");
  CHECK(refusal("[1e400]").find("1e400") != std::string::npos);
}

TEST_CASE("many objects take linear time") {  // quadratic time is some ten minutes
  std::string text = "[{}";
  for (int i = 0; i < 1'000'000; ++i) text += ",{}";
  CHECK(onoma::parse_json(text + "]", "x").size() == 1'000'001);
}

TEST_CASE("values have the type that is asked for") {
  const auto object = onoma::parse_json(
      R"({"i": 3, "d": 2.5, "s": "x", "b": true, "n": null, "big": 18446744073709551615, "huge": 1e300})",
      "x");
  CHECK(onoma::require<onoma::index_t>(object, "i", "x") == 3);
  CHECK(onoma::require<double>(object, "i", "x") == 3.0);
  CHECK(onoma::require<std::string>(object, "s", "x") == "x");
  CHECK(onoma::require<bool>(object, "b", "x"));
  CHECK(onoma::value_or<onoma::index_t>(object, "n", 7, "x") == 7);
  CHECK(onoma::value_or<onoma::index_t>(object, "none", 8, "x") == 8);
  CHECK_THROWS_AS(static_cast<void>(onoma::require<onoma::index_t>(object, "d", "x")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::require<onoma::index_t>(object, "big", "x")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::require<float>(object, "huge", "x")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::require<bool>(object, "s", "x")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::require<bool>(object, "none", "x")), onoma::error);
}

}  // namespace test::json_tests

TEST_CASE("a line of JSON has no line break and is UTF-8 whatever a name holds") {
  CHECK(onoma::json_line({{"file", "a\nb\xFF"}}) == "{\"file\":\"a\\nb\xEF\xBF\xBD\"}");
}
