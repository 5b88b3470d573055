// The sampler's parameters as command line options.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "llm/sampling/sampler_params.h"
#include "text/tokenizer.h"

namespace ingot::cli {

struct SamplerOptions {
  llm::SamplerParams params;
  std::string order;                    // --samplers
  std::vector<std::string> logit_bias;  // "TOKEN=BIAS"
  int64_t seed = -1;
  int logprobs = -1;
};

void add_sampler_options(CLI::App& command, SamplerOptions& options);
// For the callback of the command, before a model is loaded. Throws CLI::ValidationError naming option and value.
void check_sampler_options(const SamplerOptions& options);
// The parameters as given. Errors: kInvalidArgument naming the option and its value.
Result<llm::SamplerParams> sampler_params(const SamplerOptions& options, const Tokenizer& tokenizer);

}  // namespace ingot::cli
