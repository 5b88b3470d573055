// What models make of metadata: transformers' defaults, both formats' spellings, and what cannot be.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>

#include "models/model.h"
#include "models/rope.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

std::string golden(std::string_view name) { return fmt::format("{}/tests/goldens/{}", INGOT_SOURCE_DIR, name); }

// A Hugging Face folder with this config.json and the weights of another one, or none at all.
class Folder {
 public:
  explicit Folder(const std::string& weights_from = "") {
    std::string name = (fs::temp_directory_path() / "ingot-models-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    const fs::path weights = path_ / "model.safetensors";
    if (!weights_from.empty())
      fs::copy_file(fs::path(weights_from) / "model.safetensors", weights);
    else
      std::ofstream(weights, std::ios::binary).write("\x02\0\0\0\0\0\0\0{}", 10);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::shared_ptr<const Source> open(const std::string& config) const {
    std::ofstream(path_ / "config.json", std::ios::trunc) << config;
    auto source = open_source(path_.string());
    EXPECT_TRUE(source) << source.error().message();
    return source ? *source : nullptr;
  }

 private:
  fs::path path_;
};

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// GGUF metadata alone.
class Metadata final : public Source {
 public:
  explicit Metadata(std::vector<std::pair<std::string_view, MetaValue>> values) : values_(std::move(values)) {
    build_index();
  }
  SourceKind kind() const override { return SourceKind::kGguf; }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return values_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view) const override { return {}; }

 private:
  std::vector<std::pair<std::string_view, MetaValue>> values_;
  std::vector<std::string> paths_;
  std::vector<SourceTensor> tensors_;
};

Metadata llama_gguf(std::vector<std::pair<std::string_view, MetaValue>> more) {
  std::vector<std::pair<std::string_view, MetaValue>> values = {{"llama.block_count", int64_t{2}},
                                                                {"llama.embedding_length", int64_t{64}},
                                                                {"llama.attention.head_count", int64_t{4}},
                                                                {"llama.context_length", int64_t{128}},
                                                                {"llama.attention.layer_norm_rms_epsilon", 1e-5}};
  values.insert(values.end(), more.begin(), more.end());
  return Metadata(std::move(values));
}

std::string all_of(const ModelConfig& c) {
  return fmt::format(
      "{} layers {} width {} ffn {} heads {} of {} kv {} context {} eps {} window {} caps {} {} rope {} "
      "of {} {} {} from {} experts {} of {} ffn {}",
      c.architecture, c.layers, c.width, c.ffn, c.heads, c.head_dim, c.kv_heads, c.context, c.norm_eps, c.window,
      c.attention_softcap, c.logit_softcap, c.rope.base, c.rope.rotary_dim, c.rope.scaling, c.rope.factor,
      c.rope.original_context, c.experts_used, c.experts, c.expert_ffn);
}

class ClassDefault : public testing::TestWithParam<std::string> {};

TEST_P(ClassDefault, is_what_transformers_writes_out) {
  const std::string type = GetParam(), qwen = type.starts_with("qwen") ? R"(, "use_sliding_window": true)" : "";
  const Folder folder;
  std::string text[2];
  for (bool written : {false, true}) {
    const auto source = folder.open(written ? read_text(golden("config_defaults/" + type + ".json"))
                                            : R"({"model_type": ")" + type + "\"" + qwen + "}");
    ASSERT_TRUE(source);
    const auto config = read_config(*source, *read_architecture(*source));
    ASSERT_TRUE(config) << config.error().message();
    text[written] = all_of(*config);
  }
  EXPECT_EQ(text[0], text[1]);
}

INSTANTIATE_TEST_SUITE_P(, ClassDefault,
                         testing::Values("gemma2", "gemma3_text", "gpt2", "llama", "mistral", "mixtral", "phi3",
                                         "qwen2", "qwen3", "qwen3_moe"),
                         [](const auto& p) { return p.param; });

