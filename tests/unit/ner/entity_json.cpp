/// Entities as JSON.
#include <onoma/ner/entity_json.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::entity_json_tests {

TEST_CASE("an entity has its place in three units") {
  onoma::entity e;
  e.text = "Zoé";
  e.label = "PER";
  e.score = 0.5;
  e.span = {{4, 8}, {1, 4}, {2, 5}};
  const onoma::json expected = {{"text", "Zoé"},        {"label", "PER"},        {"score", 0.5},
                                {"bytes", {4, 8}},      {"code_points", {1, 4}}, {"utf16", {2, 5}}};
  CHECK(onoma::to_json(e) == expected);
  CHECK(onoma::to_json(std::vector<onoma::entity>{e, e}) == onoma::json::array({expected, expected}));
  CHECK(onoma::to_json(std::vector<onoma::entity>{}) == onoma::json::array());
}

}  // namespace test::entity_json_tests
