#include "serving/model_repository.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <utility>

#include "base/guarded.h"
#include "base/log.h"
#include "base/memory.h"
#include "formats/printable.h"
#include "serving/config/model_settings.h"

namespace ingot::serving {
namespace {

constexpr ptrdiff_t kLoadsWaitingMax = 32;  // of one model

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Status unloaded_meanwhile(const std::string& name) {
  return {Code::kAborted, fmt::format("[serve] model '{}' was unloaded while it was to be loaded", printable(name))};
}

}  // namespace

std::string_view model_state_name(ModelState state) {
  switch (state) {
    case ModelState::kUnavailable: return "UNAVAILABLE";
    case ModelState::kLoading: return "LOADING";
    case ModelState::kReady: return "READY";
  }
  return "UNKNOWN";
}

ModelRepository::ModelRepository(Loader loader) : loader_(std::move(loader)), thread_([this] { run(); }) {}

ModelRepository::~ModelRepository() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<void> ModelRepository::add(ModelSpec spec) {
  const std::lock_guard lock(mutex_);
  const std::string name = spec.name;
  Entry entry{.generation = ++generations_};
  const int64_t latest = spec.versions.back().number;
  entry.versions[latest].status = {.name = name, .kind = spec.kind, .version = latest};
  entry.spec = std::move(spec);
  if (aliases_.contains(name))
    return error(Code::kAlreadyExists, "[serve] model '{}' has the name of an alias: give it another", printable(name));
  if (!entries_.try_emplace(name, std::move(entry)).second)
    return error(Code::kAlreadyExists, "[serve] two models are named '{}': give one another name with NAME=PATH",
                 printable(name));
  return {};
}

void ModelRepository::on_change(std::function<void()> changed) {
  const std::lock_guard lock(telling_);
  on_change_ = std::move(changed);
}

void ModelRepository::tell_change() {
  const std::lock_guard lock(telling_);
  if (on_change_) on_change_();
}

Result<void> ModelRepository::may_change() const {
  if (changes_allowed_) return {};
  return error(Code::kUnavailable,
               "[serve] explicit model load / unload is not allowed: start with --model-control-mode explicit");
}

Result<void> ModelRepository::load(const std::string& name, std::function<void(Result<void>)> done, std::string config,
                                   LoadCause cause) {
  if (!knows(name) && !folder_.empty())
    for (ModelSpec& spec : INGOT_TRY(scan_models(folder_)))
      if (spec.name == name) (void)add(std::move(spec));  // another thread may have been faster
  return submit_load(name, std::move(config), cause, std::move(done));
}

// The model's own name where this is an alias. With the lock held.
std::string_view ModelRepository::real_name(std::string_view name) const {
  const auto alias = aliases_.find(name);
  return alias == aliases_.end() || entries_.contains(name) ? name : std::string_view(alias->second);
}

Result<void> ModelRepository::submit_load(const std::string& asked, std::string config, LoadCause cause,
                                          std::function<void(Result<void>)> done) {
  const std::lock_guard lock(mutex_);
  const std::string name(real_name(asked));
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  Entry& entry = found->second;
  // Who asked for it was told that it comes; since then somebody may have unloaded it.
  if (cause == LoadCause::kDemand && !entry.on_demand &&
      std::ranges::none_of(entry.versions, [](const auto& one) { return one.second.servable != nullptr; }))
    return error(Code::kUnavailable, "[serve] model '{}' is not loaded any more: {}", printable(name),
                 entry.versions.rbegin()->second.status.reason);
  // Only the last one's configuration is the one that stays: nobody joins a load before it.
  const auto last = std::find_if(jobs_.rbegin(), jobs_.rend(), [&](const Job& j) { return j.name == name; });
  const bool joins =
      last != jobs_.rend() && last->generation == entry.generation && last->config.empty() && config.empty();
  if (!joins && std::ranges::count(jobs_, name, &Job::name) >= kLoadsWaitingMax)
    return error(Code::kResourceExhausted, "[serve] {} loads of model '{}' wait already: try again later",
                 kLoadsWaitingMax, printable(name));
  for (auto& [number, version] : entry.versions) {
    version.status.never_loaded = false;
    version.load_began = std::chrono::steady_clock::now();
    if (!version.servable) version.status.state = ModelState::kLoading;
    version.status.reason.clear();
  }
  Job& job =
      joins
          ? *last
          : jobs_.emplace_back(Job{
                .name = name, .generation = entry.generation, .config = std::move(config), .done = {}, .cause = cause});
  if (job.cause != cause) job.cause = LoadCause::kAsked;
  if (done) job.done.push_back(std::move(done));
  changed_.notify_all();
  return {};
}

// Loads that wait or run are void from now on. With the lock held; what was taken is to be freed without it.
void ModelRepository::take_out(Entry& entry, Servables& taken) {
  entry.generation = ++generations_;
  entry.on_demand = false;
  for (auto& [number, version] : entry.versions) {
    taken.push_back(std::exchange(version.servable, nullptr));
    version.status.state = ModelState::kUnavailable;
    version.status.reason = "unloaded";
    version.status.never_loaded = false;
  }
}

Result<void> ModelRepository::unload(const std::string& name) {
  Servables last;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(real_name(name));
    if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
    take_out(found->second, last);
  }
  tell_change();
  return {};
}

