#include "models/onnx/onnx_decoder.h"

#include <cmath>

#include "passes/lift_paged_attention.h"

namespace ingot {
namespace {

constexpr int64_t kSizeMax = int64_t{1} << 31;
constexpr int64_t kLayersMax = 4096;

std::string decoder_key(std::string_view name) { return fmt::format("genai_config.model.decoder.{}", name); }

// As the file has it.
std::string_view shown(std::string_view key) { return key.substr(std::string_view("genai_config.").size()); }

Result<int64_t> size_at(const Source& source, const std::string& key, bool required) {
  const auto v = INGOT_TRY(source.get_int(key));
  if (!v && !required) return 0;
  if (!v)
    return invalid("[genai] genai_config.json has no '{}': the folder is incomplete, download it again", shown(key));
  if (*v < 1 || *v >= kSizeMax)
    return invalid("[genai] genai_config.json: '{}' is {}, not a size in [1, 2^31)", shown(key), *v);
  return *v;
}

Result<std::string> name_at(const Source& source, const std::string& key, std::string_view otherwise) {
  return std::string(INGOT_TRY(source.get_string(key)).value_or(otherwise));
}

// A name with one %d, which stands for the layer.
struct LayerName {
  std::string head, tail;
  std::string of(int64_t layer) const { return fmt::format("{}{}{}", head, layer, tail); }
};

Result<LayerName> layer_name_at(const Source& source, const std::string& key, std::string_view otherwise) {
  const std::string text = INGOT_TRY(name_at(source, key, otherwise));
  const size_t at = text.find("%d");
  if (at == text.npos || text.find('%', at + 1) != text.npos || text.find('%') != at)
    return invalid("[genai] genai_config.json: '{}' is '{}', not a name with one %d for the layer", shown(key), text);
  return LayerName{text.substr(0, at), text.substr(at + 2)};
}

Result<LiftOptions> lift_options(const Source& source, const ModelConfig& config, const BuildOptions& options) {
  LiftOptions o{.kv_dtype = options.kv_dtype,
                .page_tokens = options.page_tokens,
                .context = options.context > 0 ? options.context : config.context};
  o.token_ids = INGOT_TRY(name_at(source, decoder_key("inputs.input_ids"), "input_ids"));
  o.position_ids = INGOT_TRY(name_at(source, decoder_key("inputs.position_ids"), "position_ids"));
  o.logits = INGOT_TRY(name_at(source, decoder_key("outputs.logits"), "logits"));
  const auto past = [&](std::string_view key, std::string_view otherwise) {
    return layer_name_at(source, decoder_key(key), otherwise);
  };
  const LayerName past_key = INGOT_TRY(past("inputs.past_key_names", "past_key_values.%d.key"));
  const LayerName past_value = INGOT_TRY(past("inputs.past_value_names", "past_key_values.%d.value"));
  const LayerName key = INGOT_TRY(past("outputs.present_key_names", "present.%d.key"));
  const LayerName value = INGOT_TRY(past("outputs.present_value_names", "present.%d.value"));
  for (int64_t i = 0; i < config.layers; ++i)
    o.layers.push_back({past_key.of(i), past_value.of(i), key.of(i), value.of(i)});
  return o;
}

// The graph is what runs; a configuration that says otherwise belongs to another one.
Result<void> check_config(const ModelConfig& config, const LiftedDecoder& decoder) {
  const auto differs = [](std::string_view key, int64_t claimed, int64_t is) {
    return invalid("[genai] genai_config.json: '{}' is {}, the graph has {}: they belong to different models", key,
                   claimed, is);
  };
  for (const LiftedDecoder::Heads& h : decoder.layers) {
    if (config.heads != h.query) return differs("model.decoder.num_attention_heads", config.heads, h.query);
    if (config.kv_heads != h.kv) return differs("model.decoder.num_key_value_heads", config.kv_heads, h.kv);
    if (config.head_dim != h.dim) return differs("model.decoder.head_size", config.head_dim, h.dim);
  }
  if (config.width != decoder.width) return differs("model.decoder.hidden_size", config.width, decoder.width);
  if (config.vocab > decoder.vocab) return differs("model.vocab_size", config.vocab, decoder.vocab);
  if (decoder.tokens_max > 0 && decoder.tokens_max < decoder.vocab)
    return invalid("[genai] the graph has embeddings of {} tokens and logits of {}: it is damaged", decoder.tokens_max,
                   decoder.vocab);
  return {};
}

}  // namespace

Result<ModelConfig> read_genai_config(const Source& source) {
  const auto type = INGOT_TRY(source.get_string("genai_config.model.type"));
  if (!type) return invalid("[genai] genai_config.json has no 'model.type'");
  ModelConfig c{.architecture = std::string(*type)};
  c.layers = INGOT_TRY(size_at(source, decoder_key("num_hidden_layers"), true));
  if (c.layers > kLayersMax)
    return invalid("[genai] genai_config.json: 'model.decoder.num_hidden_layers' is {}, over the limit {}", c.layers,
                   kLayersMax);
  c.heads = INGOT_TRY(size_at(source, decoder_key("num_attention_heads"), true));
  c.kv_heads = INGOT_TRY(size_at(source, decoder_key("num_key_value_heads"), true));
  c.head_dim = INGOT_TRY(size_at(source, decoder_key("head_size"), true));
  c.width = INGOT_TRY(size_at(source, decoder_key("hidden_size"), true));
  c.vocab = INGOT_TRY(size_at(source, "genai_config.model.vocab_size", true));
  c.context = INGOT_TRY(size_at(source, "genai_config.model.context_length", true));
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  return c;
}

Result<LanguageModel> build_onnx_decoder(const Source& source, const BuildOptions& options) {
  ModelConfig config = INGOT_TRY(read_genai_config(source));
  const LiftOptions lift = INGOT_TRY(lift_options(source, config, options));
  LiftedDecoder decoder = INGOT_TRY(lift_paged_attention(INGOT_TRY(source.import_graph()), lift));
  INGOT_TRY(check_config(config, decoder));
  config.vocab = decoder.vocab;
  const int64_t positions = decoder.positions_max;
  if (positions > 0 && options.context > positions)
    return invalid("[genai] a context of {} is asked for; the graph has tables for {} positions: choose --ctx {}",
                   options.context, positions, positions);
  if (positions > 0) config.context = std::min(config.context, positions);
  return LanguageModel{std::move(decoder.graph), std::move(config)};
}

}  // namespace ingot
