#include "llm/engine/engine.h"

#include <algorithm>

#include "base/limits.h"
#include "llm/engine/engine_loop.h"

namespace ingot::llm {
namespace {

// Gathers the events of one request for a thread that waits.
struct Waiter {
  std::mutex mutex;
  std::condition_variable done;
  Completion completion;
  std::optional<Status> error;
  bool ended = false;

  void take(Event e) {
    std::lock_guard lock(mutex);
    if (!e.embedding.empty()) completion.embedding = std::move(e.embedding);
    if (!e.prompt_logprobs.empty()) completion.prompt_logprobs = std::move(e.prompt_logprobs);
    completion.usage = e.usage;
    completion.timings = e.timings;
    auto& c = completion.choices[static_cast<size_t>(e.choice)];
    c.text += e.text;
    for (TokenInfo& t : e.tokens) c.tokens.push_back(std::move(t));
    if (e.finish) {
      c.finish = *e.finish;
      c.stop_string = std::move(e.stop_string);
      c.stop_token = e.stop_token;
    }
    error = std::move(e.error);
    ended = e.done;
    if (ended) done.notify_one();
  }
};

}  // namespace

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(LoadedModel model, const EngineOptions& o) {
  if (o.sequences_max < 1 || o.sequences_max > limits::kSequencesMax)
    return invalid("[engine] 'sequences_max': {} is not in 1 to {}", o.sequences_max, limits::kSequencesMax);
  if (o.batch_tokens < o.sequences_max || o.batch_tokens > limits::kBatchTokensMax)
    return invalid("[engine] 'batch_tokens': {} is not in {} (sequences_max) to {}", o.batch_tokens, o.sequences_max,
                   limits::kBatchTokensMax);
  if (o.queue_requests_max < 1 || o.queue_tokens_max < 1)
    return invalid("[engine] 'queue_requests_max' {} and 'queue_tokens_max' {} must be at least 1",
                   o.queue_requests_max, o.queue_tokens_max);
  if (!(o.decode_stall >= 1)) return invalid("[engine] 'decode_stall': {} is below 1", o.decode_stall);
  return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(std::move(model), o)));
}

Result<RequestId> Engine::submit(Request request) { return impl_->submit(std::move(request)); }
void Engine::cancel(RequestId id) { impl_->cancel(id); }

Result<Completion> Engine::run(Request request) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->completion.choices.resize(static_cast<size_t>(std::clamp(request.n, 1, limits::kChoicesMax)));
  request.on_event = [waiter](Event e) { waiter->take(std::move(e)); };
  INGOT_TRY(submit(std::move(request)));
  std::unique_lock lock(waiter->mutex);
  waiter->done.wait(lock, [&] { return waiter->ended; });
  if (waiter->error) return std::unexpected(*waiter->error);
  return std::move(waiter->completion);
}

bool Engine::drain(EngineClock::time_point deadline) { return impl_->drain(deadline); }
Result<MaskFactory> Engine::compile_grammar(const GrammarSpec& spec) const { return impl_->grammars().get(spec); }
EngineState Engine::state() const { return impl_->state(); }
EngineStats Engine::stats() const { return impl_->stats(); }
int Engine::retry_after_s() const { return impl_->retry_after_s(); }
const EngineOptions& Engine::options() const { return impl_->options(); }
const ModelConfig& Engine::config() const { return impl_->model().runner->config(); }
int64_t Engine::context() const { return impl_->context(); }
const Tokenizer& Engine::tokenizer() const { return *impl_->model().tokenizer; }
std::shared_ptr<const Tokenizer> Engine::shared_tokenizer() const { return impl_->model().tokenizer; }
const std::optional<ChatTemplate>& Engine::chat_template() const { return impl_->model().chat_template; }
double Engine::load_ms() const { return impl_->model().load_ms; }

}  // namespace ingot::llm