// The graph of a model, rotation tables' numbers included.
std::string graph_of(std::shared_ptr<const Source> source) {
  auto model = build_model(std::move(source), {});
  if (!model) return model.error().message();
  std::string text = print(model->graph);
  for (size_t i = 0; i < model->graph.num_values(); ++i) {
    const Value& v = model->graph.value(ValueId{static_cast<int32_t>(i)});
    if (!v.name.starts_with("rope_inv_freq")) continue;
    for (int64_t k = 0; k < v.constant.shape().num_elements(); ++k)
      text += fmt::format(" {}", v.constant.as<float>()[k]);
  }
  return text;
}

TEST(BuildModel, takes_fields_left_out_as_their_class_has_them) {
  int models = 0;
  for (const auto& entry : fs::directory_iterator(golden("config_defaults"))) {
    const std::string name = entry.path().stem().stem().string();
    if (!entry.path().stem().string().ends_with(".left_out")) continue;
    const std::string model = golden("models/" + name);
    const Folder folder(model);
    const std::string written = graph_of(folder.open(read_text(model + "/config.json")));
    EXPECT_TRUE(written.starts_with("graph")) << written;
    EXPECT_EQ(graph_of(folder.open(read_text(entry.path().string()))), written) << name;
    EXPECT_EQ(graph_of(folder.open(read_text(model + "/config_v5.json"))), written)
        << name << ", as version 5 writes it";
    ++models;
  }
  EXPECT_GE(models, 8);
}

TEST(BuildModel, gives_qwen_its_window_only_where_it_is_switched_on) {
  const std::string model = golden("models/qwen2_window");
  const Folder folder(model);
  std::string config = read_text(model + "/config.json");
  const auto windows = [](const std::string& text) {
    std::vector<int> out;
    for (size_t at = text.find("window="); at != text.npos; at = text.find("window=", at + 1))
      out.push_back(std::stoi(text.substr(at + 7)));
    return out;
  };
  EXPECT_EQ(windows(graph_of(folder.open(config))), (std::vector{0, 0, 24}));
  const std::string on = R"("use_sliding_window": true)";
  config.replace(config.find(on), on.size(), R"("use_sliding_window": false)");
  EXPECT_EQ(windows(graph_of(folder.open(config))), (std::vector{0, 0, 0}));
}

// The error of the model `name` with this field in its config.json, or its graph.
std::string with_field(const std::string& name, const std::string& field, const std::string& value) {
  const std::string model = golden("models/" + name);
  const Folder folder(model);
  std::string config = read_text(model + "/config.json");
  const std::string known = fmt::format("\n \"{}\":", field);
  if (const size_t at = config.find(known); at != config.npos) config.erase(at, config.find(',', at) + 1 - at);
  config.replace(config.find('{'), 1, fmt::format("{{\"{}\": {},", field, value));
  return graph_of(folder.open(config));
}

TEST(BuildModel, takes_the_activation_that_the_config_names) {
  constexpr std::pair<const char*, const char*> kFields[] = {
      {"llama", "hidden_act"},         {"qwen2", "hidden_act"},         {"phi3", "hidden_act"},
      {"gemma2", "hidden_activation"}, {"gemma3", "hidden_activation"}, {"gpt2", "activation_function"}};
  for (const auto& [name, field] : kFields) {
    for (const auto& [given, known] : {std::pair{"relu", "relu"},
                                       {"swish", "silu"},
                                       {"gelu", "gelu"},
                                       {"gelu_fast", "gelu_tanh"},
                                       {"gelu_new", "gelu_tanh"}}) {
      const std::string graph = with_field(name, field, fmt::format("\"{}\"", given));
      EXPECT_NE(graph.find(fmt::format("activation=\"{}\"", known)), std::string::npos) << graph;
    }
    const std::string error = with_field(name, field, "\"quick_gelu\"");
    EXPECT_NE(error.find(fmt::format("'config.{}' is 'quick_gelu'", field)), std::string::npos) << error;
  }
  EXPECT_EQ(with_field("gemma2", "hidden_act", "\"relu\""), with_field("gemma2", "hidden_act", "\"gelu\""));
}

