// What transformers' configuration classes assume for fields that a config.json does not have.
//
// A config.json may leave out whatever equals its class' default; GGUF files are complete. To add one: a line of the
// table in class_defaults.cc (checked against transformers by models_test.cc). Thread-safety: pure.
#pragma once

#include "formats/source.h"

namespace ingot {

// 0: the class has no default of its own (see config.cc for what the field then is).
struct ClassDefaults {
  std::string_view model_type;
  int64_t layers = 0, width = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, context = 0;
  double norm_eps = 1e-5;
  int64_t window = 0;
  double attention_softcap = 0, logit_softcap = 0;
  int64_t original_context = 0;
  double rope_base = 10000;
  int64_t experts = 0, experts_used = 0, expert_ffn = 0;
  bool tied_embeddings = false;
};

// By the model_type of the source's config.json (of its text part); of GGUF what llama.cpp has; all 0 for others.
Result<ClassDefaults> class_defaults(const Source& source);

}  // namespace ingot
