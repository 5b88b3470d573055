// Hyperparameters of a decoder-only language model, read from GGUF metadata or a Hugging Face config.json.
//
// Fields are named as in the field's papers; the two spellings of each key stand in config.cc. What only one
// architecture has is read by its own file through Hyperparameters. Thread-safety: plain value.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/source.h"

namespace ingot {

struct RopeConfig {
  double base = 10000;
  int64_t rotary_dim = 0;        // elements of a head that rotate
  bool interleaved = false;      // pairs are neighbours (GGUF's llama) or halves (Hugging Face)
  std::string scaling = "none";  // none, linear, yarn, llama3, longrope
  double factor = 1;
  double original_context = 0;                       // yarn, llama3, longrope
  double attention_factor = 0;                       // multiplies cos and sin; 0 = by the method's formula
  double beta_fast = 32, beta_slow = 1;              // yarn
  bool truncate = true;                              // yarn: the ends of its ramp are whole indices
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  std::vector<float> long_factors, short_factors;    // longrope, from config.json; GGUF has them as tensors
};

struct ModelConfig {
  std::string architecture;  // GGUF's name: "llama", "gemma3"
  int64_t layers = 0, width = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0, context = 0;
  float norm_eps = 0;
  int64_t window = 0;                                     // sliding window in tokens, 0 = none
  int64_t experts = 0, experts_used = 0, expert_ffn = 0;  // mixture of experts; 0: none
  float attention_softcap = 0, logit_softcap = 0;
  float attention_scale = 0;    // multiplies q·k
  bool tied_embeddings = true;  // without a head of its own the model uses its embeddings
  RopeConfig rope;
};

// One key in both vocabularies. GGUF keys stand without the "<architecture>." prefix, Hugging Face keys without
// "config."; alternatives are separated by '|'.
struct HyperKey {
  std::string_view gguf;
  std::string_view hf;
};

class Hyperparameters {
 public:
  Hyperparameters(const Source& source, std::string architecture);

  // Absent: the fallback; null in config.json: `null`. Out of [0, 2^31): kInvalidArgument naming key and value.
  Result<int64_t> size_or(HyperKey key, int64_t fallback, int64_t null) const;
  Result<int64_t> size_or(HyperKey key, int64_t fallback) const { return size_or(key, fallback, fallback); }
  // The same, where 0 cannot be: kInvalidArgument naming the key.
  Result<int64_t> require_size(HyperKey key, int64_t fallback) const;
  Result<double> number_or(HyperKey key, double fallback, double null) const;
  Result<double> number_or(HyperKey key, double fallback) const { return number_or(key, fallback, fallback); }
  Result<bool> flag_or(HyperKey key, bool fallback) const;
  Result<std::string> string_or(HyperKey key, std::string fallback) const;
  std::vector<float> floats(HyperKey key) const;
  // Absent or null: empty. Errors: kInvalidArgument where the value is no list of integers.
  Result<std::vector<int64_t>> ints(HyperKey key) const;
  // kInvalidArgument naming the key where it holds a plain value, not `wanted`.
  Result<void> refuse_scalar(HyperKey key, std::string_view wanted) const;
  // The graph's name for the activation that config.json has under `field`; absent, null or GGUF: the fallback.
  // Errors: kUnimplemented naming field and value.
  Result<std::string> activation(std::string_view field, std::string_view fallback) const;
  // By layer, whether it sees only the window: as config.json's layer_types says, else what `otherwise` does.
  Result<std::vector<bool>> sliding_layers(int64_t layers, const std::function<bool(int64_t layer)>& otherwise) const;
  // For messages: the spelling that the file uses, or the one it should.
  std::string name(HyperKey key) const;

 private:
  std::vector<std::string> spellings(HyperKey key) const;
  const Source& source_;
  std::string architecture_;
};

// The architecture by GGUF's name; a Hugging Face model_type is looked up in models.def.
Result<std::string> read_architecture(const Source& source);
// What all architectures share. Errors: kInvalidArgument naming key, value and rule.
Result<ModelConfig> read_config(const Source& source, const std::string& architecture);

}  // namespace ingot
