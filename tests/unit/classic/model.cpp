/// Classical models: templates, what words are worth, training, labels, and the file.
#include "support/error_of.hpp"

#include <onoma/classic/decoder.hpp>
#include <onoma/classic/dictionary.hpp>
#include <onoma/classic/model.hpp>
#include <onoma/classic/templates.hpp>
#include <onoma/classic/train.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/text/words/word_rules_json.hpp>

#include <support/temporary_folder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test::classic_model_tests {
namespace {

using namespace onoma;
using list = std::vector<std::string>;

/// Sentences about people and places, drawn by a seed.
std::vector<sentence> make_sentences(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](const list& from) { return from[random() % from.size()]; };
  const list first = {"Anna", "Jan", "Zo\xC3\xAB", "Mary-Ann", "Ivo"};
  const list last = {"Novak", "Smith", "Meyer", "Brown"};
  const list places = {"Brno", "Oslo", "Paris", "York", "Kyiv"};
  const list verbs = {"lives", "works", "was", "met"};
  std::vector<sentence> all;
  for (std::size_t i = 0; i < count; ++i) {
    sentence s;
    const auto add = [&](const std::string& word, const char* tag) {
      s.words.push_back(word);
      s.tags.emplace_back(tag);
    };
    if (random() % 3 == 0) add("Yesterday", "O");
    add(pick(first), "B-PER");
    if (random() % 2 == 0) add(pick(last), "I-PER");
    add(pick(verbs), "O");
    add(random() % 2 == 0 ? "in" : "near", "O");
    if (random() % 4 == 0) {
      add("New", "B-LOC");
      add("York", "I-LOC");
    } else {
      add(pick(places), "B-LOC");
    }
    if (random() % 3 == 0) add(std::to_string(random() % 100), "O");
    add(".", "O");
    all.push_back(s);
  }
  return all;
}

classic_model train(const std::vector<sentence>& sentences, classic_training_options options = {}) {
  return classic_trainer(sentences, {}, std::move(options)).run();
}

std::vector<std::byte> bytes_of(const classic_model& model) {
  return {model.bytes().begin(), model.bytes().end()};
}

gazetteer make_list() {
  gazetteer_builder builder;
  builder.add("new york", "city");
  builder.add("york", "city");
  builder.add("novak", "name");
  return builder.build();
}

/// What a decoder says, found by the weights that the file has for the attributes of each word, without its memory, and
/// by going through all paths.
struct naive {
  const classic_model& model;

  /// [words, L]
  [[nodiscard]] std::vector<double> scores(const list& words) const {
    const auto& parts = model.parts();
    const std::size_t labels = parts.labels;
    std::vector<double> sums(words.size() * labels);
    sentence_features features(model.plan(), model.list());
    std::map<std::uint32_t, list> keys;
    features.read(std::span<const std::string>(words), [&](std::uint32_t type) {
      features.for_each_value([&](std::string_view key, std::span<const index_t>) { keys[type].emplace_back(key); });
    });
    const auto add = [&](std::size_t word, index_t slot, std::string_view key) {
      const auto value = parts.find(key);
      if (value == unit_table::none) return;
      for (auto i = parts.begins[value]; i < parts.begins[value + 1]; ++i) {
        if (parts.targets[i] / labels != static_cast<std::size_t>(slot)) continue;
        sums[word * labels + parts.targets[i] % labels] += static_cast<double>(parts.weights[i]);
      }
    };
    const index_t radius = model.plan().radius();
    for (index_t i = 0; i < static_cast<index_t>(words.size()); ++i) {
      for (index_t d = -radius; d <= radius; ++d) {
        for (const auto& key : keys[features.type(i + d)]) add(static_cast<std::size_t>(i), d + radius, key);
      }
    }
    features.for_each_joint([&](std::size_t word, std::string_view key) { add(word, radius, key); });
    features.for_each_phrase([&](std::size_t word, index_t offset, std::string_view key) {
      add(word, offset + radius, key);
    });
    return sums;
  }

  [[nodiscard]] bool allows(const std::vector<std::size_t>& path) const {
    const auto rules = model.rules();
    bool right = rules.starts(static_cast<index_t>(path.front())) && rules.ends(static_cast<index_t>(path.back()));
    for (std::size_t t = 1; t < path.size(); ++t) {
      right = right && rules.follows(static_cast<index_t>(path[t - 1]), static_cast<index_t>(path[t]));
    }
    return right;
  }

