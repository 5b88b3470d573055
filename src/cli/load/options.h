// What `ingot bench serve` is asked to do. Plain data, read-only once the run has begun.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ingot::cli::load {

enum class Api : uint8_t { kCompletions, kChat, kInfer };
enum class Protocol : uint8_t { kHttp, kGrpc };

// A request that misses one of these does not count for goodput. Milliseconds.
struct Goals {
  std::optional<double> ttft, tpot, e2e;
};

struct Options {
  std::string url, model, api_key;  // url empty: the protocol's usual port of this machine
  Api api = Api::kCompletions;
  Protocol protocol = Protocol::kHttp;

  int64_t requests = 100, warmup = 1;
  int64_t concurrency = 0;  // requests in flight at most; 0: 1 without a rate, no bound with one
  double rate = 0;    // requests a second, whether or not answers keep up (open loop); 0: the next follows an answer
  int64_t burst = 0;  // with a rate: so many at once, in equal distances; 0: one by one, a Poisson process

  int64_t input_tokens = 256, output_tokens = 64;  // random prompts
  int64_t prefix_tokens = 0, prefixes = 1;         // tokens that a prompt shares with every prefixes-th other
  int64_t vocabulary = 20000;                      // random token ids are below
  std::string data;                                // a file of prompts instead
  int64_t batch = 1;                               // infer: for input dimensions without a size
  uint64_t seed = 0;

  double timeout_s = 600;
  Goals goals;
  bool json = false;
};

}  // namespace ingot::cli::load
