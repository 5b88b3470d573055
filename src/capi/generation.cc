// Generations of the C interface: an answer's events, queued by the engine's thread and read by the caller's.
//
// Ownership: a generation keeps its model; the engine keeps only the queue, so that the model never ends on its own
// thread. Thread-safety: the queue is locked; reading is for one thread at a time.
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "capi/llm.h"
#include "capi/request.h"

namespace ingot::capi {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

struct EventQueue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<llm::Event> events;
  bool done = false;
  std::optional<Status> error;
  llm::Usage usage;
  llm::Timings timings;

  void push(llm::Event event) {
    {
      const std::lock_guard lock(mutex);
      usage = event.usage;
      timings = event.timings;
      done |= event.done;
      if (event.error) error = event.error;
      if (!event.error || !event.tokens.empty() || !event.text.empty()) events.push_back(std::move(event));
    }
    changed.notify_all();
  }
};

// The engine knows why an answer ended, the interface gives each reason a number.
ingot_finish finish_number(std::optional<llm::FinishReason> reason) {
  if (!reason) return INGOT_NOT_FINISHED;
  switch (*reason) {
    case llm::FinishReason::kEndOfGeneration: return INGOT_FINISH_END;
    case llm::FinishReason::kStopToken: return INGOT_FINISH_STOP_TOKEN;
    case llm::FinishReason::kStopString: return INGOT_FINISH_STOP_TEXT;
    case llm::FinishReason::kLength: return INGOT_FINISH_LENGTH;
    case llm::FinishReason::kContextFull: return INGOT_FINISH_CONTEXT_FULL;
    case llm::FinishReason::kCancelled: return INGOT_FINISH_CANCELLED;
  }
  return INGOT_FINISH_CANCELLED;
}

}  // namespace

struct GenerationObject {
  std::shared_ptr<LlmObject> llm;
  std::shared_ptr<EventQueue> queue = std::make_shared<EventQueue>();
  llm::RequestId id{};
  size_t num_top = 0;  // likeliest tokens that were asked for
  bool has_logprobs = false;

  // Of the event that was read last.
  llm::Event event;
  std::vector<int32_t> tokens, top_ids;
  std::vector<float> logprobs, top_logprobs;

  GenerationObject() = default;
  GenerationObject(const GenerationObject&) = delete;
  GenerationObject& operator=(const GenerationObject&) = delete;
  ~GenerationObject() {
    if (llm) llm->engine->cancel(id);
  }
};

