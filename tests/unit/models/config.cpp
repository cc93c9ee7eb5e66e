/// config.json of each family: what published models say is read, and what the encoder does not do
/// is refused by name.
#include <onoma/models/checkpoint_names.hpp>
#include <onoma/models/encoder_config.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::config_tests {
namespace {

using onoma::encoder_config;
using onoma::index_t;
using onoma::json;

/// A configuration that names all sizes under BERT's keys.
json bert_like(const char* model_type) {
  return {{"model_type", model_type},     {"vocab_size", 100},        {"hidden_size", 24},
          {"num_hidden_layers", 2},       {"num_attention_heads", 3}, {"intermediate_size", 40},
          {"max_position_embeddings", 20}};
}

/// The message of the error, or "" if the configuration is accepted.
std::string refusal(const json& config) {
  try {
    static_cast<void>(encoder_config::from_json(config));
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return {};
}

}  // namespace

TEST_CASE("multilingual BERT's configuration, with the keys that only its first release had") {
  const auto config = encoder_config::from_json(json::parse(R"({
    "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1,
    "directionality": "bidi", "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert",
    "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0,
    "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3,
    "pooler_size_per_head": 128, "pooler_type": "first_token_transform",
    "position_embedding_type": "absolute", "type_vocab_size": 2, "use_cache": true,
    "vocab_size": 119547})"));
  CHECK(config.vocabulary == 119547);
  CHECK(config.max_length() == 512);
  CHECK(config.to_json()["pooler_type"] == "first_token_transform");
}

TEST_CASE("positions of the RoBERTa family begin behind the padding id") {
  for (const char* type : {"roberta", "xlm-roberta", "camembert"}) {
    INFO(type);
    auto source = bert_like(type);
    source["type_vocab_size"] = 1;
    source["layer_norm_eps"] = 1e-5;
    auto config = encoder_config::from_json(source);
    CHECK(config.padding_id == 1);  // the family's default
    CHECK(config.first_position() == 2);
    CHECK(config.max_length() == 18);
    CHECK(config.types == 1);
    CHECK(config.norm_eps == 1e-5);
    CHECK(config.to_json()["max_position_embeddings"] == 20);
    source["pad_token_id"] = 4;
    CHECK(encoder_config::from_json(source).max_length() == 15);
    source["pad_token_id"] = 19;
    CHECK(refusal(source).find("max_position_embeddings") != std::string::npos);
    source["pad_token_id"] = nullptr;
    CHECK(refusal(source).find("pad_token_id") != std::string::npos);
    source["pad_token_id"] = -1;
    CHECK(refusal(source).find("pad_token_id") != std::string::npos);
  }
  CHECK(encoder_config::from_json(bert_like("bert")).max_length() == 20);
}

TEST_CASE("ELECTRA's tables have a width of their own") {
  auto source = bert_like("electra");
  CHECK(encoder_config::from_json(source).embedding == 128);  // ElectraConfig's default
  source["embedding_size"] = 16;
  auto config = encoder_config::from_json(source);
  CHECK(config.embedding == 16);
  CHECK(config.to_json()["embedding_size"] == 16);
  source["embedding_size"] = 24;  // as wide as the encoder: no projection
  config = encoder_config::from_json(source);
  CHECK(config.embedding == 0);
  CHECK(config.to_json()["embedding_size"] == 24);
  source["embedding_size"] = 0;
  CHECK(refusal(source).find("embedding_size") != std::string::npos);
}

TEST_CASE("MPNet's positions are counted from a padding id of 1 and its buckets are 32") {
  auto source = bert_like("mpnet");
  const auto config = encoder_config::from_json(source);
  CHECK(config.max_length() == 18);
  CHECK(config.types == 0);
  source["relative_attention_num_buckets"] = 32;
  source["pad_token_id"] = 1;
  CHECK(refusal(source) == "");
  CHECK(encoder_config::from_json(source).to_json()["relative_attention_num_buckets"] == 32);
  source["relative_attention_num_buckets"] = 64;
  CHECK(refusal(source).find("relative_attention_num_buckets") != std::string::npos);
  source["relative_attention_num_buckets"] = 32;
  source["pad_token_id"] = 0;
  CHECK(refusal(source).find("pad_token_id") != std::string::npos);
}

TEST_CASE("ModernBERT's configuration, as transformers 4 and 5 write it") {
  auto before = bert_like("modernbert");
  before.update({{"num_hidden_layers", 5},        {"num_attention_heads", 2},
                 {"pad_token_id", 7},             {"global_attn_every_n_layers", 2},
                 {"global_rope_theta", 5000.0},   {"local_rope_theta", 300.0},
                 {"local_attention", 16},         {"norm_eps", 1e-4},
                 {"mlp_dropout", 0.125},          {"embedding_dropout", 0.25},
                 {"attention_dropout", 0.5},      {"classifier_bias", true},
                 {"position_embedding_type", "absolute"}, {"classifier_pooling", "mean"}});
  const auto old = encoder_config::from_json(before);
  REQUIRE(old.pre_norm);
  CHECK(old.pre_norm->is_local == std::vector<bool>{false, true, false, true, false});
  CHECK(old.pre_norm->radius == 8);
  CHECK(old.pre_norm->global_base == 5000.0);
  CHECK(old.pre_norm->local_base == 300.0);
  CHECK(old.pre_norm->inner_dropout == 0.125);
  CHECK(old.pre_norm->embedding_dropout == 0.25);
  CHECK(old.attention_dropout == 0.5);
  CHECK_FALSE(old.pre_norm->norm_bias);
  REQUIRE(old.transform);
  CHECK(old.transform->bias);
  CHECK(old.transform->norm_eps == 1e-4);
  CHECK(old.max_length() == 20);

  // What is written has the keys of both; those of transformers 5 alone say the same.
  auto now = old.to_json();
  CHECK(now["global_attn_every_n_layers"] == 2);
  for (const char* key : {"global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"}) now.erase(key);
  const auto same = encoder_config::from_json(now);
  CHECK(same.pre_norm->is_local == old.pre_norm->is_local);
  CHECK(same.pre_norm->global_base == 5000.0);
  CHECK(same.to_json() == old.to_json());

  const auto refuses = [&](const char* key, const json& value) {
    auto changed = now;
    changed[key] = value;
    const auto message = refusal(changed);
    INFO(message);
    return message.find(key) != std::string::npos;
  };
  CHECK(refuses("layer_types", json::array({"full_attention"})));
  CHECK(refuses("layer_types", json::array({"full_attention", "x", "x", "x", "x"})));
  CHECK(refuses("rope_parameters", {{"full_attention", {{"rope_type", "yarn"}}}}));
  CHECK(refuses("rope_parameters", {{"sliding_attention", {{"rope_theta", -1.0}}}}));
  CHECK(refuses("rope_scaling", {{"type", "linear"}}));
  CHECK(refuses("num_attention_heads", 8));  // of three values each
  CHECK(refuses("pad_token_id", 100));
}

TEST_CASE("what is written is read back alike, for every family") {
  for (const auto* family : onoma::model_families) {
    INFO(family->model_type);
    encoder_config config(*family);
    // What a family's configuration cannot say stays as it is: MPNet's padding id, for one.
    const bool is_mpnet = family->model_type == "mpnet";
    if (!is_mpnet) config.padding_id = 3;
    if (config.types > 0) config.types = 1;
    if (!is_mpnet && family->model_type != "distilbert") config.classifier_dropout = 0.25;
    const auto written = config.to_json();
    const auto back = encoder_config::from_json(written);
    CHECK(back.to_json() == written);
    CHECK(back.family == family);
    CHECK(back.max_length() == config.max_length());
    CHECK(back.types == config.types);
    CHECK(back.classifier_dropout == config.classifier_dropout);
  }
}

TEST_CASE("fields that change the computation are refused by name") {
  const struct {
    const char* key;
    json value;
  } fields[] = {
      {"position_embedding_type", "relative_key"},
      {"attention_type", "block_sparse"},
      {"is_decoder", true},
      {"is_encoder_decoder", true},
      {"add_cross_attention", true},
      {"relative_attention", true},
      {"relative_attention_num_buckets", 16},
      {"embedding_size", 12},
      {"pruned_heads", {{"0", {1, 2}}}},
      {"quantization_config", {{"bits", 4}}},
      {"auto_map", {{"AutoModel", "modeling.Model"}}},
      {"hidden_act", "silu"},
      {"hidden_size", 25},
  };
  REQUIRE(refusal(bert_like("bert")) == "");
  for (const auto& field : fields) {
    INFO(field.key);
    auto config = bert_like("bert");
    config[field.key] = field.value;
    const bool heads = std::string(field.key) == "hidden_size";
    CHECK(refusal(config).find(heads ? "num_attention_heads" : field.key) != std::string::npos);
  }
  const auto message = refusal(bert_like("t5"));
  CHECK(message.find("'t5'") != std::string::npos);
  CHECK(message.find("camembert") != std::string::npos);
}

TEST_CASE("id2label alone names the labels, as in transformers; what contradicts it is a remark") {
  // Configuration, labels in transformers 5.24 (BertConfig.from_dict), and a word of the remark.
  const struct {
    json more;
    std::vector<std::string> labels;
    const char* remark;
  } cases[] = {
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}}}, {"label2id", {{"O", 0}, {"B-X", 1}}}}, {"O", "B-X"}, nullptr},
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}}}}, {"O", "B-X"}, nullptr},
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}}}, {"label2id", {{"LABEL_0", 0}, {"LABEL_1", 1}}}},
       {"O", "B-X"}, "not the inverse"},
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}}}, {"label2id", {{"O", "0"}, {"B-X", 0.5}}}},
       {"O", "B-X"}, "not the inverse"},
      {{{"id2label", {{"0", "O"}}}, {"label2id", json::array({"O"})}}, {"O"}, "not the inverse"},
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}, {"2", "O"}}}, {"label2id", {{"O", 2}, {"B-X", 1}}}},
       {"O", "B-X", "O"}, "ids 0 and 2"},
      {{{"label2id", {{"O", 0}, {"B-X", 1}, {"I-X", 2}}}}, {"LABEL_0", "LABEL_1"}, "without id2label"},
      {{{"id2label", {{"0", "O"}, {"1", "B-X"}}}, {"num_labels", 3}}, {"LABEL_0", "LABEL_1", "LABEL_2"},
       "num_labels"},
      {{{"id2label", nullptr}, {"num_labels", 3}}, {"LABEL_0", "LABEL_1", "LABEL_2"}, nullptr},
      {{{"id2label", json::object()}, {"label2id", json::object()}}, {"LABEL_0", "LABEL_1"}, nullptr},
  };
  for (const auto& [more, labels, remark] : cases) {
    INFO(more.dump());
    auto source = bert_like("bert");
    source.update(more);
    const auto config = encoder_config::from_json(source);
    CHECK(config.labels == labels);
    CHECK(config.remarks.size() == (remark == nullptr ? 0 : 1));
    if (remark != nullptr && !config.remarks.empty()) {
      CHECK(config.remarks.front().find(remark) != std::string::npos);
    }
    // What is written has nothing odd left but names that are there twice.
    const auto back = encoder_config::from_json(config.to_json());
    CHECK(back.labels == labels);
    CHECK(back.remarks.size() == (labels.size() == 3 && labels[0] == labels[2] ? 1 : 0));
  }
  // Ids without a name are refused: an answer with one could not be told.
  auto source = bert_like("bert");
  source["id2label"] = {{"0", "O"}, {"2", "B-X"}};
  CHECK(refusal(source).find("id 1") != std::string::npos);
}

TEST_CASE("every family names the tensors of a layer, and no others") {
  for (const auto* each : onoma::model_families) {
    const auto& family = *each;
    INFO(family.model_type);
    CHECK(onoma::tensor_names(family, "layer.1.feed_forward.expand.bias").size() == 1);
    CHECK(onoma::tensor_names(family, "layer.1.attention.query_key_value.bias").size() ==
          (family.model_type == "modernbert" ? 1 : 3));
    CHECK_THROWS_AS(static_cast<void>(onoma::tensor_names(family, "layer.1.x")), onoma::error);
  }
}

}  // namespace test::config_tests
