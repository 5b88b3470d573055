// The engine's thread: queue in, steps, events out. See engine.h for the contract.
//
// `mutex_` guards what other threads touch (inbox, cancels, state, counters, stats); all else is the thread's own.
// Events go out without the lock, so a callback may call back into the engine.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "llm/engine/engine.h"
#include "llm/engine/live_request.h"
#include "llm/engine/scheduler.h"
#include "llm/engine/step_cost.h"

namespace ingot::llm {

class Engine::Impl {
 public:
  Impl(LoadedModel model, const EngineOptions& options);
  ~Impl();

  Result<RequestId> submit(Request request);
  void cancel(RequestId id);
  bool drain(EngineClock::time_point deadline);
  EngineState state() const;
  EngineStats stats() const;
  int retry_after_s() const;

  GrammarCache& grammars() { return grammars_; }
  const LoadedModel& model() const { return model_; }
  const EngineOptions& options() const { return options_; }
  int64_t context() const { return context_.context; }

 private:
  struct Job {  // one token to be sampled
    Choice* choice;
    std::span<const float> logits = {};  // [V]
    bool forks = false;                  // the choice starts here, from the first one's pages
    Result<Answer::Step> step = Answer::Step{};
  };
  using Live = std::unique_ptr<LiveRequest>;

  void loop();
  bool take_news();
  void begin(Live live);
  void end_expired();
  void step();
  void run_work(std::span<const Work> work);
  void collect(const Work& work, std::span<const float> logits, std::span<const float> hidden);
  void sample_all();
  void take_sampled(Job& job);
  void hand_out(LiveRequest& live, Event event);
  void fail(LiveRequest& live, const Status& status);
  void fail_all(const Status& status);
  void retire(LiveRequest& live);
  // What is counted, under the lock (engine_notes.cc).
  void note_scheduled(LiveRequest& live);
  void note_token(const Choice& choice);
  void note_finish(FinishReason reason);
  void note_end(const LiveRequest& live, std::optional<Code> failure);
  void note_gone();
  void note_step(int64_t tokens);
  void note_scheduler();

  LoadedModel model_;
  const EngineOptions options_;
  RequestContext context_;
  GrammarCache grammars_;
  Scheduler scheduler_;
  StepCost cost_;
  std::unordered_map<uint64_t, Live> live_;
  std::vector<Live> ended_;  // in this step; freed at its end, for pointers to them are still about
  std::vector<Slice> slices_;
  std::vector<Job> jobs_;
  EngineClock::time_point now_;  // of this step

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<Live> inbox_;
  std::vector<uint64_t> cancels_;
  EngineState state_ = EngineState::kRunning;
  bool kill_ = false;  // end all that runs, now
  bool stop_ = false;  // and the thread
  uint64_t next_id_ = 1;
  int64_t accepted_ = 0;  // requests that have not ended
  EngineStats stats_;

  std::thread thread_;
};

}  // namespace ingot::llm
