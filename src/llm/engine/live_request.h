// A request inside the engine: its choices, what was counted, and how its events are made.
//
// Made by submit() on the caller's thread with everything that can fail; afterwards the engine's thread has it alone.
// Ownership: the engine owns it, it owns its choices; the scheduler points to them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "llm/answer.h"
#include "llm/engine/engine_stats.h"
#include "llm/engine/request.h"
#include "llm/engine/sequence.h"

namespace ingot::llm {

struct LiveRequest;

struct Choice : Sequence {
  Choice(LiveRequest* request, int number, Answer a) : live(request), index(number), answer(std::move(a)) {}
  LiveRequest* live;
  int index;
  Answer answer;
  bool open = true;
  std::optional<EngineClock::time_point> last_token;
};

// What submit() needs of the engine to make a request.
struct RequestContext {
  std::shared_ptr<const Tokenizer> tokenizer;
  int64_t vocab = 0;
  int64_t context = 0;      // tokens that a sequence can have
  int64_t max_tokens = -1;  // for requests without
  int64_t sequences_max = 0;
  uint64_t key_seed = 0;
  std::shared_ptr<BreakerCache> breakers = std::make_shared<BreakerCache>();
};

struct LiveRequest {
  // Errors: kInvalidArgument, kOutOfRange, as of Engine::submit().
  static Result<std::unique_ptr<LiveRequest>> create(Request request, const RequestContext& context);

  bool scores_prompt() const { return request.prompt_logprobs && prompt_scores.size() < request.prompt.size(); }
  bool pools() const { return request.pooling != Pooling::kNone; }
  // logits: [count, V] after tokens [start, start + count) of the prompt.
  void score_prompt(int64_t start, int64_t count, std::span<const float> logits);
  // hidden: [count, E] of tokens [start, start + count).
  void pool(int64_t start, int64_t count, std::span<const float> hidden);

  // What a choice gained. Closes the choice, and with the last one the request, if it ended.
  Event take(Choice& choice, Answer::Step step, EngineClock::time_point now);
  Event take_embedding(EngineClock::time_point now);
  Event fail(Status status, EngineClock::time_point now);
  bool done() const { return done_; }

  uint64_t id = 0;
  Request request;
  std::vector<std::unique_ptr<Choice>> choices;
  bool forked = false;  // the other choices have left the first one
  int open = 0;         // choices that have not ended
  Usage usage;
  Timings timings;
  std::vector<TokenInfo> prompt_scores;

 private:
  Event event(EngineClock::time_point now);

  std::vector<double> pooled_;  // sum over the tokens, or the last one
  int64_t num_pooled_ = 0;
  bool done_ = false;
};

}  // namespace ingot::llm
