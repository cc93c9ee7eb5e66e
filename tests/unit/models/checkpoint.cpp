/// Checkpoints as training scripts leave them: heads of other tasks, buffers, names without prefix.
#include "support/temporary_folder.hpp"

#include <onoma/backend/reference.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace test::checkpoint_tests {
namespace {

namespace fs = std::filesystem;
using onoma::index_t;
using backend = onoma::reference_backend<float>;
using model = onoma::token_classifier<backend>;

const fs::path data = ONOMA_TEST_DATA_DIR;

/// The usual head under another name.
struct other_head : onoma::token_head<backend> {
  using token_head::token_head;
  static constexpr std::string_view kind = "other";
};

/// A model of tests/golden/data whose tensors can be renamed and joined by others.
struct altered {
  explicit altered(const std::string& name) : source(onoma::model_folder::open(data / name)) {
    for (const auto& tensor : source.tensors().tensors()) tensors.push_back(tensor);
  }
  /// Adds a tensor of zeros.
  void add(const std::string& name, std::vector<index_t> shape,
           onoma::dtype type = onoma::dtype::f32) {
    onoma::tensor_view tensor{name, type, std::move(shape), {}};
    tensor.bytes =
        std::span(zeros).first(static_cast<std::size_t>(tensor.elements() * onoma::size_of(type)));
    tensors.push_back(tensor);
  }
  void drop(const std::string& start) {
    std::erase_if(tensors, [&](const auto& t) { return t.name.rfind(start, 0) == 0; });
  }
  fs::path save(const temporary_folder& folder) const {
    const auto path = folder.path / "model";
    onoma::save_model_folder(path, source.config(), tensors, {});
    return path;
  }

  onoma::model_folder source;
  std::vector<onoma::tensor_view> tensors;
  std::vector<std::byte> zeros = std::vector<std::byte>(65536);
};

std::vector<float> weights_of(const model& m) {
  const auto values = m.parameters().values();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("tensors that a tagger does not need are ignored and reported, whatever the family") {
  const temporary_folder folder;
  backend device;
  for (const char* name : {"roberta-tiny", "xlm-roberta-tiny", "camembert-tiny", "electra-tiny"}) {
    INFO(name);
    altered checkpoint(name);
    const auto plain = model::load(data / name, {}, device);
    const std::string prefix(plain.config().family->prefix);
    checkpoint.add(prefix + "embeddings.position_ids", {1, 40}, onoma::dtype::i64);
    checkpoint.add(prefix + "embeddings.token_type_ids", {1, 40}, onoma::dtype::i64);
    checkpoint.add(prefix + "pooler.dense.weight", {24, 24});
    checkpoint.add("lm_head.decoder.weight", {61, 24});  // tied to the word table
    checkpoint.add("lm_head.layer_norm.bias", {24});
    checkpoint.add("discriminator_predictions.dense.bias", {24});
    checkpoint.add("pre_classifier.bias", {24});           // DistilBertForSequenceClassification
    checkpoint.add("sequence_summary.summary.bias", {24});  // ElectraForMultipleChoice
    auto m = model::load(checkpoint.save(folder), {}, device);
    CHECK(m.report().ignored.size() == 8);
    CHECK(m.report().initialised.empty());
    CHECK(weights_of(m) == weights_of(plain));

    // What was ignored is not written back.
    m.save(folder.path / "again");
    const auto again = onoma::model_folder::open(folder.path / "again");
    CHECK(again.tensors().tensors().size() == checkpoint.source.tensors().tensors().size());

    checkpoint.add(prefix + "encoder.layer.0.adapter.weight", {24});
    CHECK_THROWS_AS(static_cast<void>(model::load(checkpoint.save(folder), {}, device)),
                    onoma::error);
  }
}

TEST_CASE("a model loads alike from each kind of file, and saves over a folder of another kind") {
  const temporary_folder folder;
  backend device;
  const auto expected = weights_of(model::load(data / "roberta-tiny", {}, device));
  for (const char* name : {"roberta-tiny-shards", "roberta-tiny-bin", "roberta-tiny-bin-shards"}) {
    INFO(name);
    fs::copy(data / name, folder.path / name, fs::copy_options::recursive);
    const auto m = model::load(folder.path / name, {}, device);
    CHECK(m.report().initialised.empty());
    CHECK(weights_of(m) == expected);
    m.save(folder.path / name);
    CHECK(onoma::model_folder::open(folder.path / name).tensors().file_name() ==
          "model.safetensors");
    CHECK(weights_of(model::load(folder.path / name, {}, device)) == expected);
  }
}

TEST_CASE("names without the family's prefix, and the head of another task") {
  const temporary_folder folder;
  backend device;
  for (const char* name : {"roberta-tiny", "electra-tiny"}) {
    INFO(name);
    altered checkpoint(name);
    const auto plain = model::load(data / name, {}, device);
    const std::string prefix(plain.config().family->prefix);
    for (auto& tensor : checkpoint.tensors) {
      if (tensor.name.rfind(prefix, 0) == 0) tensor.name = tensor.name.substr(prefix.size());
    }
    CHECK(weights_of(model::load(checkpoint.save(folder), {}, device)) == weights_of(plain));

    // RobertaForSequenceClassification's head has two layers under the same name.
    checkpoint.drop("classifier.");
    checkpoint.add("classifier.dense.weight", {24, 24});
    checkpoint.add("classifier.out_proj.bias", {3});
    const auto m = model::load(checkpoint.save(folder), {"A", "B"}, device);
    CHECK(m.report().initialised ==
          std::vector<std::string>{"classifier.weight", "classifier.bias"});
    CHECK(m.report().ignored.size() == 2);
  }
}

TEST_CASE("what is odd in config.json is in the report; a new head has no two labels of one name") {
  const temporary_folder folder;
  backend device;
  const altered checkpoint("bert-tiny");
  auto config = checkpoint.source.config();
  CHECK(model::load(data / "bert-tiny", {}, device).report().remarks.empty());
  config["label2id"] = {{"LABEL_0", 0}};
  config["id2label"]["1"] = config["id2label"]["0"];
  const auto path = folder.path / "odd";
  onoma::save_model_folder(path, config, checkpoint.tensors, {});
  const auto odd = model::load(path, {}, device);
  REQUIRE(odd.report().remarks.size() == 1);
  CHECK(odd.report().remarks[0].find("ids 0 and 1") != std::string::npos);
  CHECK(odd.labels()[0] == odd.labels()[1]);
  CHECK(model::load(path, odd.labels(), device).labels() == odd.labels());  // the head is kept
  CHECK_THROWS_AS(static_cast<void>(model::load(path, {"O", "O"}, device, {.replace_head = true})),
                  onoma::error);
}

TEST_CASE("what a head has before its scores comes from a checkpoint of masked language modelling") {
  const temporary_folder folder;
  backend device;
  altered checkpoint("modernbert-tiny");
  checkpoint.drop("classifier.");
  checkpoint.add("decoder.bias", {61});
  const auto m = model::load(checkpoint.save(folder), {"A", "B"}, device);
  CHECK(m.report().initialised == std::vector<std::string>{"classifier.weight", "classifier.bias"});
  CHECK(m.report().ignored == std::vector<std::string>{"decoder.bias"});
  const auto plain = model::load(data / "modernbert-tiny", {}, device);
  const auto value = [](const model& of, const std::string& name) {
    const auto entries = of.parameters().layout().entries();
    const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == name; });
    REQUIRE(entry != entries.end());
    return of.parameters().download_value(*entry);
  };
  CHECK(value(m, "head.dense.weight") == value(plain, "head.dense.weight"));