TEST(BuildModel, refuses_what_would_change_the_numbers_unseen) {
  for (const auto& [name, field, value] : {std::tuple{"gpt2", "scale_attn_weights", "false"},
                                           {"gpt2", "scale_attn_by_inverse_layer_idx", "true"},
                                           {"gpt2", "add_cross_attention", "true"},
                                           {"gemma2", "use_bidirectional_attention", "true"},
                                           {"gemma3", "use_bidirectional_attention", "true"},
                                           {"llama", "quantization_config", R"({"quant_method": "fp8"})"}}) {
    const std::string error = with_field(name, field, value);
    EXPECT_NE(error.find(fmt::format("'config.{}'", field)), std::string::npos) << error;
  }
}

TEST(BuildModel, wants_a_head_where_the_embeddings_are_not_shared) {
  for (const char* name : {"gemma2", "llama3", "gpt2"}) {
    const std::string error = with_field(name, "tie_word_embeddings", "false");
    EXPECT_NE(error.find("'lm_head.weight' is missing"), std::string::npos) << error;
  }
  EXPECT_TRUE(with_field("llama", "tie_word_embeddings", "true").starts_with("graph"));
}

TEST(ReadConfig, refuses_attention_that_sees_the_future) {
  const auto config = read_config(llama_gguf({{"llama.attention.causal", false}}), "llama");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message().find("'llama.attention.causal' is false"), std::string::npos);
  EXPECT_TRUE(read_config(llama_gguf({{"llama.attention.causal", true}}), "llama"));
}

TEST(ReadConfig, wants_the_epsilon_that_a_gguf_must_have) {
  const Metadata source({{"llama.block_count", int64_t{2}},
                         {"llama.embedding_length", int64_t{64}},
                         {"llama.attention.head_count", int64_t{4}},
                         {"llama.context_length", int64_t{128}}});
  const auto config = read_config(source, "llama");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message().find("'llama.attention.layer_norm_rms_epsilon' is missing"), std::string::npos);
}

// llama.cpp's defaults.
TEST(ReadConfig, knows_what_a_gguf_of_gemma_2_may_leave_out) {
  std::vector<std::pair<std::string_view, MetaValue>> values = {{"general.architecture", std::string_view("gemma2")},
                                                                {"gemma2.block_count", int64_t{2}},
                                                                {"gemma2.embedding_length", int64_t{64}},
                                                                {"gemma2.attention.head_count", int64_t{4}},
                                                                {"gemma2.context_length", int64_t{128}},
                                                                {"gemma2.attention.layer_norm_rms_epsilon", 1e-6}};
  const auto c = read_config(Metadata(values), "gemma2");
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ(c->window, 4096);
  EXPECT_EQ(c->attention_softcap, 50);
  EXPECT_EQ(c->logit_softcap, 30);
  values.insert(values.end(),
                {{"gemma2.attention.sliding_window", int64_t{24}}, {"gemma2.attn_logit_softcapping", 3.0}});
  const auto other = read_config(Metadata(values), "gemma2");
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->window, 24);
  EXPECT_EQ(other->attention_softcap, 3);
}

TEST(ReadConfig, scales_linearly_where_a_gguf_gives_a_factor_alone) {
  const auto rope = [](std::vector<std::pair<std::string_view, MetaValue>> more) {
    const auto c = read_config(llama_gguf(std::move(more)), "llama");
    return c ? fmt::format("{} {}", c->rope.scaling, c->rope.factor) : std::string(c.error().message());
  };
  EXPECT_EQ(rope({{"llama.rope.scaling.factor", 4.0}}), "linear 4");
  EXPECT_EQ(rope({{"llama.rope.scale_linear", 2.0}}), "linear 2");
  EXPECT_EQ(rope({{"llama.rope.scaling.factor", 0.0}}), "none 1");
  EXPECT_EQ(rope({{"llama.rope.scaling.factor", 1.0}}), "none 1");
  EXPECT_EQ(rope({{"llama.rope.scaling.type", std::string_view("none")}, {"llama.rope.scaling.factor", 4.0}}),
            "none 1");
}

