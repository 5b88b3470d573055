// The models of a server: which there are, which are loaded, and the way from a name to one that answers.
//
// Models load on one thread, in order; requests find what is ready meanwhile. Who found a model keeps it alive until
// its answers end, so unloading and reloading drop no request. A load looks at the model's folder again: new versions
// and a changed config.pbtxt count from then on; an old version is replaced once the new one is ready.
// Ownership: owns the models. Thread-safety: every member from any thread.
#pragma once

#include <atomic>
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
  std::shared_ptr<const ModelSettings> settings;  // null: it has no configuration
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

  // Models that are asked for and not known are looked for in this folder. Before the first load.
  void set_folder(std::string folder);
  // Whether clients may load and unload, for the faces to ask; they may unless told otherwise.
  void let_clients_control(bool may) { clients_may_control_.store(may); }
  bool clients_may_control() const { return clients_may_control_.load(); }
  // Makes a model known. Errors: kAlreadyExists.
  Result<void> add(ModelSpec spec);
  // Has its chosen versions loaded by the loading thread; done may be empty, and is called on that thread. config: JSON
  // in place of the model's config.pbtxt, for this load; empty: none.
  // Errors: kNotFound. For a model that is loaded: a reload.
  Result<void> load(const std::string& name, std::function<void(Result<void>)> done = {}, std::string config = {});
  // No new request finds it; it is freed when its last answer ended. Errors: kNotFound.
  Result<void> unload(const std::string& name);
  // The same, and it is not known any more.
  void forget(const std::string& name);
  // Called after a model's state changed, on the thread that changed it; it may ask for the index. Once this returns,
  // the function that was set before is not called any more.
  void on_change(std::function<void()> changed);

  // version 0: the highest that is ready.
  // Errors: kNotFound (unknown), kUnavailable (loading, failed or unloaded, with the reason).
  Result<std::shared_ptr<Servable>> find(std::string_view name, int64_t version = 0) const;
  bool knows(std::string_view name) const;
  std::vector<int64_t> ready_versions(std::string_view name) const;
  // All versions that were ever asked for, and the names of the rest; by name and version.
  std::vector<ModelStatus> index() const;
  std::vector<std::shared_ptr<Servable>> ready_models() const;
  // Every version whose load was asked for is ready (or has been unloaded since).
  bool ready() const;

 private:
  struct Version {
    ModelStatus status;
    std::chrono::steady_clock::time_point load_began;
    double resident_before = 0, file_bytes = 0;
    std::shared_ptr<Servable> servable;
  };
  struct Entry {
    ModelSpec spec;
    std::map<int64_t, Version> versions;  // at least one
  };
  struct Job {
    std::string name;
    std::function<void(Result<void>)> done;
    std::string config;
  };
  void run();
  void tell_change();
  Result<void> load_now(const Job& job);
  Result<void> load_version(const ModelSpec& spec, const ModelVersion& version);
  Result<ModelSpec> refreshed(const Job& job) const;
  void begin_versions(const ModelSpec& spec);
  void fail(const std::string& name, const Status& failure);

  const Loader loader_;
  std::string folder_;
  std::atomic<bool> clients_may_control_{true};
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
