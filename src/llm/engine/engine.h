// The language model engine: many requests, one model, one thread.
//
// The thread takes requests from a bounded queue; the scheduler chooses the ragged batch of a step (decode first,
// prompts in chunks beside it, under a token budget); the model runs; each sequence's next token is sampled; events
// go out. Nothing else touches its state. With nothing to do the thread sleeps.
// An answer does not depend on what runs beside it, on the prefix cache or on preemption: token for token, also for
// fixed seeds. Ownership: owns the model. Thread-safety: every member from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "llm/engine/engine_stats.h"
#include "llm/engine/request.h"
#include "llm/grammar_mask.h"
#include "llm/loaded_model.h"

namespace ingot::llm {

enum class RequestId : uint64_t {};

struct EngineOptions {
  int64_t batch_tokens = 512;           // budget of one step, prompts' and decoded tokens together
  int64_t sequences_max = 64;           // running at once; a choice of n is one
  int64_t queue_requests_max = 1024;    // waiting; past it submit() is kResourceExhausted
  int64_t queue_tokens_max = 16 << 20;  // prompt tokens of all that wait
  bool prefix_cache = true;
  double decode_stall = 2;  // a step with prompts takes at most so many times what its decodes take alone; 1: no limit
  int64_t max_tokens_default = -1;  // for requests with max_tokens -1
};

enum class EngineState : uint8_t { kRunning, kDraining, kStopped };

class Engine {
 public:
  // Takes the model over; its runner's pages become the engine's KV cache (RunnerOptions::kv_tokens is its size).
  // Errors: kInvalidArgument (options).
  static Result<std::unique_ptr<Engine>> create(LoadedModel model, const EngineOptions& options = {});
  // Ends everything that runs with kUnavailable events, then the thread.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Checks the request and puts it in the queue; the events follow on the engine's thread, possibly before this
  // returns. After an error no event comes.
  // Errors: kInvalidArgument (sampler, stop strings, n, tokens), kOutOfRange (prompt past the context
  // or the KV cache), kResourceExhausted (the queue is full: try again),
  // kUnavailable (draining or stopped).
  Result<RequestId> submit(Request request);
  // Ends the request after the current step with a kCancelled event. Nothing if it has ended already.
  void cancel(RequestId id);
  // submit() and wait for its end; on_event need not be set. Not from the engine's thread.
  Result<Completion> run(Request request);

  // Admits nothing more and waits until all accepted requests ended, at most until the deadline; what is left then
  // ends with kUnavailable. True: nothing was left.
  bool drain(EngineClock::time_point deadline);

  // A mask for Request::make_mask; compiled once and remembered. Costs the caller's thread, not the engine's.
  // Errors: kInvalidArgument, kUnimplemented naming the keyword that is not supported.
  Result<MaskFactory> compile_grammar(const GrammarSpec& spec) const;

  EngineState state() const;
  EngineStats stats() const;  // a copy; cheap enough for each scrape
  // Seconds after which a refused client may try again, from the queue and the current rate; at least 1.
  int retry_after_s() const;

  const EngineOptions& options() const;
  const ModelConfig& config() const;
  int64_t context() const;  // longest sequence, prompt and answer
  const Tokenizer& tokenizer() const;
  std::shared_ptr<const Tokenizer> shared_tokenizer() const;
  const std::optional<ChatTemplate>& chat_template() const;
  double load_ms() const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ingot::llm
