#include "serving/model_repository.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/log.h"
#include "formats/printable.h"

namespace ingot::serving {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of this process; 0 where it cannot be read.
double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return 0;
  int64_t total = 0, resident = 0;
  const int n = std::fscanf(file, "%ld %ld", &total, &resident);
  std::fclose(file);
  return n == 2 ? static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) : 0;
}

// Of a model's file, or of the files beside each other in its folder.
double bytes_at(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) return static_cast<double>(std::filesystem::file_size(path, ec));
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
    case ModelState::kUnloading: return "UNLOADING";
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

void ModelRepository::on_change(std::function<void()> changed) {
  const std::lock_guard lock(telling_);
  on_change_ = std::move(changed);
}

void ModelRepository::tell_change() {
  const std::lock_guard lock(telling_);
  if (on_change_) on_change_();
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
  jobs_.push_back({name, std::move(done)});
  changed_.notify_all();
  return {};
}

Result<void> ModelRepository::unload(const std::string& name) {
  std::shared_ptr<Servable> last;  // freed without the lock
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
    Entry& entry = found->second;
    last = std::move(entry.servable);
    entry.servable = nullptr;
    entry.status.state = ModelState::kUnavailable;
    entry.status.reason = "unloaded";
    entry.status.never_loaded = false;
  }
  tell_change();
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
    if (entry.status.state != ModelState::kLoading) continue;
    list.back().load_seconds = seconds_since(entry.load_began);
    if (entry.file_bytes > 0)
      list.back().progress = std::clamp((resident_bytes() - entry.resident_before) / entry.file_bytes, 0.0, 0.99);
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
  for (const auto& [name, entry] : entries_)
    if (!entry.status.never_loaded && !entry.servable && entry.status.reason != "unloaded") return false;
  return true;
}

void ModelRepository::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    Result<void> done;
    try {
      done = load_now(job.name);
    } catch (const std::exception& e) {
      done = error(Code::kInternal, "[serve] loading '{}': {}", printable(job.name), e.what());
    }
    lock.lock();
    if (!done) {
      Entry& entry = entries_.find(job.name)->second;
      entry.status.reason = done.error().message();
      if (!entry.servable) entry.status.state = ModelState::kUnavailable;
      log::warn("{}", done.error().message());
    }
    lock.unlock();
    tell_change();
    if (job.done) job.done(std::move(done));
    lock.lock();
  }
}

Result<void> ModelRepository::load_now(const std::string& name) {
  ModelSpec spec;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.find(name)->second;
    entry.load_began = std::chrono::steady_clock::now();
    entry.resident_before = resident_bytes();
    entry.file_bytes = bytes_at(entry.spec.versions.back().path);
    spec = entry.spec;
  }
  auto fresh = std::make_shared<Servable>(INGOT_TRY(loader_(spec, spec.versions.back())));
  fresh->loaded_at = std::time(nullptr);
  std::shared_ptr<Servable> old;  // freed without the lock, by whoever uses it last
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.find(name)->second;
  old = std::exchange(entry.servable, std::move(fresh));
  entry.status.state = ModelState::kReady;
  entry.status.progress = 1;
  entry.status.reason.clear();
  entry.status.load_seconds = seconds_since(entry.load_began);
  return {};
}

}  // namespace ingot::serving