  /// The best path that the rules allow, and the probability of each of its labels.
  void compare(const list& words, classic_decoder& decoder) const {
    const std::size_t labels = model.parts().labels;
    const auto of_words = scores(words);
    std::vector<std::size_t> path(words.size(), 0);
    std::vector<std::size_t> best;
    double best_score = -1e300;
    double total = 0.0;
    std::vector<double> marginals(words.size() * labels);
    for (;;) {
      if (allows(path)) {
        double found = 0.0;
        for (std::size_t t = 0; t < path.size(); ++t) {
          found += of_words[t * labels + path[t]];
          if (t > 0) found += static_cast<double>(model.parts().transitions[path[t - 1] * labels + path[t]]);
        }
        if (found > best_score) {
          best_score = found;
          best = path;
        }
        total += std::exp(found);
        for (std::size_t t = 0; t < path.size(); ++t) marginals[t * labels + path[t]] += std::exp(found);
      }
      std::size_t at = 0;
      while (at < path.size() && ++path[at] == labels) path[at++] = 0;
      if (at == path.size()) break;
    }
    std::vector<float> probabilities;
    const auto found = decoder.decode(std::span<const std::string>(words), &probabilities);
    REQUIRE(found.size() == words.size());
    for (std::size_t t = 0; t < words.size(); ++t) {
      CHECK(static_cast<std::size_t>(found[t]) == best[t]);
      // Scores are sums of some thirty floats below 10.
      CHECK(std::abs(static_cast<double>(probabilities[t]) - marginals[t * labels + best[t]] / total) < 1e-4);
    }
  }
};

/// A file with some bytes changed and its digest made anew: what a hostile writer makes.
classic_model reopen(std::vector<std::byte> bytes) {
  if (bytes.size() >= sizeof(detail::classic_header)) {
    detail::classic_header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.digest = detail::digest_of_classic(header, std::span<const std::byte>(bytes).subspan(sizeof header));
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return classic_model::of_file(owner, *owner, "a test");
}

}  // namespace

TEST_CASE("templates are read as they are written") {
  for (const char* text : {"word[0]", "lower[-2]", "shape[8]", "prefix3[0]", "suffix16[-1]", "flags[1]", "border[-1]",
                           "list[0]", "word[-1]|word[0]", "lower[-1]|shape[0]|suffix2[1]|word[2]"}) {
    CHECK(to_string(template_from_text(text)) == text);
  }
  for (const char* text : {"", "word", "word[]", "word[9]", "word[-9]", "word[0", "word[0]|", "|word[0]", "prefix[0]",
                           "prefix0[0]", "prefix17[0]", "words[0]", "word[0]x", "word3[0]", "word[1e1]",
                           "list[0]|word[0]", "border[0]|border[1]", "word[0]|word[0]|word[0]|word[0]|word[0]"}) {
    INFO(text);
    CHECK(error_of([&] { static_cast<void>(template_from_text(text)); }).code() == error_code::invalid_argument);
  }
  CHECK(error_of([] { static_cast<void>(templates_from_texts({"word[0]", "word[0]"})); }).found() == "'word[0]' twice");
  CHECK(error_of([] { static_cast<void>(templates_from_texts({})); }).found() == "none");
  CHECK_FALSE(default_templates().empty());
  CHECK(default_templates(true).size() > default_templates().size());
}

