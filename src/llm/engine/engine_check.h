// For the engine's tests: small models of tests/goldens/models (or the one that INGOT_MODEL names), requests, goldens.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "llm/engine/engine.h"

namespace ingot::llm {

struct ModelSetup {
  std::string path = INGOT_SOURCE_DIR "/tests/goldens/models/llama";
  int64_t kv_tokens = 1024;
  int threads = 2;
  DType kv_dtype = DType::kF16;
};

std::vector<const Backend*> test_backends();  // engine_test.cc

inline LoadedModel open_model(const ModelSetup& setup) {
  auto model = load_model(setup.path, {.pool = std::make_shared<ThreadPool>(setup.threads),
                                       .backends = test_backends(),
                                       .kv_dtype = setup.kv_dtype,
                                       .context = 0,
                                       .kv_tokens = setup.kv_tokens});
  EXPECT_TRUE(model) << model.error().message();
  return std::move(*model);
}

inline std::unique_ptr<Engine> make_engine(const ModelSetup& setup = {}, const EngineOptions& options = {}) {
  auto engine = Engine::create(open_model(setup), options);
  EXPECT_TRUE(engine) << engine.error().message();
  return std::move(*engine);
}

// `shared` tokens that are the same for each seed, then some of its own; all below 256.
inline std::vector<int32_t> prompt_of(int seed, int64_t length, int64_t shared = 0) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < length; ++i)
    out.push_back(static_cast<int32_t>((i * 31 + (i < shared ? 0 : (seed + 1) * 17) + i * i % 7) % 256));
  return out;
}

inline Request greedy(std::vector<int32_t> prompt, int64_t max_tokens = 16) {
  Request r{.prompt = std::move(prompt), .max_tokens = max_tokens};
  r.sampler.temperature = 0;
  return r;
}

inline Request seeded(std::vector<int32_t> prompt, uint64_t seed, int64_t max_tokens = 16) {
  Request r{.prompt = std::move(prompt), .max_tokens = max_tokens};
  r.sampler.seed = seed;
  return r;
}

inline std::vector<int32_t> ids_of(const Completion::Choice& c) {
  std::vector<int32_t> out;
  for (const TokenInfo& t : c.tokens) out.push_back(t.id);
  return out;
}

// Gathers events in order, from the engine's thread.
struct Recorder {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Event> events;
  bool done = false;

  std::function<void(Event)> sink() {
    return [this](Event e) {
      std::lock_guard lock(mutex);
      EXPECT_FALSE(done) << "an event after the last";
      done = e.done;
      events.push_back(std::move(e));
      changed.notify_all();
    };
  }
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }
  void wait_for_events(size_t n) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return events.size() >= n || done; });
  }
};

}  // namespace ingot::llm
