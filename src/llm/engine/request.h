// What goes into the engine and what comes out: a Request, and the Events of its answer.
//
// No text goes in and no protocol is known: the caller renders templates and encodes (Tokenizer is thread-safe).
// Feeds engine.h; filled by serving and server. Ownership: plain values, moved. Limits: base/limits.h (engine).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "llm/answer.h"
#include "llm/engine/sequence.h"
#include "llm/sampling/sampler_params.h"
#include "llm/token_mask.h"

namespace ingot::llm {

// One vector for the whole input instead of text. Such a request generates nothing: max_tokens, n, stop, logprobs, mask
// and the sampler are not looked at.
enum class Pooling : uint8_t {
  kNone,
  kMean,  // of the final hidden states of all tokens
  kLast,  // that of the last token
};

struct Event;

struct Request {
  std::string id;               // for logs; need not be unique, may be empty
  std::vector<int32_t> prompt;  // at least one token, begin-of-sequence included where the model wants it
  SamplerParams sampler;        // choice i of n draws with seed + i
  int64_t max_tokens = -1;      // of each choice; -1: until the model ends or the context is full; 0: none
  int n = 1;                    // parallel samples; the prompt is computed once for all of them

  std::vector<std::string> stop;           // none of it appears in the text, unless include_stop
  std::vector<int32_t> stop_token_ids;     // end the choice like end-of-generation tokens do
  bool include_stop = false;               // the stop string stays at the end of the text
  bool show_special = false;               // the text of special tokens, too
  std::vector<int32_t> shown_tokens;       // special tokens that are text nevertheless: marks of tool calls
  std::optional<int32_t> prompt_logprobs;  // the prompt tokens' own and so many likeliest, in Event::prompt_logprobs
  Pooling pooling = Pooling::kNone;        // kNone: generate

  // Called once for each choice, on the engine's thread; may be empty. See token_mask.h.
  std::function<std::unique_ptr<TokenMask>()> make_mask;

  int32_t priority = 0;                             // lower runs first; over it fairness between tenants, then arrival
  std::optional<EngineClock::time_point> deadline;  // past it the request ends with kDeadlineExceeded
  std::string tenant;                               // fairness is between tenants; empty is one of them
  std::string cache_salt;                           // prefixes are shared only between requests with the same salt
  bool use_prefix_cache = true;                     // false: takes nothing from the cache (it still fills it)

  // Required. Called on the engine's thread, in order, never after the one with `done`: it must neither block nor
  // throw (post the event and return). An event of a step comes when that step ended: one for each choice with
  // news. It may call Engine::cancel and submit.
  std::function<void(Event)> on_event;
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;      // of the prompt: found in the prefix cache, not computed
  int64_t completion_tokens = 0;  // over all choices, so far
};

// When things happened, for histograms and logs. In order; unset what has not happened (yet).
struct Timings {
  EngineClock::time_point submitted;
  std::optional<EngineClock::time_point> scheduled;    // first taken from the queue
  std::optional<EngineClock::time_point> first_token;  // of any choice
  std::optional<EngineClock::time_point> finished;     // the last choice's end
  int32_t preemptions = 0;
};

struct Event {
  int choice = 0;
  // Text that became certain: valid UTF-8, never half a code point, never part of a stop string. May be empty while
  // text is held back, also with tokens.
  std::string text;
  // The tokens of this step, usually one, without the end-of-generation token. With logprob and top if the sampler's
  // logprobs are on.
  std::vector<TokenInfo> tokens;
  std::optional<FinishReason> finish;  // this choice ends here
  std::string stop_string;             // which one, for kStopString
  std::optional<int32_t> stop_token;   // which one, for kEndOfGeneration and kStopToken

  // The last event of the request: all choices ended, or `error` is set. Exactly one event of a submitted request
  // has it.
  bool done = false;
  // The request failed: deadline (kDeadlineExceeded), cancel() (kCancelled), the engine was drained or failed
  // (kUnavailable, kInternal), a grammar that allows no token (kFailedPrecondition).
  std::optional<Status> error;

  std::vector<TokenInfo> prompt_logprobs;  // once, with the first event, if asked for; [0] has no logprob
  std::vector<float> embedding;            // [E], with `done`, for Pooling; not normalized
  Usage usage;                             // so far; final with `done`
  Timings timings;
};

// A whole answer, gathered from its events.
struct Completion {
  struct Choice {
    std::string text;
    std::vector<TokenInfo> tokens;
    FinishReason finish = FinishReason::kLength;
    std::string stop_string;
    std::optional<int32_t> stop_token;
  };
  std::vector<Choice> choices;
  std::vector<TokenInfo> prompt_logprobs;
  std::vector<float> embedding;
  Usage usage;
  Timings timings;
};

}  // namespace ingot::llm