TEST_CASE("what words are") {
  word_describer describer;
  const auto ask = [&](const char* word, word_property property, index_t length = 0) {
    describer.read(word);
    std::string answer;
    return describer.append({property, length}, answer) ? answer : std::string("none");
  };
  using enum word_property;
  CHECK(ask("McDonald's", lower) == "mcdonald's");
  CHECK(ask("\xC3\x89T\xC3\x89", lower) == "\xC3\xA9t\xC3\xA9");
  CHECK(ask("Ab12-", shape) == "Xxdd-");
  CHECK(ask("abcdefgh", shape) == "xxxx");
  CHECK(ask("\xC3\x89t\xC3\xA9", shape) == "Xxx");
  CHECK(ask("Paris", prefix, 2) == "Pa");
  CHECK(ask("Paris", suffix, 4) == "aris");
  CHECK(ask("Paris", suffix, 5) == "none");  // of as many characters it would be the word
  CHECK(ask("\xC3\x89t\xC3\xA9", prefix, 1) == "\xC3\x89");
  CHECK(ask("\xC3\x89t\xC3\xA9", suffix, 1) == "\xC3\xA9");
  CHECK(ask("\xC3\x89t\xC3\xA9", suffix, 3) == "none");
  CHECK(ask("1234", flags) == "d");
  CHECK(ask("B-52", flags) == "nuth");
  CHECK(ask("...", flags) == "p.");
  CHECK(ask("Paris", flags) == "ta");
  CHECK(ask("$", flags) == "none");
  CHECK(ask("", flags) == "none");
}

TEST_CASE("attributes of a sentence are those of its templates") {
  const auto plan = template_plan(templates_from_texts(
      {"word[0]", "word[-1]", "border[-1]", "border[1]", "suffix2[1]", "lower[-1]|lower[0]", "list[0]", "list[1]"}));
  const auto phrases = make_list();
  classic_dictionary dictionary(plan, &phrases, 0);
  dictionary.add({{"In", "New", "York"}, {"O", "B-LOC", "I-LOC"}}, tag_set({"O", "B-LOC", "I-LOC"}));
  const auto& p = dictionary.problem();
  p.validate();
  const auto attributes = [&](std::size_t word) {
    list all;
    for (const auto row : p.word_rows[word]) {
      for (const auto a : p.rows[row]) all.push_back(dictionary.name(a));
    }
    for (const auto a : p.word_attributes[word]) all.push_back(dictionary.name(a));
    std::sort(all.begin(), all.end());
    return all;
  };
  CHECK(attributes(0) == list{"border[-1]=^", "joint0=\x1fin", "list[1]=B-city", "suffix2[1]=ew", "word[0]=In"});
  CHECK(attributes(1) == list{"joint0=in\x1fnew", "list[0]=B-city", "list[1]=B-city", "list[1]=I-city", "suffix2[1]=rk",
                              "word[-1]=In", "word[0]=New"});
  CHECK(attributes(2) == list{"border[1]=$", "joint0=new\x1fyork", "list[0]=B-city", "list[0]=I-city", "word[-1]=New",
                              "word[0]=York"});
}

TEST_CASE("labels and probabilities are those of all paths by the weights of the file") {
  const auto sentences = make_sentences(60, 1);
  const auto phrases = make_list();
  for (const bool hashed : {false, true}) {
    for (const bool rules : {false, true}) {
      classic_training_options options;
      options.list = &phrases;
      options.templates = default_templates(true);
      options.templates.push_back(template_from_text("lower[-1]|lower[0]"));
      options.templates.push_back(template_from_text("shape[0]|suffix2[1]|word[2]"));
      options.hash_bits = hashed ? 9 : 0;
      options.scheme_rules = rules;
      options.lbfgs.max_iterations = 6;  // far from sure
      const auto model = train(sentences, options);
      classic_decoder decoder(model);
      const naive expected{model};
      for (const list& words : {list{"Zo\xC3\xAB", "Brown", "in", "New", "York"}, list{"York"},
                                list{"unseen", "Words", "7"}, list{"Anna", "Anna", "Anna"}, list{".", "Paris"}}) {
        expected.compare(words, decoder);
        expected.compare(words, decoder);  // now by what it remembers
      }
      CHECK(decoder.decode(std::span<const std::string>()).empty());
    }
  }
}

TEST_CASE("a model learns, and labels obey the scheme of its tags") {
  const auto sentences = make_sentences(200, 2);
  const auto dev = make_sentences(100, 3);
  classic_training_options options;
  for (const auto algorithm : {classic_algorithm::likelihood, classic_algorithm::perceptron}) {
    options.algorithm = algorithm;
    const auto model = train(sentences, options);
    CHECK(evaluate(tags_of(dev), predict(model, dev)).micro.f1 > 0.98);
    // A name that goes on behind nothing is no path, whatever the words.
    std::mt19937 random(4);
    for (int i = 0; i < 200; ++i) {
      list words;
      for (int w = 0; w < 6; ++w) words.push_back(sentences[random() % 200].words[random() % 4]);
      const auto tags = predict(model, std::vector<sentence>{{words, {}}});
      CHECK(decode_bio(tags[0]).repairs == 0);
    }
    CHECK(find_word_rules(model.own()).has_value());
  }
}

