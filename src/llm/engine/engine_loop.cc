#include "llm/engine/engine_loop.h"

#include <algorithm>
#include <random>

#include "base/guarded.h"

namespace ingot::llm {
namespace {

// Prompt tokens of a step at least, whatever decodes beside them.
constexpr int64_t kPromptTokensMin = 16;

uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::span<const float> rows_of(const TensorView& view, int64_t first, int64_t count) {
  const auto width = static_cast<size_t>(view.shape[1]);
  return {view.as<float>() + static_cast<size_t>(first) * width, static_cast<size_t>(count) * width};
}

}  // namespace

Engine::Impl::Impl(LoadedModel model, const EngineOptions& options)
    : model_(std::move(model)),
      options_(options),
      grammars_(model_.tokenizer, model_.runner->vocab()),
      scheduler_(model_.runner->pages(), {.batch_tokens = options.batch_tokens,
                                          .sequences_max = options.sequences_max,
                                          .prefix_cache = options.prefix_cache}),
      cost_(options.decode_stall, kPromptTokensMin, options.batch_tokens) {
  const KvPages& pages = model_.runner->pages();
  context_ = {.tokenizer = model_.tokenizer,
              .vocab = model_.runner->vocab(),
              .context = std::min(model_.runner->context(), pages.num_pages() * pages.page_tokens()),
              .max_tokens = options.max_tokens_default,
              .sequences_max = options.sequences_max,
              .key_seed = random_seed()};
  stats_.kv_pages = pages.num_pages();
  stats_.kv_page_tokens = pages.page_tokens();
  thread_ = std::thread([this] { loop(); });
}

Engine::Impl::~Impl() {
  {
    std::lock_guard lock(mutex_);
    state_ = EngineState::kStopped;
    kill_ = stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<RequestId> Engine::Impl::submit(Request request) {
  Live live = INGOT_TRY(LiveRequest::create(std::move(request), context_));
  const auto tokens = live->usage.prompt_tokens;
  std::unique_lock lock(mutex_);
  if (state_ != EngineState::kRunning)
    return error(Code::kUnavailable, "[engine] {} and takes no more requests",
                 state_ == EngineState::kDraining ? "drains" : "has stopped");
  if (stats_.requests_waiting >= options_.queue_requests_max ||
      (stats_.requests_waiting > 0 && stats_.queue_tokens + tokens > options_.queue_tokens_max)) {
    ++stats_.requests_refused;
    return error(Code::kResourceExhausted,
                 "[engine] the queue is full ({} requests, {} prompt tokens): try again later", stats_.requests_waiting,
                 stats_.queue_tokens);
  }
  ++stats_.requests_submitted;
  ++stats_.requests_waiting;
  ++accepted_;
  stats_.queue_tokens += tokens;
  live->id = next_id_++;
  live->timings.submitted = EngineClock::now();
  const RequestId id{live->id};
  inbox_.push_back(std::move(live));
  lock.unlock();
  wake_.notify_one();
  return id;
}

void Engine::Impl::cancel(RequestId id) {
  {
    std::lock_guard lock(mutex_);
    cancels_.push_back(static_cast<uint64_t>(id));
  }
  wake_.notify_one();
}

bool Engine::Impl::drain(EngineClock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (state_ == EngineState::kRunning) state_ = EngineState::kDraining;
  const bool all = idle_.wait_until(lock, deadline, [&] { return accepted_ == 0; });
  if (!all) {
    kill_ = true;
    wake_.notify_one();
    idle_.wait(lock, [&] { return accepted_ == 0; });
  }
  state_ = EngineState::kStopped;
  return all;
}

EngineState Engine::Impl::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

EngineStats Engine::Impl::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

// What waits, at the rate at which requests went through so far.
int Engine::Impl::retry_after_s() const {
  std::lock_guard lock(mutex_);
  const Histogram& time = stats_.e2e_latency_s;
  if (time.count == 0) return 1;
  const double mean_s = (time.sum - stats_.queue_time_s.sum) / static_cast<double>(time.count);
  const double seconds =
      mean_s * static_cast<double>(stats_.requests_waiting) / static_cast<double>(options_.sequences_max);
  return static_cast<int>(std::clamp(seconds, 1.0, 600.0));
}

void Engine::Impl::loop() {
  for (bool more = true; more;) {
    // What is thrown where no single request is to blame ends all that run, and the engine goes on.
    const auto done = guarded("engine", [&]() -> Result<void> {
      more = take_news();
      now_ = EngineClock::now();
      end_expired();
      if (!scheduler_.idle()) step();
      return {};
    });
    if (!done) fail_all(done.error());
    ended_.clear();
  }
}

// Waits until there is something to do, then takes what other threads left. False: the end.
bool Engine::Impl::take_news() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return !scheduler_.idle() || !inbox_.empty() || !cancels_.empty() || kill_ || stop_; });
  auto arrived = std::exchange(inbox_, {});
  const auto cancels = std::exchange(cancels_, {});
  const bool kill = std::exchange(kill_, false), stop = stop_;
  lock.unlock();
  now_ = EngineClock::now();
  for (Live& live : arrived) begin(std::move(live));
  for (uint64_t id : cancels)
    if (const auto it = live_.find(id); it != live_.end())
      fail(*it->second, Status(Code::kCancelled, "[engine] the request was cancelled"));
  if (kill) fail_all(Status(Code::kUnavailable, "[engine] stops: the request was not finished"));
  return !stop;
}