void ModelRepository::forget(const std::string& name) {
  Servables last;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    take_out(found->second, last);
    entries_.erase(found);
  }
  tell_change();
}

Result<std::shared_ptr<Servable>> ModelRepository::find(std::string_view name, int64_t version, bool* comes) const {
  const std::lock_guard lock(mutex_);
  return find_locked(name, version, comes);
}

Result<std::shared_ptr<Servable>> ModelRepository::find_locked(std::string_view name, int64_t version,
                                                               bool* comes) const {
  const auto found = entries_.find(real_name(name));
  if (comes)
    *comes = found != entries_.end() && found->second.on_demand &&
             (version == 0 || found->second.versions.contains(version));
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  const auto& versions = found->second.versions;
  const Version* last = nullptr;
  for (const auto& [number, v] : versions) {
    if (version != 0 && version != number) continue;
    if (!last || v.servable || !last->servable) last = &v;
  }
  if (!last) return not_found("[serve] model '{}' has no version {}", printable(name), version);
  if (last->servable) return last->servable;
  if (last->status.state == ModelState::kLoading)
    return error(Code::kUnavailable, "[serve] model '{}' is still loading ({:.0f} s so far): try again soon", name,
                 seconds_since(last->load_began));
  return error(Code::kUnavailable, "[serve] model '{}' is not loaded{}{}", name,
               last->status.reason.empty() ? "" : ": ", last->status.reason);
}

bool ModelRepository::knows(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(real_name(name));
}

std::vector<int64_t> ModelRepository::ready_versions(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  std::vector<int64_t> list;
  const auto found = entries_.find(real_name(name));
  if (found == entries_.end()) return list;
  for (const auto& [number, version] : found->second.versions)
    if (version.servable) list.push_back(number);
  return list;
}

std::vector<ModelStatus> ModelRepository::index() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> list;
  for (const auto& [name, entry] : entries_)
    for (const auto& [number, v] : entry.versions) {
      list.push_back(v.status);
      list.back().on_demand = entry.on_demand;
      if (v.status.state == ModelState::kLoading) list.back().load_seconds = seconds_since(v.load_began);
    }
  return list;
}

std::vector<std::shared_ptr<Servable>> ModelRepository::ready_models() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Servable>> list;
  for (const auto& [name, entry] : entries_)
    for (const auto& [number, version] : entry.versions)
      if (version.servable) list.push_back(version.servable);
  return list;
}