// Each line of rope.json: a config.json, what one run sees, and transformers' frequencies for it.
TEST(RopeFrequencies, equal_those_of_transformers) {
  std::ifstream lines(golden("rope.json"));
  const Folder folder;
  int cases = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("{")) continue;
    const size_t config = line.find("{", 1), rest = line.find(", \"context\"");
    ASSERT_NE(rest, line.npos);
    const std::string wanted = fmt::format("{{\"golden\": {{{}, ", line.substr(rest + 2, line.rfind('}') - rest - 1));
    const auto source = folder.open(wanted + line.substr(config + 1, rest - config - 1));
    ASSERT_TRUE(source);
    const std::string architecture = *read_architecture(*source);
    const auto c = read_config(*source, architecture);
    ASSERT_TRUE(c) << c.error().message() << " " << line;
    const Hyperparameters h(*source, architecture);
    RopeConfig rope = c->rope;
    if (architecture == "gemma3") rope.base = 1e6;  // of the layers that see everything
    const RopeFrequencies got = rope_frequencies(rope, *h.size_or({"", "golden.context"}, 0), {});
    const std::vector<float> want = h.floats({"", "golden.inv_freq"});
    ASSERT_EQ(got.inv_freq.size(), want.size()) << line;
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.inv_freq[i], want[i], 1e-6f * want[i]) << i << " " << line;
    EXPECT_NEAR(got.scale, *h.number_or({"", "golden.scale"}, 0), 1e-6) << line;
    ++cases;
  }
  EXPECT_GE(cases, 15);
}

TEST(BuildModel, scales_the_layers_of_gemma_3_that_see_everything_as_it_says) {
  const std::string model = golden("models/gemma3"), kind = R"("linear")";
  const Folder folder(model);
  std::string config = read_text(model + "/config.json");
  const std::string linear = graph_of(folder.open(config));
  config.replace(config.find(kind), kind.size(),
                 R"("yarn", "original_max_position_embeddings": 32, "attention_factor": 1.5)");
  const std::string graph = graph_of(folder.open(config));
  EXPECT_TRUE(graph.starts_with("graph")) << graph;
  EXPECT_NE(graph, linear);
  EXPECT_NE(graph.find("{scale=1.5f}"), std::string::npos) << graph;  // the global table
  EXPECT_NE(graph.find("{scale=1f}"), std::string::npos) << graph;    // the local one
}

TEST(ReadConfig, tells_null_from_absent) {
  const Folder folder;
  const auto window = [&](const std::string& field) {
    const auto source = folder.open(R"({"model_type": "mistral")" + field + "}");
    return read_config(*source, "llama")->window;
  };
  EXPECT_EQ(window(""), 4096);
  EXPECT_EQ(window(R"(, "sliding_window": null)"), 0);
  EXPECT_EQ(window(R"(, "sliding_window": 77)"), 77);
}

TEST(ReadConfig, refuses_a_rotating_part_that_cannot_be) {
  const Folder folder;
  for (const char* factor : {"0", "-0.5", "1.01", "0.001", "0.055", "1e300"}) {
    const auto source = folder.open(fmt::format(R"({{"model_type": "phi3", "partial_rotary_factor": {}}})", factor));
    const auto config = read_config(*source, "phi3");
    ASSERT_FALSE(config) << factor;
    EXPECT_NE(config.error().message().find("'config.partial_rotary_factor'"), std::string::npos)
        << config.error().message();
  }
  EXPECT_EQ(
      read_config(*folder.open(R"({"model_type": "phi3", "partial_rotary_factor": 0.75})"), "phi3")->rope.rotary_dim,
      72);
  for (int64_t dims : {0, 1, 7, 18})
    EXPECT_FALSE(read_config(llama_gguf({{"llama.rope.dimension_count", dims}}), "llama")) << dims;
  EXPECT_TRUE(read_config(llama_gguf({{"llama.rope.dimension_count", int64_t{16}}}), "llama"));
}