TEST_CASE("a penalty on absolute values makes a smaller file") {
  const auto sentences = make_sentences(100, 2);
  classic_training_options options;
  options.lbfgs.c1 = 0.0;
  const auto dense = train(sentences, options);
  options.lbfgs.c1 = 0.5;
  const auto sparse = train(sentences, options);
  CHECK(sparse.parts().weights.size() * 3 < dense.parts().weights.size());
  CHECK(sparse.bytes().size() < dense.bytes().size());
  for (const float w : sparse.parts().weights) CHECK(w != 0.0F);
}

TEST_CASE("a model has the same bytes for any number of threads, and from run to run") {
  const auto sentences = make_sentences(400, 5);
  for (const auto algorithm : {classic_algorithm::likelihood, classic_algorithm::perceptron}) {
    classic_training_options options;
    options.algorithm = algorithm;
    options.lbfgs.max_iterations = 10;
    const auto expected = bytes_of(train(sentences, options));
    for (const index_t threads : {1, 2, 4}) {
      thread_pool pool(threads);
      options.executor = pool;
      const auto model = train(sentences, options);
      CHECK(bytes_of(model) == expected);
      CHECK(predict(model, sentences, pool) == predict(model, sentences));
    }
    options.executor = {};
  }
}

TEST_CASE("training reports, stops on request and keeps the weights that were best on dev sentences") {
  const auto sentences = make_sentences(60, 6);
  const auto dev = make_sentences(40, 7);
  classic_training_options options;
  options.dev_every = 2;
  std::vector<classic_progress> seen;
  classic_trainer trainer(sentences, dev, options);
  const auto model = trainer.run([&](const classic_progress& p) {
    seen.push_back(p);
    return p.iteration < 9;
  });
  CHECK(trainer.end() == lbfgs_end::stopped);
  REQUIRE(seen.size() == 9);
  double best = 0.0;
  for (const auto& p : seen) {
    CHECK(p.dev_f1.has_value() == (p.iteration % 2 == 0));
    best = std::max(best, p.dev_f1.value_or(0.0));
    CHECK(p.weights > 0);
    CHECK(p.gradient_norm > 0.0);
  }
  CHECK(evaluate(tags_of(dev), predict(model, dev)).micro.f1 == best);

  classic_training_options stopped;
  stopped.stop.emplace();
  classic_trainer other(sentences, {}, stopped);
  const auto problem = error_of([&] {
    static_cast<void>(other.run([&](const classic_progress&) {
      stopped.stop->cancel();
      return true;
    }));
  });
  CHECK(problem.code() == error_code::cancelled);
}

TEST_CASE("what cannot be trained on is refused with its sentence") {
  const auto sentences = make_sentences(3, 8);
  const auto code = [](const std::vector<sentence>& data, classic_training_options options = {}) {
    return error_of([&] { classic_trainer(data, {}, options); }).code();
  };
  CHECK(code({}) == error_code::invalid_argument);
  CHECK(code({{{"a", "b"}, {"O"}}}) == error_code::shape_mismatch);
  const std::vector<sentence> bad = {{{"a"}, {"O"}}, {{"\xFF"}, {"O"}}};
  const auto problem = error_of([&] { classic_trainer(bad, {}, {}); });
  CHECK(problem.code() == error_code::parse);
  CHECK(problem.operation().starts_with("sentence 2: "));
  classic_training_options options;
  options.templates = templates_from_texts({"list[0]"});
  CHECK(code(sentences, options) == error_code::invalid_argument);
  options = {};
  options.hash_bits = 27;
  CHECK(code(sentences, options) == error_code::invalid_argument);
  options = {};
  options.c2 = -1;
  CHECK(code(sentences, options) == error_code::invalid_argument);
}