namespace {

Result<std::shared_ptr<GenerationObject>> submit(const std::shared_ptr<LlmObject>& llm, const RequestObject& request) {
  llm::Request r = INGOT_TRY(engine_request(*llm->engine, request));
  auto generation = std::make_shared<GenerationObject>();
  generation->has_logprobs = r.sampler.logprobs.has_value();
  generation->num_top = static_cast<size_t>(r.sampler.logprobs.value_or(0));
  r.on_event = [queue = generation->queue](llm::Event event) { queue->push(std::move(event)); };
  generation->id = INGOT_TRY(llm->engine->submit(std::move(r)));
  generation->llm = llm;
  return generation;
}

Result<ingot_event_state> wait(GenerationObject& g, double timeout_ms) {
  EventQueue& q = *g.queue;
  std::unique_lock lock(q.mutex);
  const auto ready = [&] { return !q.events.empty() || q.done; };
  if (!(timeout_ms >= 0))
    q.changed.wait(lock, ready);
  else if (!q.changed.wait_for(lock, Milliseconds(std::min(timeout_ms, 1e12)), ready))
    return INGOT_NO_EVENT_YET;
  if (q.events.empty()) {
    if (q.error) return std::unexpected(*q.error);
    return INGOT_NO_MORE_EVENTS;
  }
  g.event = std::move(q.events.front());
  q.events.pop_front();
  return INGOT_EVENT;
}

// The event that was read, with plain arrays.
ingot_event describe(GenerationObject& g) {
  g.tokens.clear();
  g.logprobs.clear();
  g.top_ids.clear();
  g.top_logprobs.clear();
  for (const llm::TokenInfo& t : g.event.tokens) {
    g.tokens.push_back(t.id);
    g.logprobs.push_back(t.logprob.value_or(NAN));
    for (size_t i = 0; i < g.num_top; ++i) {
      g.top_ids.push_back(i < t.top.size() ? t.top[i].id : -1);
      g.top_logprobs.push_back(i < t.top.size() ? t.top[i].logprob : NAN);
    }
  }
  return {.size = sizeof(ingot_event),
          .choice = g.event.choice,
          .text = g.event.text.c_str(),
          .text_length = g.event.text.size(),
          .tokens = g.tokens.data(),
          .num_tokens = g.tokens.size(),
          .logprobs = g.has_logprobs ? g.logprobs.data() : nullptr,
          .finish = finish_number(g.event.finish),
          .top_ids = g.top_ids.data(),
          .top_logprobs = g.top_logprobs.data(),
          .num_top = g.num_top};
}

double ms_between(llm::EngineClock::time_point from, std::optional<llm::EngineClock::time_point> to) {
  return to ? Milliseconds(*to - from).count() : 0;
}

ingot_usage usage_of(const GenerationObject& g) {
  const std::lock_guard lock(g.queue->mutex);
  const llm::Timings& t = g.queue->timings;
  return {.size = sizeof(ingot_usage),
          .prompt_tokens = g.queue->usage.prompt_tokens,
          .cached_tokens = g.queue->usage.cached_tokens,
          .completion_tokens = g.queue->usage.completion_tokens,
          .first_token_ms = ms_between(t.submitted, t.first_token),
          .total_ms = ms_between(t.submitted, t.finished)};
}

}  // namespace
}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_llm_submit(ingot_llm* llm, const ingot_request* request, ingot_generation** generation) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    const auto r = INGOT_TRY(object_of(request, "request"));
    INGOT_TRY(check_pointer(generation, "generation"));
    *generation = make_handle<ingot_generation>(INGOT_TRY(submit(object, *r)));
    return {};
  });
}

ingot_status* ingot_generation_next(ingot_generation* generation, double timeout_ms, ingot_event* event,
                                    ingot_event_state* state) {
  return entry([&]() -> Result<void> {
    const auto g = INGOT_TRY(object_of(generation, "generation"));
    INGOT_TRY(check_pointer(state, "state"));
    INGOT_TRY(check_struct(event, "event"));  // before an event is taken
    const ingot_event_state now = INGOT_TRY(wait(*g, timeout_ms));
    if (now == INGOT_EVENT) INGOT_TRY(fill(event, describe(*g), "event"));
    *state = now;
    return {};
  });
}

ingot_status* ingot_generation_cancel(ingot_generation* generation) {
  return entry([&]() -> Result<void> {
    const auto g = INGOT_TRY(object_of(generation, "generation"));
    g->llm->engine->cancel(g->id);
    return {};
  });
}

ingot_status* ingot_generation_get_usage(const ingot_generation* generation, ingot_usage* usage) {
  return entry([&]() -> Result<void> {
    return fill(usage, usage_of(*INGOT_TRY(object_of(generation, "generation"))), "usage");
  });
}

void ingot_generation_release(ingot_generation* generation) { release_handle(generation); }

ingot_status* ingot_llm_generate(ingot_llm* llm, const ingot_request* request,
                                 int (*on_event)(void* context, const ingot_event* event), void* context,
                                 ingot_usage* usage) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(llm, "llm"));
    const auto r = INGOT_TRY(object_of(request, "request"));
    INGOT_TRY(check_pointer(on_event, "on_event"));
    const auto g = INGOT_TRY(submit(object, *r));
    bool stopped = false;
    for (;;) {
      if (INGOT_TRY(wait(*g, -1)) != INGOT_EVENT) break;
      const ingot_event event = describe(*g);
      if (stopped || on_event(context, &event) != 0) continue;
      stopped = true;  // what else comes is not shown; its end is waited for
      object->engine->cancel(g->id);
    }
    if (stopped) return error(Code::kCancelled, "[capi] on_event cancelled the generation");
    if (usage) INGOT_TRY(fill(usage, usage_of(*g), "usage"));
    return {};
  });
}