bool ModelRepository::ready() const {
  const std::lock_guard lock(mutex_);
  if (settled_) return true;
  bool any_ready = false, any_failed = false;
  for (const auto& [name, entry] : entries_)
    for (const auto& [number, v] : entry.versions) {
      if (v.status.state == ModelState::kLoading) return false;
      any_ready |= v.servable != nullptr;
      any_failed |= !v.status.never_loaded && !v.servable && v.status.reason != "unloaded" && !entry.on_demand;
    }
  settled_ = any_ready || !any_failed;
  return settled_;
}

void ModelRepository::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto look_again = stop_ || !jobs_.empty() ? std::chrono::steady_clock::time_point() : put_idle_away(lock);
    if (!stop_ && jobs_.empty()) changed_.wait_until(lock, look_again);
    if (stop_) return;
    if (jobs_.empty()) continue;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const bool there = job.cause == LoadCause::kDemand && is_loaded(job);
    const Result<void> done = there ? Result<void>() : guarded("serve", [&] { return load_now(job); });
    if (!done) fail(job, done.error());
    if (!there) tell_change();
    for (const auto& tell : job.done) tell(done);
    lock.lock();
  }
}

// With the lock held. Null: the model was unloaded or forgotten since the load was asked for.
ModelRepository::Entry* ModelRepository::entry_of(const Job& job) {
  const auto found = entries_.find(job.name);
  return found == entries_.end() || found->second.generation != job.generation ? nullptr : &found->second;
}

// All of its versions, or this one.
bool ModelRepository::is_loaded(const Job& job, int64_t version) {
  const std::lock_guard lock(mutex_);
  const Entry* entry = entry_of(job);
  return entry && std::ranges::all_of(entry->versions, [&](const auto& one) {
           return one.second.servable != nullptr || (version != 0 && version != one.first);
         });
}

// What could not be loaded says why; what answered before still does.
void ModelRepository::fail(const Job& job, const Status& failure) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(job);
  if (!entry) return;
  // Without room now, it may find some later.
  entry->on_demand =
      entry->on_demand && (failure.code() == Code::kResourceExhausted || failure.code() == Code::kAborted);
  if (failure.code() != Code::kAborted) log::warn("{}", failure.message());
  for (auto& [number, v] : entry->versions) {
    v.status.reason = failure.message();
    if (!v.servable) v.status.state = ModelState::kUnavailable;
  }
}

// The model as its folder has it now, with its configuration, and only the versions that are to be served.
Result<ModelSpec> ModelRepository::refreshed(const Job& job) {
  ModelSpec spec;
  std::string config = job.config;
  {
    const std::lock_guard lock(mutex_);
    const Entry* entry = entry_of(job);
    if (!entry) return std::unexpected(unloaded_meanwhile(job.name));
    spec = entry->spec;
    if (job.cause == LoadCause::kDemand) config = entry->config;
  }
  if (!spec.folder.empty()) spec = INGOT_TRY(model_at(spec.folder, job.name));
  if (config.empty())
    spec.settings = INGOT_TRY(load_settings(spec.folder));
  else
    spec.settings = std::make_shared<const ModelSettings>(INGOT_TRY(parse_settings_json(config)));
  if (!spec.settings) {
    spec.versions.erase(spec.versions.begin(), spec.versions.end() - 1);
    return spec;
  }
  const ModelSettings& settings = *spec.settings;
  if (!settings.name.empty() && settings.name != job.name)
    return invalid("[config] 'name' is '{}', but the model is called '{}'", printable(settings.name),
                   printable(job.name));
  for (const std::string& what : settings.warnings)
    log::warn("[config] model '{}': {} does nothing here", printable(job.name), what);
  std::vector<int64_t> there;
  for (const ModelVersion& v : spec.versions) there.push_back(v.number);
  const std::vector<int64_t> chosen = INGOT_TRY(choose_versions(settings.versions, there));
  std::erase_if(spec.versions, [&](const ModelVersion& v) { return !std::ranges::binary_search(chosen, v.number); });
  if (!settings.default_model_filename.empty())
    for (ModelVersion& v : spec.versions)
      v.path = (std::filesystem::path(v.path).parent_path() / settings.default_model_filename).string();
  return spec;
}