TEST_CASE("tags without a scheme have no rules") {
  const std::vector<sentence> data = {{{"a", "b"}, {"noun", "verb"}}, {{"c"}, {"verb"}}};
  const auto model = train(data);
  CHECK(predict(model, data) == tags_of(data));
  const auto rules = model.parts().rules;
  CHECK(std::all_of(rules.begin(), rules.end(), [](auto rule) { return rule == 1; }));
}

TEST_CASE("a saved model is the same when it is opened") {
  const temporary_folder folder;
  const auto sentences = make_sentences(50, 9);
  const auto phrases = make_list();
  classic_training_options options;
  options.list = &phrases;
  options.own = {{"name", "test"}};
  const auto model = train(sentences, options);
  const auto path = folder.path / "model";
  CHECK_FALSE(classic_model::is_model(path));
  model.save(path);
  CHECK(classic_model::is_model(path));
  CHECK_FALSE(classic_model::is_model(folder.path));
  for (const auto access : {file_access::mapped, file_access::copied}) {
    const auto opened = classic_model::open(path, access);
    CHECK(bytes_of(opened) == bytes_of(model));
    CHECK(opened.labels() == model.labels());
    CHECK(opened.own()["name"] == "test");
    REQUIRE(opened.list() != nullptr);
    CHECK(opened.list()->size() == 3);
    CHECK(predict(opened, sentences) == predict(model, sentences));
  }
  CHECK(error_of([&] { static_cast<void>(classic_model::open(folder.path / "none")); }).code() ==
        error_code::file_not_found);
  std::ofstream(folder.path / "other") << "something else";
  CHECK_FALSE(classic_model::is_model(folder.path / "other"));
  CHECK(error_of([&] { static_cast<void>(classic_model::open(folder.path / "other")); }).code() == error_code::format);
}

TEST_CASE("each flipped bit and each cut of a model file is noticed") {
  const auto bytes = bytes_of(train({{{"a", "b"}, {"O", "B-X"}}}));
  const auto open = [](const std::vector<std::byte>& changed) {
    static_cast<void>(classic_model::of_file(nullptr, changed, "a test"));
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= std::byte{static_cast<unsigned char>(1U << (i % 8))};
    CHECK(error_of([&] { open(changed); }).code() == error_code::format);
  }
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    CHECK(error_of([&] { open({bytes.begin(), bytes.begin() + static_cast<index_t>(size)}); }).code() ==
          error_code::format);
  }
}

