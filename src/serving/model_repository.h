// The models of a server: which there are, which are loaded, and the way from a name to one that answers.
//
// Models load on one thread, in order; requests find what is ready meanwhile. Who found a model keeps it alive until
// its answers end, so unloading and reloading drop no request. A load looks at the model's folder again: new versions
// and a changed config.pbtxt count from then on; an old version is replaced once the new one is ready. Who asks for a
// load while one of the same model waits joins it, unless either brings a configuration of its own.
// Under a memory budget (RoomOptions) models that nobody uses are put away for others, and come back when a request
// names them (model_room.cc). Aliases are other names of models. Ownership: owns the models. Thread-safety: every
// member from any thread.
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
#include <string>
#include <thread>
#include <vector>

#include "llm/engine/engine.h"
#include "serving/model_spec.h"
#include "serving/tensor_model.h"
#include "text/tools/dialect.h"

namespace ingot::serving {

// A loaded version of a model: exactly one of the two.
struct Servable {
  std::string name;
  int64_t version = 1;
  int64_t loaded_at = 0;  // Unix time, s
  size_t bytes = 0;       // of its weights, where the loader knows more than what its files have together
  std::shared_ptr<llm::Engine> language;
  tools::Dialect dialect;  // of a language model
  std::shared_ptr<TensorModel> tensor;
  std::shared_ptr<const ModelSettings> settings;  // null: it has no configuration
};

enum class ModelState : uint8_t { kUnavailable, kLoading, kReady };
std::string_view model_state_name(ModelState state);  // "READY"

struct ModelStatus {
  std::string name;
  ModelKind kind = ModelKind::kLanguage;
  int64_t version = 1;
  ModelState state = ModelState::kUnavailable;
  std::string reason;        // why it is unavailable; "unloaded"
  double load_seconds = 0;   // so far, or in all
  double progress = 0;       // of loading, 0 to 1, as its loader tells
  bool never_loaded = true;  // known, and nothing else
  bool on_demand = false;    // not loaded, but a request that names it has it loaded
};

struct RoomOptions {
  size_t bytes_max = 0;                   // of all loaded models' files; 0: no budget
  std::chrono::milliseconds idle_max{0};  // a model that nobody used for so long is put away; 0: never
};

struct RoomStats {
  size_t bytes_loaded = 0, bytes_max = 0;
  uint64_t idle_unloads = 0, demand_loads = 0;
};

enum class LoadCause : uint8_t {
  kAsked,    // somebody asked for it: others are put away where there is no room
  kAtStart,  // it is there: without room it waits until a request names it (done is kAborted)
  kDemand,   // a request waits for it: nothing is done if it is loaded meanwhile
};

using OnProgress = std::function<void(size_t bytes, size_t bytes_total)>;
using Loader =
    std::function<Result<Servable>(const ModelSpec& spec, const ModelVersion& version, const OnProgress& on_progress)>;

class ModelRepository {
 public:
  explicit ModelRepository(Loader loader);
  ~ModelRepository();  // ends the loading thread after the model it is at
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Models that are asked for and not known are looked for in this folder. Before the first load.
  void set_folder(std::string folder) { folder_ = std::move(folder); }
  // Makes a model known. Errors: kAlreadyExists.
  Result<void> add(ModelSpec spec);
  // Has its chosen versions loaded by the loading thread; done may be empty, and is called on that thread, with
  // kAborted if the model was unloaded meanwhile. config: JSON in place of the model's config.pbtxt, for this load;
  // empty: none. For a model that is loaded: a reload. Errors: kNotFound, kResourceExhausted (too many wait).
  Result<void> load(const std::string& name, std::function<void(Result<void>)> done = {}, std::string config = {},
                    LoadCause cause = LoadCause::kAsked);
  // No new request finds it; it is freed when its last answer ended. A load that waits or runs comes to nothing.
  // Errors: kNotFound.
  Result<void> unload(const std::string& name);
  // The same, and it is not known any more.
  void forget(const std::string& name);
  // Called after a model's state changed, on the thread that changed it; it may ask for the index. Once this returns,
  // the function that was set before is not called any more.
  void on_change(std::function<void()> changed);

  // Whether clients may load and unload; not unless the owner of the server says so.
  void allow_changes(bool allowed) { changes_allowed_ = allowed; }
  // For every protocol's way to load and unload. Errors: kUnavailable, in Triton's words.
  Result<void> may_change() const;

