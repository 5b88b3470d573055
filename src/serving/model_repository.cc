#include "serving/model_repository.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>

#include "base/guarded.h"
#include "base/log.h"
#include "base/memory.h"
#include "formats/printable.h"

namespace ingot::serving {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of a model's file, or of the files beside each other in its folder; 0 if there is none.
double bytes_at(const std::string& path) {
  std::error_code ec;
  if (std::filesystem::is_regular_file(path, ec)) return static_cast<double>(std::filesystem::file_size(path, ec));
  double bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path, ec))
    if (entry.is_regular_file(ec)) bytes += static_cast<double>(entry.file_size(ec));
  return bytes;
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
  Entry entry{.spec = spec};
  entry.status = {.name = spec.name, .kind = spec.kind, .version = spec.versions.back().number};
  std::string name = spec.name;
  if (!entries_.try_emplace(std::move(name), std::move(entry)).second)
    return error(Code::kAlreadyExists, "[serve] two models are named '{}': give one another name with NAME=PATH",
                 printable(spec.name));
  return {};
}

Result<void> ModelRepository::load(const std::string& name, std::function<void(Result<void>)> done) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  Entry& entry = found->second;
  entry.status.never_loaded = false;
  entry.load_began = std::chrono::steady_clock::now();
  if (!entry.servable) entry.status.state = ModelState::kLoading;
  entry.status.reason.clear();
  const auto waiting =
      std::ranges::find_if(jobs_, [&](const Job& j) { return j.name == name && j.generation == entry.generation; });
  Job& job = waiting != jobs_.end() ? *waiting : jobs_.emplace_back(Job{.name = name, .generation = entry.generation});
  if (done) job.done.push_back(std::move(done));
  changed_.notify_all();
  return {};
}

Result<void> ModelRepository::may_change() const {
  if (changes_allowed_) return {};
  return error(Code::kUnavailable,
               "[serve] explicit model load / unload is not allowed: start with --model-control-mode explicit");
}

Status ModelRepository::unloaded_meanwhile(const std::string& name) {
  return {Code::kAborted, fmt::format("[serve] model '{}' was unloaded while it was to be loaded", printable(name))};
}

Result<void> ModelRepository::unload(const std::string& name) {
  std::shared_ptr<Servable> last;  // freed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  Entry& entry = found->second;
  ++entry.generation;
  last = std::move(entry.servable);
  entry.servable = nullptr;
  entry.status.state = ModelState::kUnavailable;
  entry.status.reason = "unloaded";
  entry.status.never_loaded = false;
  return {};
}

Result<std::shared_ptr<Servable>> ModelRepository::find(std::string_view name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  const Entry& entry = found->second;
  if (version != 0 && version != entry.status.version)
    return not_found("[serve] model '{}' has no version {}", printable(name), version);
  if (entry.servable) return entry.servable;
  if (entry.status.state == ModelState::kLoading)
    return error(Code::kUnavailable, "[serve] model '{}' is still loading ({:.0f} s so far): try again soon", name,
                 seconds_since(entry.load_began));
  return error(Code::kUnavailable, "[serve] model '{}' is not loaded{}{}", name,
               entry.status.reason.empty() ? "" : ": ", entry.status.reason);
}

bool ModelRepository::knows(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(name);
}

std::optional<ModelSpec> ModelRepository::spec(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::nullopt : std::optional(found->second.spec);
}

std::vector<ModelStatus> ModelRepository::index() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> list;
  for (const auto& [name, entry] : entries_) {
    list.push_back(entry.status);
    if (entry.status.state == ModelState::kLoading) list.back().load_seconds = seconds_since(entry.load_began);
  }
  return list;
}

std::vector<std::shared_ptr<Servable>> ModelRepository::ready_models() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Servable>> list;
  for (const auto& [name, entry] : entries_)
    if (entry.servable) list.push_back(entry.servable);
  return list;
}

bool ModelRepository::ready() const {
  const std::lock_guard lock(mutex_);
  if (settled_) return true;
  bool any_ready = false, any_failed = false;
  for (const auto& [name, entry] : entries_) {
    if (entry.status.state == ModelState::kLoading) return false;
    any_ready |= entry.servable != nullptr;
    any_failed |= !entry.status.never_loaded && !entry.servable && entry.status.reason != "unloaded";
  }
  settled_ = any_ready || !any_failed;
  return settled_;
}

void ModelRepository::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const Result<void> done = guarded("serve", [&] { return load_now(job); });
    lock.lock();
    Entry& entry = entries_.find(job.name)->second;
    if (!done && job.generation == entry.generation) {
      entry.status.reason = done.error().message();
      if (!entry.servable) entry.status.state = ModelState::kUnavailable;
      log::warn("{}", done.error().message());
    }
    lock.unlock();
    for (const auto& tell : job.done) tell(done);
    lock.lock();
  }
}

Result<void> ModelRepository::load_now(const Job& job) {
  const std::string& name = job.name;
  ModelSpec spec;
  {
    const std::lock_guard lock(mutex_);
    spec = entries_.find(name)->second.spec;
  }
  if (!spec.folder.empty()) spec = INGOT_TRY(model_at(spec.folder, name));  // a version may have come
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.find(name)->second;
    if (job.generation != entry.generation) return std::unexpected(unloaded_meanwhile(name));
    entry.spec = spec;
    entry.status.kind = spec.kind;
    if (!entry.servable) entry.status.version = spec.versions.back().number;
    entry.load_began = std::chrono::steady_clock::now();
    entry.status.progress = 0;
  }
  const std::string& path = spec.versions.back().path;
  INGOT_TRY(check_memory(fmt::format("model '{}'", printable(name)), bytes_at(path),
                         "unload others first, or choose a smaller model"));
  const auto on_progress = [&](size_t bytes, size_t total) {
    if (total > 0) note_progress(name, static_cast<double>(bytes) / static_cast<double>(total));
  };
  auto fresh = std::make_shared<Servable>(INGOT_TRY(loader_(spec, spec.versions.back(), on_progress)));
  fresh->loaded_at = std::time(nullptr);
  std::shared_ptr<Servable> old;  // freed without the lock, by whoever uses it last
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.find(name)->second;
  if (job.generation != entry.generation) {
    old = std::move(fresh);
    return std::unexpected(unloaded_meanwhile(name));
  }
  entry.status.version = fresh->version;
  old = std::exchange(entry.servable, std::move(fresh));
  entry.status.state = ModelState::kReady;
  entry.status.progress = 1;
  entry.status.reason.clear();
  entry.status.load_seconds = seconds_since(entry.load_began);
  return {};
}

void ModelRepository::note_progress(const std::string& name, double progress) {
  const std::lock_guard lock(mutex_);
  entries_.find(name)->second.status.progress = std::clamp(progress, 0.0, 0.99);
}

}  // namespace ingot::serving