TEST(ReadConfig, multiplies_the_factor_of_a_gguf_with_that_of_yarn) {
  const auto factor = [](const char* scaling, double attention) {
    return read_config(llama_gguf({{"llama.rope.scaling.type", std::string_view(scaling)},
                                   {"llama.rope.scaling.factor", 4.0},
                                   {"llama.rope.scaling.attn_factor", attention}}),
                       "llama")
        ->rope.attention_factor;
  };
  EXPECT_NEAR(factor("yarn", 0.8), 0.8 * (1 + 0.1 * std::log(4.0)), 1e-12);
  EXPECT_EQ(factor("longrope", 0.8), 0.8);
}

TEST(ReadConfig, names_the_field_that_cannot_be) {
  const Folder folder;
  constexpr std::pair<const char*, const char*> kBad[] = {
      {R"("head_dim": 7)", "'config.head_dim' is 7"},
      {R"("final_logit_softcapping": -1)", "'config.final_logit_softcapping' is -1"},
      {R"("rope_scaling": "yarn")", "'config.rope_scaling'"},
      {R"("rope_scaling": {"rope_type": "linear", "factor": 0})", "'config.rope_scaling.factor' is 0"},
      {R"("rope_scaling": {"rope_type": "yarn", "factor": 2, "attention_factor": -1})",
       "'config.rope_scaling.attention_factor' is -1"},
      {R"("rope_theta": 1, "rope_scaling": {"rope_type": "yarn", "factor": 2})", "'config.rope_theta' is 1"},
      {R"("rope_scaling": {"rope_type": "longrope", "factor": 2, "original_max_position_embeddings": 1})",
       "'config.rope_scaling.original_max_position_embeddings' is 1"}};
  for (const auto& [field, message] : kBad) {
    const auto config = read_config(*folder.open(fmt::format(R"({{"model_type": "llama", {}}})", field)), "llama");
    ASSERT_FALSE(config) << field;
    EXPECT_NE(config.error().message().find(message), std::string::npos) << config.error().message();
  }
}

TEST(BuildModel, names_what_cannot_be_about_experts) {
  constexpr std::tuple<const char*, const char*, const char*, const char*> kBad[] = {
      {"mixtral", "num_experts_per_tok", "6", "'config.num_experts_per_tok' is 6, more than the 5 experts"},
      {"mixtral", "num_experts_per_tok", "0", "'config.num_experts_per_tok' is 0"},
      {"mixtral", "num_local_experts", "0", "'config.num_local_experts' is 0"},
      {"mixtral", "num_local_experts", "1000000", "'config.num_local_experts' is 1000000, over the limit"},
      {"mixtral", "num_local_experts", "7",
       "block_sparse_moe.gate.weight' has shape [5,32], the metadata asks for [7,32]"},
      {"mixtral", "intermediate_size", "25", "experts.0.w1.weight' has shape [24,32]"},
      {"qwen3moe", "moe_intermediate_size", "17", "experts.0.gate_proj.weight' has shape [16,32]"},
      {"qwen3moe", "decoder_sparse_step", "0", "'config.decoder_sparse_step' is 0"},
      {"qwen3moe", "decoder_sparse_step", "2", "'model.layers.0.mlp.gate_proj.weight' is missing"},
      {"qwen3moe", "mlp_only_layers", "[1]", "'model.layers.1.mlp.gate_proj.weight' is missing"},
      {"qwen3moe", "mlp_only_layers", "1", "'config.mlp_only_layers' is not a list of integers"},
      {"llama", "num_local_experts", "4", "'config.num_experts_per_tok' is missing"}};
  for (const auto& [name, field, value, message] : kBad) {
    const std::string error = with_field(name, field, value);
    EXPECT_NE(error.find(message), std::string::npos) << field << " " << value << ": " << error;
  }
  EXPECT_TRUE(with_field("qwen3moe", "mlp_only_layers", "null").starts_with("graph"));
}