  // Before the first load.
  void set_room(RoomOptions options);
  RoomStats room_stats() const;
  // Another name of a model, wherever a model is named. Errors: kNotFound, kAlreadyExists, kInvalidArgument.
  Result<void> add_alias(const std::string& alias, const std::string& model);
  std::map<std::string, std::string> aliases() const;  // to models that there are

  using OnServable = std::function<void(Result<std::shared_ptr<Servable>>)>;
  // find() for a request that uses the model: where it was put away it is loaded first. done is called once, at once or
  // on the loading thread; it must not block. Errors: those of find; kUnavailable (it finds no room, with the reason).
  void acquire(const std::string& name, int64_t version, OnServable done);
  // find() for a request that uses the model, which counts for who was not used for longest.
  // comes: whether acquire() would have it loaded, at the same moment. Errors: those of find.
  Result<std::shared_ptr<Servable>> use(std::string_view name, int64_t version, bool* comes = nullptr);
  // version 0: the highest that is ready.
  // Errors: kNotFound (unknown), kUnavailable (loading, failed or unloaded, with the reason).
  Result<std::shared_ptr<Servable>> find(std::string_view name, int64_t version = 0, bool* comes = nullptr) const;
  bool knows(std::string_view name) const;
  std::vector<int64_t> ready_versions(std::string_view name) const;
  // All versions that were ever asked for, and the names of the rest; by name and version.
  std::vector<ModelStatus> index() const;
  std::vector<std::shared_ptr<Servable>> ready_models() const;
  // Once nothing loads any more and a model is ready (or none failed), for good: what clients load later, or fail to,
  // does not take the server away from its other models.
  bool ready() const;

 private:
  struct Version {
    ModelStatus status;
    std::chrono::steady_clock::time_point load_began;
    std::shared_ptr<Servable> servable;
  };
  struct Entry {
    ModelSpec spec;
    std::map<int64_t, Version> versions;  // at least one
    uint64_t generation = 0;              // another after each unload: a load of an earlier one is void
    bool on_demand = false;               // it was put away
    std::string config;                   // that it was loaded with; it comes back with the same
    std::chrono::steady_clock::time_point last_used{};
  };
  struct Job {
    std::string name;
    uint64_t generation;
    std::string config;
    std::vector<std::function<void(Result<void>)>> done;
    LoadCause cause = LoadCause::kAsked;
  };
  using Servables = std::vector<std::shared_ptr<Servable>>;
  static constexpr std::chrono::seconds kRoomWaitMax{10};
  void run();
  void tell_change();
  std::string_view real_name(std::string_view name) const;
  Result<std::shared_ptr<Servable>> find_locked(std::string_view name, int64_t version, bool* comes) const;
  Result<void> submit_load(const std::string& name, std::string config, LoadCause cause,
                           std::function<void(Result<void>)> done);
  bool is_loaded(const Job& job, int64_t version = 0);
  size_t bytes_loaded() const;
  static bool may_go(const Entry& entry);
  void put_away(const std::string& name, Entry& entry, Servables& taken);
  Result<void> make_room(const Job& job, const ModelSpec& spec, int64_t version, size_t bytes);
  std::chrono::steady_clock::time_point put_idle_away(std::unique_lock<std::mutex>& lock);
  Entry* entry_of(const Job& job);
  void take_out(Entry& entry, Servables& taken);
  Result<void> load_now(const Job& job);
  Result<void> load_version(const Job& job, const ModelSpec& spec, const ModelVersion& wanted);
  Result<ModelSpec> refreshed(const Job& job);
  Result<void> begin_versions(const Job& job, const ModelSpec& spec);
  void note_progress(const Job& job, int64_t version, double progress);
  void fail(const Job& job, const Status& failure);

  const Loader loader_;
  std::string folder_;
  std::atomic<bool> changes_allowed_{false};
  std::mutex telling_;  // held while on_change_ runs; taken without mutex_
  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string, std::less<>> aliases_;  // to names of models
  RoomOptions room_;
  RoomStats room_stats_;
  std::deque<Job> jobs_;
  uint64_t generations_ = 0;  // given so far, to any entry
  bool stop_ = false;
  mutable bool settled_ = false;  // was ready once
  std::thread thread_;
};

}  // namespace ingot::serving