void Engine::Impl::begin(Live arrived) {
  const uint64_t id = arrived->id;
  LiveRequest& live = *live_.emplace(id, std::move(arrived)).first->second;
  const auto done = guarded("engine", [&]() -> Result<void> {
    for (auto& c : live.choices) {
      c->id = id;
      if (live.request.make_mask) c->answer.use_mask(live.request.make_mask());
    }
    return {};
  });
  if (!done) return fail(live, done.error());
  scheduler_.add(*live.choices.front());
}

void Engine::Impl::end_expired() {
  for (Sequence* s : scheduler_.expired(now_)) {
    fail(*static_cast<Choice*>(s)->live, Status(Code::kDeadlineExceeded, "[engine] the request's deadline has passed"));
  }
}

void Engine::Impl::step() {
  const auto decodes = static_cast<int64_t>(scheduler_.num_decoding());
  const auto work = scheduler_.step(cost_.prompt_budget(decodes));
  INGOT_CHECK(!work.empty());
  run_work(work);
}

void Engine::Impl::run_work(std::span<const Work> work) {
  slices_.clear();
  int64_t decodes = 0, tokens = 0;
  for (const Work& w : work) {
    auto& choice = static_cast<Choice&>(*w.sequence);
    if (!choice.live->timings.scheduled) note_scheduled(*choice.live);
    const bool decode = w.count == 1 && w.last;
    decodes += decode;
    tokens += w.count;
    slices_.push_back(
        {.tokens = std::span(choice.tokens).subspan(static_cast<size_t>(choice.computed), static_cast<size_t>(w.count)),
         .start = choice.computed,
         .pages = choice.pages,
         .logits = choice.live->pools()           ? 0
                   : choice.live->scores_prompt() ? w.count
                                                  : w.last,
         .hidden = choice.live->pools()});
  }
  const auto out = guarded("engine", [&] { return model_.runner->run(slices_); });
  if (!out) {
    const std::vector<Work> failed(work.begin(), work.end());
    for (const Work& w : failed) fail(*static_cast<Choice*>(w.sequence)->live, out.error());
    return;
  }
  const auto before = now_;
  now_ = EngineClock::now();
  cost_.observe(decodes, tokens - decodes, std::chrono::duration<double, std::milli>(now_ - before).count());
  jobs_.clear();
  int64_t logit_row = 0, hidden_row = 0;
  for (size_t i = 0; i < work.size(); ++i) {
    const int64_t hidden = slices_[i].hidden ? work[i].count : 0;
    collect(work[i], rows_of(out->logits, logit_row, slices_[i].logits), rows_of(out->hidden, hidden_row, hidden));
    logit_row += slices_[i].logits;
    hidden_row += hidden;
  }
  scheduler_.complete();
  note_step(tokens);
  sample_all();
}