// Versions that are to be loaded are known as loading; those that never were, and are not wanted, are not known.
Result<void> ModelRepository::begin_versions(const Job& job, const ModelSpec& spec) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(job);
  if (!entry) return std::unexpected(unloaded_meanwhile(job.name));
  entry->spec = spec;
  std::erase_if(entry->versions, [&](const auto& one) { return !one.second.servable && !holds(spec, one.first); });
  for (const ModelVersion& wanted : spec.versions) {
    Version& v = entry->versions[wanted.number];
    if (v.servable && job.cause == LoadCause::kDemand) continue;
    v.status.name = spec.name;
    v.status.kind = spec.kind;
    v.status.version = wanted.number;
    v.status.progress = 0;
    v.status.never_loaded = false;
    v.load_began = std::chrono::steady_clock::now();
    if (!v.servable) v.status.state = ModelState::kLoading;
  }
  return {};
}

Result<void> ModelRepository::load_version(const Job& job, const ModelSpec& spec, const ModelVersion& wanted) {
  const auto began = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = entry_of(job);
    if (!entry) return std::unexpected(unloaded_meanwhile(job.name));
    entry->versions[wanted.number].load_began = began;
  }
  const size_t bytes = model_bytes(wanted.path);
  INGOT_TRY(make_room(job, spec, wanted.number, bytes));
  INGOT_TRY(check_memory(fmt::format("model '{}'", printable(job.name)), static_cast<double>(bytes),
                         "unload others first, or choose a smaller model"));
  const auto on_progress = [&](size_t bytes, size_t total) {
    if (total > 0) note_progress(job, wanted.number, static_cast<double>(bytes) / static_cast<double>(total));
  };
  auto fresh = std::make_shared<Servable>(INGOT_TRY(loader_(spec, wanted, on_progress)));
  fresh->loaded_at = std::time(nullptr);
  fresh->settings = spec.settings;
  if (fresh->bytes > bytes) INGOT_TRY(make_room(job, spec, wanted.number, fresh->bytes));
  fresh->bytes = std::max(fresh->bytes, bytes);
  std::shared_ptr<Servable> old;  // freed without the lock, by whoever uses it last
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(job);
  if (!entry) {
    old = std::move(fresh);
    return std::unexpected(unloaded_meanwhile(job.name));
  }
  Version& v = entry->versions[wanted.number];
  old = std::exchange(v.servable, std::move(fresh));
  v.status.state = ModelState::kReady;
  v.status.progress = 1;
  v.status.reason.clear();
  v.status.load_seconds = seconds_since(began);
  entry->last_used = std::chrono::steady_clock::now();
  return {};
}

void ModelRepository::note_progress(const Job& job, int64_t version, double progress) {
  const std::lock_guard lock(mutex_);
  if (Entry* entry = entry_of(job)) entry->versions[version].status.progress = std::clamp(progress, 0.0, 0.99);
}

Result<void> ModelRepository::load_now(const Job& job) {
  const ModelSpec spec = INGOT_TRY(refreshed(job));
  INGOT_TRY(begin_versions(job, spec));
  for (const ModelVersion& version : spec.versions) {
    if (job.cause == LoadCause::kDemand && is_loaded(job, version.number)) continue;
    if (auto done = load_version(job, spec, version); !done) {
      if (spec.versions.size() == 1) return done;
      return std::unexpected(done.error().with_context(fmt::format("version {}", version.number)));
    }
  }
  Servables old;  // freed without the lock
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(job);
  if (!entry) return std::unexpected(unloaded_meanwhile(job.name));
  std::erase_if(entry->versions, [&](auto& one) {
    if (holds(spec, one.first)) return false;
    old.push_back(std::move(one.second.servable));
    return true;
  });
  if (entry->on_demand && job.cause == LoadCause::kDemand) ++room_stats_.demand_loads;
  entry->on_demand = false;
  if (job.cause != LoadCause::kDemand) entry->config = job.config;
  return {};
}

}  // namespace ingot::serving