  // An encoder alone: all of the head is new. A head that has scores has all of itself.
  checkpoint.drop("head.");
  CHECK(model::load(checkpoint.save(folder), {"A", "B"}, device).report().initialised.size() == 4);
  altered part("modernbert-tiny");
  part.drop("head.norm.");
  CHECK_THROWS_WITH_AS(static_cast<void>(model::load(part.save(folder), {}, device)),
                       doctest::Contains("head.norm.weight"), onoma::error);
}

TEST_CASE("a sequence may be as long as the rows behind the padding id") {
  backend device;
  auto m = model::load(data / "roberta-tiny", {}, device);
  CHECK(m.max_length() == 40);
  onoma::token_batch batch;
  batch.add(std::vector<std::int32_t>(40, 7));
  CHECK(m.logits(batch).rows == 40);
  batch.add(std::vector<std::int32_t>(41, 7));
  CHECK_THROWS_AS(static_cast<void>(m.logits(batch)), onoma::error);
}

TEST_CASE("an encoder without a head takes a head of any kind, and a folder with one only that") {
  using other_model = onoma::trainable_model<backend, other_head>;
  backend device;
  const temporary_folder folder;
  const auto other = other_model::load(data / "bert-tiny-bare", {}, device);
  CHECK(other.report().initialised.size() == 2);
  other.save(folder.path / "other");
  CHECK_NOTHROW(other_model::load(folder.path / "other", {}, device));
  CHECK_THROWS_WITH_AS(model::load(folder.path / "other", {}, device),
                       doctest::Contains("a head of kind 'token', found one of kind 'other'"), onoma::error);
  const auto own = model::load(data / "bert-tiny", {}, device).labels();
  CHECK_THROWS_WITH_AS(other_model::load(data / "bert-tiny", own, device),
                       doctest::Contains("a head of kind 'other', found one of kind 'token'"), onoma::error);
}

}  // namespace test::checkpoint_tests
