// model_repository.h: room for models under a memory budget. Who is least recently used goes first, and comes back when
// a request names it.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "formats/printable.h"
#include "serving/model_repository.h"

namespace ingot::serving {
namespace {

constexpr std::string_view kIdle = "idle: it is loaded when a request names it";
constexpr size_t kMiB = size_t{1} << 20;

size_t mib(size_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

void ModelRepository::set_room(RoomOptions options) {
  const std::lock_guard lock(mutex_);
  room_ = options;
  changed_.notify_all();
}

RoomStats ModelRepository::room_stats() const {
  const std::lock_guard lock(mutex_);
  RoomStats s = room_stats_;
  s.bytes_loaded = bytes_loaded();
  s.bytes_max = room_.bytes_max;
  return s;
}

// With the lock held.
size_t ModelRepository::bytes_loaded() const {
  size_t bytes = 0;
  for (const auto& [name, entry] : entries_)
    for (const auto& [number, version] : entry.versions)
      if (version.servable) bytes += version.servable->bytes;
  return bytes;
}

// With the lock held: who holds a model beyond this repository got it under the lock, so nobody can begin to meanwhile.
bool ModelRepository::may_go(const Entry& entry) {
  bool any = false;
  for (const auto& [number, version] : entry.versions) {
    if (version.status.state == ModelState::kLoading || version.servable.use_count() > 1) return false;
    any = any || version.servable;
  }
  return any;
}

// With the lock held. What was taken is to be freed without it.
void ModelRepository::put_away(const std::string& name, Entry& entry, Servables& taken) {
  take_out(entry, taken);
  entry.on_demand = true;
  for (Job& job : jobs_)
    if (job.name == name) job.generation = entry.generation;  // who waits for it still gets it, in turn
  for (auto& [number, version] : entry.versions) version.status.reason = kIdle;
  ++room_stats_.idle_unloads;
  log::info("[serve] model '{}' was put away; it is loaded again when a request names it", printable(name));
}

// Makes room for `bytes` of a version of the job's model, waiting for a while where all others are at work. What goes
// once it is there (the version that it replaces, those that spec does not hold) does not count: for a moment both are
// there.
Result<void> ModelRepository::make_room(const Job& job, const ModelSpec& spec, int64_t version, size_t bytes) {
  const auto until = std::chrono::steady_clock::now() + kRoomWaitMax;
  for (;;) {
    Servables taken;  // freed without the lock, before the load
    std::unique_lock lock(mutex_);
    Entry* own = entry_of(job);
    if (!own || room_.bytes_max == 0) return {};
    size_t going = 0, staying = 0;
    for (const auto& [number, v] : own->versions)
      if (v.servable) (number == version || !holds(spec, number) ? going : staying) += v.servable->bytes;
    if (staying + bytes > room_.bytes_max) {
      own->on_demand = false;  // it will not fit later either
      return error(Code::kResourceExhausted, "[serve] model '{}' takes {} MiB{}, more than --memory-budget ({} MiB)",
                   printable(job.name), mib(staying + bytes), staying > 0 ? " with its other versions" : "",
                   mib(room_.bytes_max));
    }
    const size_t others = bytes_loaded() - going;
    if (others + bytes <= room_.bytes_max) return {};
    if (job.cause == LoadCause::kAtStart && going == 0) {
      own->on_demand = true;
      return error(Code::kAborted, "[serve] model '{}' finds no room in --memory-budget now; {}", printable(job.name),
                   kIdle);
    }
    std::pair<const std::string, Entry>* oldest = nullptr;
    for (auto& one : entries_)
      if (&one.second != own && may_go(one.second) && (!oldest || one.second.last_used < oldest->second.last_used))
        oldest = &one;
    if (oldest) {
      put_away(oldest->first, oldest->second, taken);
      lock.unlock();
      tell_change();
      continue;
    }
    if (stop_ || std::chrono::steady_clock::now() >= until)
      return error(Code::kResourceExhausted,
                   "[serve] model '{}' takes {} MiB; of --memory-budget ({} MiB) {} MiB belong to models that are at "
                   "work: try again later",
                   printable(job.name), mib(bytes), mib(room_.bytes_max), mib(others));
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
}

// Models that nobody used for long enough are put away. With the lock held, which is let go meanwhile; returns when to
// look again.
std::chrono::steady_clock::time_point ModelRepository::put_idle_away(std::unique_lock<std::mutex>& lock) {
  const auto now = std::chrono::steady_clock::now();
  auto next = now + std::chrono::hours(1);
  if (room_.idle_max.count() == 0) return next;
  Servables taken;
  for (auto& [name, entry] : entries_) {
    const bool any =
        std::ranges::any_of(entry.versions, [](const auto& one) { return one.second.servable != nullptr; });
    if (!any) continue;
    if (!may_go(entry)) entry.last_used = now;
    if (now - entry.last_used >= room_.idle_max)
      put_away(name, entry, taken);
    else
      next = std::min(next, entry.last_used + room_.idle_max);
  }
  if (taken.empty()) return next;
  lock.unlock();
  taken.clear();
  tell_change();
  lock.lock();
  return next;
}

void ModelRepository::acquire(const std::string& name, int64_t version, OnServable done) {
  bool comes = false;
  Result<std::shared_ptr<Servable>> found = use(name, version, &comes);
  if (found || !comes) return done(std::move(found));
  const auto shared = std::make_shared<OnServable>(std::move(done));
  // On the loading thread: nothing can take the model away before it was handed over.
  const auto begun = submit_load(name, {}, LoadCause::kDemand, [this, name, version, shared](Result<void> loaded) {
    auto now_there = use(name, version);
    if (!now_there && !loaded) now_there = error(Code::kUnavailable, "{}", loaded.error().message());
    (*shared)(std::move(now_there));
  });
  if (!begun) (*shared)(error(Code::kUnavailable, "{}", begun.error().message()));
}

// find() by a request that will use the model.
Result<std::shared_ptr<Servable>> ModelRepository::use(std::string_view name, int64_t version, bool* comes) {
  const std::lock_guard lock(mutex_);
  auto found = find_locked(name, version, comes);
  if (found) entries_.find(real_name(name))->second.last_used = std::chrono::steady_clock::now();
  return found;
}

Result<void> ModelRepository::add_alias(const std::string& alias, const std::string& model) {
  INGOT_TRY(check_model_name(alias));
  const std::lock_guard lock(mutex_);
  if (!entries_.contains(model))
    return not_found("[serve] --alias '{}={}': there is no model '{}'", printable(alias), printable(model),
                     printable(model));
  if (entries_.contains(alias) || !aliases_.try_emplace(alias, model).second)
    return error(Code::kAlreadyExists, "[serve] --alias '{}={}': the name '{}' is taken already", printable(alias),
                 printable(model), printable(alias));
  return {};
}

std::map<std::string, std::string> ModelRepository::aliases() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> there;
  for (const auto& [alias, model] : aliases_)
    if (entries_.contains(model)) there.emplace(alias, model);
  return there;
}

}  // namespace ingot::serving