TEST_CASE("parts of a model file that do not fit together are refused one by one") {
  const auto model = train(make_sentences(10, 13));
  const auto& good = model.parts();
  const auto message = [&](const std::function<void(classic_parts&)>& change) {
    auto parts = good;
    change(parts);
    const auto bytes = write_classic(parts);
    const auto problem = error_of([&] { static_cast<void>(classic_model::of_file(nullptr, bytes, "a test")); });
    CHECK(problem.code() == error_code::format);
    return problem.found();
  };
  static_cast<void>(classic_model::of_file(nullptr, write_classic(good), "a test"));
  const auto labels = good.labels;
  std::vector<std::uint16_t> targets(good.targets.begin(), good.targets.end());
  targets.back() = static_cast<std::uint16_t>(labels * good.slots);
  CHECK(message([&](auto& p) { p.targets = targets; }) == "a weight of a label that is none");
  std::vector<std::uint32_t> begins(good.begins.begin(), good.begins.end());
  begins[1] = begins.back() + 1;
  CHECK(message([&](auto& p) { p.begins = begins; }) == "wrong places of weights");
  begins.assign(good.begins.begin(), good.begins.end());
  begins.back() += 1;
  CHECK(message([&](auto& p) { p.begins = begins; }) == "wrong places of weights");
  std::vector<float> weights(good.weights.begin(), good.weights.end());
  weights[3] = std::nanf("");
  CHECK(message([&](auto& p) { p.weights = weights; }) == "a weight that is not finite");
  CHECK(message([&](auto& p) { p.weights = p.weights.first(p.weights.size() - 1); }) == "a wrong count of weights");
  CHECK(message([&](auto& p) { p.begins = p.begins.first(p.begins.size() - 1); }) == "a wrong count of values");
  CHECK(message([&](auto& p) { p.transitions = p.transitions.first(1); }) == "a wrong count of transitions");
  CHECK(message([&](auto& p) { p.rules = p.rules.first(1); }) == "a wrong count of rules");
  const std::vector<std::uint8_t> rules(good.rules.size(), 0);
  CHECK(message([&](auto& p) { p.rules = rules; }) == "rules without a path");
  CHECK(message([](auto& p) { p.labels = 0; }) == "a number of labels that is none");
  CHECK(message([](auto& p) { p.slots = 65'536; }) == "a number of labels that is none");
  CHECK(message([](auto& p) { p.bits = 27; }) == "too many bits of a hash");
  CHECK(message([](auto& p) { p.bits = 5; }) == "keys and bits");
  CHECK(message([](auto& p) { p.keys.slots = p.keys.slots.first(1); }) == "slots without one");
  static_cast<void>(message([](auto& p) { p.settings = R"({"labels": ["O"], "templates": ["word[0]"]})"; }));
  static_cast<void>(message([](auto& p) { p.settings = R"({"labels": 1, "templates": []})"; }));
  static_cast<void>(message([](auto& p) { p.list = "not a gazetteer"; }));
}

TEST_CASE("numbers that lead elsewhere are refused, or label words all the same, though the digest is right") {
  const auto phrases = make_list();
  std::mt19937 random(10);
  for (const index_t bits : {0, 6}) {
    classic_training_options options;
    options.list = &phrases;
    options.hash_bits = bits;
    options.lbfgs.max_iterations = 5;
    const auto bytes = bytes_of(train(make_sentences(5, 11), options));
    std::size_t refused = 0;
    for (int i = 0; i < 400; ++i) {
      auto changed = bytes;
      const std::size_t at = i < 200 ? random() % 1000 : random() % changed.size();
      changed[at] = static_cast<std::byte>(random() % 3 == 0 ? 0xFFU : random() % 256);
      try {
        const auto model = reopen(std::move(changed));
        classic_decoder decoder(model);
        const list words = {"Anna", "Novak", "in", "New", "York", "x"};
        std::vector<float> probabilities;
        for (const auto label : decoder.decode(std::span<const std::string>(words), &probabilities)) {
          CHECK(static_cast<std::size_t>(label) < model.labels().size());
        }
      } catch (const error&) {
        ++refused;
      }
    }
    CHECK(refused > 40);
  }
}

TEST_CASE("a word that is refused is refused again, and the decoder serves the next sentence") {
  const auto sentences = make_sentences(60, 12);
  const auto model = train(sentences);
  classic_decoder decoder(model);
  const list bad = {"Anna", "lives", "\xFF"};
  for (int round = 0; round < 2; ++round) {
    for (int again = 0; again < 2; ++again) {
      const auto problem = error_of([&] { static_cast<void>(decoder.decode(std::span<const std::string>(bad))); });
      CHECK(problem.code() == error_code::parse);
    }
    for (const auto& s : sentences) {
      classic_decoder fresh(model);
      std::vector<float> expected;
      std::vector<float> found;
      static_cast<void>(fresh.decode(std::span<const std::string>(s.words), &expected));
      static_cast<void>(decoder.decode(std::span<const std::string>(s.words), &found));
      CHECK(found == expected);
    }
  }
}

TEST_CASE("a decoder that forgets labels as one that remembers") {
  // So many labels that there is memory for little more than a thousand words.
  std::vector<sentence> data;
  for (int i = 0; i < 100; ++i) data.push_back({{"w" + std::to_string(i)}, {"L" + std::to_string(i)}});
  classic_training_options options;
  options.lbfgs.max_iterations = 2;
  options.templates = templates_from_texts({"word[0]", "word[-8]", "word[8]"});
  const auto model = train(data, options);
  const auto expected = predict(model, data);
  classic_decoder decoder(model);
  const auto label = [&](const std::string& word) {
    return model.labels()[static_cast<std::size_t>(decoder.decode(std::span<const std::string>(&word, 1))[0])];
  };
  const auto unknown = label("u");
  for (int i = 0; i < 1500; ++i) CHECK(label("u" + std::to_string(i)) == unknown);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < data.size(); ++i) CHECK(label(data[i].words[0]) == expected[i][0]);
  }
}

}  // namespace test::classic_model_tests
