#include "serving/repository_watcher.h"

#include <filesystem>

#include "base/log.h"

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax = 4;
constexpr int kFilesMax = 100'000;

uint64_t mix(uint64_t seed, uint64_t value) { return (seed ^ value) * 0x9e3779b97f4a7c15u + (seed >> 29); }

uint64_t look_of(const fs::path& path) {
  std::error_code ec;
  const auto time = fs::last_write_time(path, ec).time_since_epoch().count();
  return mix(mix(std::hash<std::string>()(path.string()), static_cast<uint64_t>(time)), fs::file_size(path, ec));
}

// A sum over the files, so that their order does not matter.
uint64_t look_of(const ModelSpec& spec) {
  if (spec.folder.empty()) return look_of(fs::path(spec.versions.front().path));
  uint64_t sum = 0;
  int files = 0;
  std::error_code ec;
  for (auto at = fs::recursive_directory_iterator(spec.folder, ec); !ec && at != fs::recursive_directory_iterator();
       at.increment(ec)) {
    if (at.depth() >= kDepthMax) at.disable_recursion_pending();
    if (at->is_regular_file(ec)) sum += look_of(at->path());
    if (++files > kFilesMax) break;
  }
  return sum;
}

}  // namespace

RepositoryWatcher::RepositoryWatcher(ModelRepository& models, std::string folder, std::chrono::milliseconds interval)
    : models_(models), folder_(std::move(folder)), interval_(interval) {
  if (const auto found = scan_models(folder_))
    for (const ModelSpec& spec : *found)
      if (models_.knows(spec.name)) seen_[spec.name] = look_of(spec);  // others came since the folder was read first
  thread_ = std::thread([this] { run(); });
}

RepositoryWatcher::~RepositoryWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RepositoryWatcher::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval_, [&] { return stop_; })) {
    try {
      look();
    } catch (const std::exception& e) {  // of the file system
      log::warn("[serve] --model-repository '{}': {}", folder_, e.what());
    }
  }
}

void RepositoryWatcher::look() {
  auto found = scan_models(folder_);
  if (!found) return log::warn("{}", found.error().message());
  std::map<std::string, uint64_t> now;
  for (ModelSpec& spec : *found) {
    const std::string name = spec.name;
    now[name] = look_of(spec);
    const auto before = seen_.find(name);
    if (before != seen_.end() && before->second == now[name]) continue;
    if (before == seen_.end()) {
      if (const auto added = models_.add(std::move(spec)); !added) {  // known from elsewhere: not this folder's
        if (refused_.insert(name).second) log::warn("{}", added.error().message());
        now.erase(name);
        continue;
      }
      refused_.erase(name);
    }
    if (const auto begun = models_.load(name, {}, {}, LoadCause::kAtStart); !begun)
      log::warn("{}", begun.error().message());
  }
  for (const auto& [name, look] : seen_)
    if (!now.contains(name)) models_.forget(name);
  seen_ = std::move(now);
}

}  // namespace ingot::serving
