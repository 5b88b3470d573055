// The models of a server: which there are, which are loaded, and the way from a name to one that answers.
//
// Models load on one thread, in order; requests find what is ready meanwhile. Who found a model keeps it alive until
// its answers end, so unloading and reloading drop no request. A reload replaces a version once the new one is ready.
// Ownership: owns the models. Thread-safety: every member from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "llm/engine/engine.h"
#include "serving/model_spec.h"
#include "serving/tensor_model.h"

namespace ingot::serving {

// A loaded version of a model: exactly one of the two.
struct Servable {
  std::string name;
  int64_t version = 1;
  int64_t loaded_at = 0;  // Unix time, s
  std::shared_ptr<llm::Engine> language;
  std::shared_ptr<TensorModel> tensor;
};

enum class ModelState : uint8_t { kUnavailable, kLoading, kReady, kUnloading };
std::string_view model_state_name(ModelState state);  // "READY"

struct ModelStatus {
  std::string name;
  ModelKind kind = ModelKind::kLanguage;
  int64_t version = 1;
  ModelState state = ModelState::kUnavailable;
  std::string reason;        // why it is unavailable; "unloaded"
  double load_seconds = 0;   // so far, or in all
  double progress = 0;       // of loading, 0 to 1: an estimate from the memory that it took so far
  bool never_loaded = true;  // known, and nothing else
};

using Loader = std::function<Result<Servable>(const ModelSpec& spec, const ModelVersion& version)>;

class ModelRepository {
 public:
  explicit ModelRepository(Loader loader);
  ~ModelRepository();  // ends the loading thread after the model it is at
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Makes a model known. Errors: kAlreadyExists.
  Result<void> add(ModelSpec spec);
  // Has it loaded (the latest version) by the loading thread; done may be empty, and is called on that thread.
  // Errors: kNotFound. For a model that is loaded: a reload.
  Result<void> load(const std::string& name, std::function<void(Result<void>)> done = {});
  // No new request finds it; it is freed when its last answer ended. Errors: kNotFound.
  Result<void> unload(const std::string& name);

  // Called after a model's state changed, on the thread that changed it; it may ask for the index. Once this returns,
  // the function that was set before is not called any more.
  void on_change(std::function<void()> changed);

  // version 0: the latest that is ready.
  // Errors: kNotFound (unknown), kUnavailable (loading, failed or unloaded, with the reason).
  Result<std::shared_ptr<Servable>> find(std::string_view name, int64_t version = 0) const;
  bool knows(std::string_view name) const;
  std::optional<ModelSpec> spec(std::string_view name) const;
  // All versions that were ever asked for, and the names of the rest; by name.
  std::vector<ModelStatus> index() const;
  std::vector<std::shared_ptr<Servable>> ready_models() const;
  // Every model whose load was asked for at start is ready (or has been unloaded since).
  bool ready() const;

 private:
  struct Entry {
    ModelSpec spec;
    ModelStatus status;
    std::chrono::steady_clock::time_point load_began;
    double resident_before = 0, file_bytes = 0;
    std::shared_ptr<Servable> servable;
  };
  struct Job {
    std::string name;
    std::function<void(Result<void>)> done;
  };
  void run();
  void tell_change();
  Result<void> load_now(const std::string& name);

  const Loader loader_;
  std::mutex telling_;  // held while on_change_ runs; taken without mutex_
  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::deque<Job> jobs_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace ingot::serving