TEST(ReadConfig, names_what_cannot_be_about_experts_of_a_gguf) {
  const auto message = [](int64_t count, int64_t used, int64_t gating) {
    const auto c = read_config(llama_gguf({{"llama.feed_forward_length", int64_t{96}},
                                           {"llama.expert_count", count},
                                           {"llama.expert_used_count", used},
                                           {"llama.expert_gating_func", gating}}),
                               "llama");
    return c ? fmt::format("{} of {}, ffn {}", c->experts_used, c->experts, c->expert_ffn)
             : std::string(c.error().message());
  };
  EXPECT_EQ(message(8, 2, 1), "2 of 8, ffn 96");
  EXPECT_EQ(message(0, 2, 1), "0 of 0, ffn 0");
  EXPECT_NE(message(8, 9, 1).find("'llama.expert_used_count' is 9, more than the 8"), std::string::npos);
  EXPECT_NE(message(8, 0, 1).find("'llama.expert_used_count' is 0"), std::string::npos);
  EXPECT_NE(message(-1, 2, 1).find("'llama.expert_count' is -1"), std::string::npos);
  EXPECT_NE(message(8, 2, 2).find("'llama.expert_gating_func' is 2"), std::string::npos);
}

// The GGUF of mixtral with a change to the tensors whose names contain `where`: stacks of experts apart, as old files
// have them; left out; or one expert short.
class ChangedExperts final : public Source {
 public:
  enum class Change { kApart, kWithout, kShort };
  ChangedExperts(Change change, std::string_view where) : original_(*open_source(golden("models/mixtral/model.gguf"))) {
    for (SourceTensor t : original_->tensors()) {
      const TensorView all = t.view;
      const bool matches = t.name.find(where) != t.name.npos;
      if (matches && change == Change::kWithout) continue;
      if (matches && change == Change::kShort) t.view.shape[0] -= 1;
      const bool apart = matches && change == Change::kApart;
      if (apart) t.view.shape = {all.shape[1], all.shape[2]};
      const std::string_view stem = t.name.substr(0, t.name.find("_exps"));
      for (int64_t e = 0; e < (apart ? all.shape[0] : 1); ++e) {
        if (apart) t.name = names_.emplace_back(fmt::format("{}.{}.weight", stem, e));
        t.view.data = all.as<std::byte>() + static_cast<size_t>(e) * t.view.num_bytes();
        tensors_.push_back(t);
      }
    }
    build_index();
  }
  SourceKind kind() const override { return SourceKind::kGguf; }
  const std::vector<std::string>& paths() const override { return original_->paths(); }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return original_->metadata(); }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view) const override { return {}; }

  static std::string graph(Change change, std::string_view where) {
    return graph_of(std::make_shared<ChangedExperts>(change, where));
  }

 private:
  std::shared_ptr<const Source> original_;
  std::deque<std::string> names_;
  std::vector<SourceTensor> tensors_;
};

TEST(BuildModel, takes_experts_stacked_or_apart_and_says_which_are_missing) {
  using Change = ChangedExperts::Change;
  const std::string apart = ChangedExperts::graph(Change::kApart, "_exps");
  EXPECT_TRUE(apart.starts_with("graph")) << apart;
  EXPECT_NE(apart.find("blk.1.ffn_down.4.weight"), std::string::npos) << apart;
  const std::string without = ChangedExperts::graph(Change::kWithout, "blk.1.ffn_up_exps");
  EXPECT_NE(without.find("tensor 'blk.1.ffn_up_exps.weight' is missing"), std::string::npos) << without;
  const std::string router = ChangedExperts::graph(Change::kWithout, "blk.0.ffn_gate_inp");
  EXPECT_NE(router.find("tensor 'blk.0.ffn_gate_inp.weight' is missing"), std::string::npos) << router;
  const std::string few = ChangedExperts::graph(Change::kShort, "blk.0.ffn_down_exps");
  EXPECT_NE(few.find("'blk.0.ffn_down_exps.weight' has shape [4,32,24], the metadata asks for [5,32,24]"),
            std::string::npos)
      << few;
}

TEST(BuildModel, refuses_a_vocabulary_beyond_the_embeddings) {
  const std::string error = with_field("llama", "vocab_size", "100000");
  EXPECT_NE(error.find("'config.vocab_size' is 100000"), std::string::npos) << error;
  EXPECT_TRUE(with_field("llama", "vocab_size", "200").starts_with("graph"));
}

}  // namespace
}  // namespace ingot