// logits, hidden: this work's rows, those that were asked for.
void Engine::Impl::collect(const Work& w, std::span<const float> logits, std::span<const float> hidden) {
  auto& choice = static_cast<Choice&>(*w.sequence);
  LiveRequest& live = *choice.live;
  if (live.pools()) live.pool(choice.computed, w.count, hidden);
  if (live.scores_prompt()) live.score_prompt(choice.computed, w.count, logits);
  if (!w.last) return;
  if (live.pools()) {
    jobs_.push_back({&choice});
    return;
  }
  const auto row = logits.last(static_cast<size_t>(context_.vocab));
  jobs_.push_back({&choice, row});
  if (std::exchange(live.forked, true)) return;
  for (size_t i = 1; i < live.choices.size(); ++i) jobs_.push_back({live.choices[i].get(), row, true});
}

// The samplers are independent, so all threads share them.
void Engine::Impl::sample_all() {
  const auto one = [](Job& job) {
    if (job.choice->live->pools()) return;
    Answer& answer = job.choice->answer;
    job.step = guarded("engine", [&]() -> Result<Answer::Step> {
      return answer.ends_at_once() ? answer.end(FinishReason::kLength) : answer.next(job.logits);
    });
  };
  ThreadPool& pool = model_.runner->session().pool();
  if (jobs_.size() > 1 && pool.size() > 1) {
    pool.run([&](int thread, int threads) {
      for (auto i = static_cast<size_t>(thread); i < jobs_.size(); i += static_cast<size_t>(threads)) one(jobs_[i]);
    });
  } else {
    for (Job& job : jobs_) one(job);
  }
  now_ = EngineClock::now();
  // Forks come first: their parent must not have gone on yet.
  for (Job& job : jobs_)
    if (job.forks) take_sampled(job);
  for (Job& job : jobs_)
    if (!job.forks) take_sampled(job);
}

void Engine::Impl::take_sampled(Job& job) {
  Choice& choice = *job.choice;
  LiveRequest& live = *choice.live;
  if (live.done()) return;
  if (!job.step) return fail(live, job.step.error());
  if (live.pools()) return hand_out(live, live.take_embedding(now_));
  if (job.step->token) note_token(choice);
  if (job.step->finish) {
    note_finish(*job.step->finish);
    scheduler_.remove(choice);
  } else if (job.forks) {
    Choice& parent = *live.choices.front();
    choice.tokens = parent.tokens;
    choice.tokens.push_back(job.step->token->id);
    if (const auto copy = scheduler_.fork(parent, choice)) model_.runner->copy_page(copy->from, copy->to);
  } else {
    scheduler_.append(choice, job.step->token->id);
  }
  hand_out(live, live.take(choice, std::move(*job.step), now_));
}

// All is counted and given back before the last event: who got it may look at stats().
void Engine::Impl::hand_out(LiveRequest& live, Event event) {
  if (live.done()) {
    retire(live);
    note_end(live, event.error ? std::optional(event.error->code()) : std::nullopt);
  }
  live.request.on_event(std::move(event));
  if (live.done()) note_gone();
}

void Engine::Impl::fail(LiveRequest& live, const Status& status) {
  if (!live.done()) hand_out(live, live.fail(status, now_));
}

void Engine::Impl::fail_all(const Status& status) {
  while (!live_.empty()) fail(*live_.begin()->second, status);
}

void Engine::Impl::retire(LiveRequest& live) {
  for (auto& c : live.choices) scheduler_.remove(*c);
  const auto it = live_.find(live.id);
  ended_.push_back(std::move(it->second));
  live_.erase(it);
}

}  // namespace ingot::llm
