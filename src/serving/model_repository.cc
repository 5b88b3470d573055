#include "serving/model_repository.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/log.h"
#include "formats/printable.h"
#include "serving/config/model_settings.h"

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

void ModelRepository::set_folder(std::string folder) {
  const std::lock_guard lock(mutex_);
  folder_ = std::move(folder);
}

Result<void> ModelRepository::add(ModelSpec spec) {
  const std::lock_guard lock(mutex_);
  const std::string name = spec.name;
  Entry entry;
  const int64_t latest = spec.versions.back().number;
  entry.versions[latest].status = {.name = name, .kind = spec.kind, .version = latest};
  entry.spec = std::move(spec);
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

Result<void> ModelRepository::load(const std::string& name, std::function<void(Result<void>)> done,
                                   std::string config) {
  if (!knows(name) && !folder_.empty())
    for (ModelSpec& spec : INGOT_TRY(scan_models(folder_)))
      if (spec.name == name) (void)add(std::move(spec));  // another thread may have been faster
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
  for (auto& [number, version] : found->second.versions) {
    version.status.never_loaded = false;
    version.load_began = std::chrono::steady_clock::now();
    if (!version.servable) version.status.state = ModelState::kLoading;
    version.status.reason.clear();
  }
  jobs_.push_back({name, std::move(done), std::move(config)});
  changed_.notify_all();
  return {};
}

Result<void> ModelRepository::unload(const std::string& name) {
  std::vector<std::shared_ptr<Servable>> last;  // freed without the lock
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(name));
    for (auto& [number, version] : found->second.versions) {
      last.push_back(std::exchange(version.servable, nullptr));
      version.status.state = ModelState::kUnavailable;
      version.status.reason = "unloaded";
      version.status.never_loaded = false;
    }
  }
  tell_change();
  return {};
}

void ModelRepository::forget(const std::string& name) {
  if (!unload(name)) return;
  const std::lock_guard lock(mutex_);
  entries_.erase(name);
}

Result<std::shared_ptr<Servable>> ModelRepository::find(std::string_view name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
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
  return entries_.contains(name);
}

std::vector<int64_t> ModelRepository::ready_versions(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  std::vector<int64_t> list;
  const auto found = entries_.find(name);
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
      if (v.status.state != ModelState::kLoading) continue;
      list.back().load_seconds = seconds_since(v.load_began);
      if (v.file_bytes > 0)
        list.back().progress = std::clamp((resident_bytes() - v.resident_before) / v.file_bytes, 0.0, 0.99);
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
  for (const auto& [name, entry] : entries_)
    for (const auto& [number, v] : entry.versions)
      if (!v.status.never_loaded && !v.servable && v.status.reason != "unloaded") return false;
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
      done = load_now(job);
    } catch (const std::exception& e) {
      done = error(Code::kInternal, "[serve] loading '{}': {}", printable(job.name), e.what());
    }
    if (!done) fail(job.name, done.error());
    tell_change();
    if (job.done) job.done(std::move(done));
    lock.lock();
  }
}

// What could not be loaded says why; what answered before still does.
void ModelRepository::fail(const std::string& name, const Status& failure) {
  log::warn("{}", failure.message());
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  for (auto& [number, v] : found->second.versions) {
    if (v.status.state == ModelState::kLoading || v.servable) v.status.reason = failure.message();
    if (v.status.state == ModelState::kLoading) v.status.state = ModelState::kUnavailable;
  }
}

// The model as its folder has it now, with its configuration, and only the versions that are to be served.
Result<ModelSpec> ModelRepository::refreshed(const Job& job) const {
  ModelSpec spec;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(job.name);
    if (found == entries_.end()) return not_found("[serve] there is no model '{}'", printable(job.name));
    spec = found->second.spec;
  }
  if (!spec.folder.empty()) spec = INGOT_TRY(model_at(spec.folder, job.name));
  if (job.config.empty())
    spec.settings = INGOT_TRY(load_settings(spec.folder));
  else
    spec.settings = std::make_shared<const ModelSettings>(INGOT_TRY(parse_settings_json(job.config)));
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
void ModelRepository::begin_versions(const ModelSpec& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(spec.name);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.spec = spec;
  std::erase_if(entry.versions, [&](const auto& one) {
    return !one.second.servable &&
           std::ranges::find(spec.versions, one.first, &ModelVersion::number) == spec.versions.end();
  });
  for (const ModelVersion& wanted : spec.versions) {
    Version& v = entry.versions[wanted.number];
    v.status.name = spec.name;
    v.status.kind = spec.kind;
    v.status.version = wanted.number;
    v.status.never_loaded = false;
    v.load_began = std::chrono::steady_clock::now();
    if (!v.servable) v.status.state = ModelState::kLoading;
  }
}

Result<void> ModelRepository::load_version(const ModelSpec& spec, const ModelVersion& wanted) {
  const double resident = resident_bytes(), file = bytes_at(wanted.path);
  const auto began = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(spec.name);
    if (found == entries_.end()) return not_found("[serve] model '{}' was removed", printable(spec.name));
    Version& v = found->second.versions[wanted.number];
    v.load_began = began;
    v.resident_before = resident;
    v.file_bytes = file;
  }
  auto fresh = std::make_shared<Servable>(INGOT_TRY(loader_(spec, wanted)));
  fresh->loaded_at = std::time(nullptr);
  fresh->settings = spec.settings;
  std::shared_ptr<Servable> old;  // freed without the lock, by whoever uses it last
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(spec.name);
  if (found == entries_.end()) return not_found("[serve] model '{}' was removed", printable(spec.name));
  Version& v = found->second.versions[wanted.number];
  old = std::exchange(v.servable, std::move(fresh));
  v.status.state = ModelState::kReady;
  v.status.progress = 1;
  v.status.reason.clear();
  v.status.load_seconds = seconds_since(began);
  return {};
}

Result<void> ModelRepository::load_now(const Job& job) {
  const ModelSpec spec = INGOT_TRY(refreshed(job));
  begin_versions(spec);
  for (const ModelVersion& version : spec.versions)
    if (auto done = load_version(spec, version); !done) {
      if (spec.versions.size() == 1) return done;
      return std::unexpected(done.error().with_context(fmt::format("version {}", version.number)));
    }
  std::vector<std::shared_ptr<Servable>> old;  // freed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(job.name);
  if (found == entries_.end()) return {};
  std::erase_if(found->second.versions, [&](auto& one) {
    if (std::ranges::find(spec.versions, one.first, &ModelVersion::number) != spec.versions.end()) return false;
    old.push_back(std::move(one.second.servable));
    return true;
  });
  return {};
}

}  // namespace ingot::serving
