// See cache.h.
#include "hub/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "base/limits.h"
#include "hub/checksum.h"

namespace ingot::hub {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kManifest = ".ingot.json";

std::string sha256(std::string_view text) {
  Checksum sum;
  sum.add({text.data(), text.size()});
  return sum.hex();
}

std::string escaped(std::string_view revision) {
  std::string out;
  for (char c : revision) c == '/' ? out += "%2F" : out += c;
  return out;
}

std::string text_of(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

bool parse_entry(const json::value& value, Entry& out) {
  const json::object* o = value.if_object();
  const json::value* files = o == nullptr ? nullptr : o->if_contains("files");
  if (files == nullptr || !files->is_array()) return false;
  out = {text_of(*o, "reference"), text_of(*o, "label"), text_of(*o, "commit"), text_of(*o, "entry"), {}};
  if (!out.entry.empty() && !is_safe_file_name(out.entry)) return false;
  for (const json::value& f : files->get_array()) {
    const json::object* file = f.if_object();
    const json::value* bytes = file == nullptr ? nullptr : file->if_contains("bytes");
    if (bytes == nullptr || !bytes->is_int64()) return false;
    out.files.push_back({text_of(*file, "path"), bytes->get_int64(), text_of(*file, "checksum")});
    if (!is_safe_file_name(out.files.back().path)) return false;
  }
  return !out.reference.empty();
}

// Empty if there is no manifest or it cannot be read.
std::vector<Entry> read_manifest(const fs::path& folder) {
  std::error_code none;
  const auto size = fs::file_size(folder / kManifest, none);
  if (none || size > limits::kHubAnswerBytesMax) return {};
  std::ifstream in(folder / kManifest);
  std::ostringstream text;
  text << in.rdbuf();
  boost::system::error_code failed;
  const json::value value = json::parse(text.str(), failed);
  const json::object* o = failed ? nullptr : value.if_object();
  const json::value* models = o == nullptr ? nullptr : o->if_contains("models");
  std::vector<Entry> out;
  if (models == nullptr || !models->is_array()) return out;
  for (const json::value& m : models->get_array()) {
    Entry entry;
    if (parse_entry(m, entry)) out.push_back(std::move(entry));
  }
  return out;
}

Result<void> write_manifest(const fs::path& folder, const std::vector<Entry>& entries) {
  json::array models;
  for (const Entry& e : entries) {
    json::array files;
    for (const Entry::File& f : e.files) {
      files.push_back({{"path", f.path}, {"bytes", f.bytes}, {"checksum", f.checksum}});
    }
    models.push_back({{"reference", e.reference},
                      {"label", e.label},
                      {"commit", e.commit},
                      {"entry", e.entry},
                      {"files", std::move(files)}});
  }
  const json::object manifest{{"version", 1}, {"models", std::move(models)}};
  const fs::path fresh = folder / (std::string(kManifest) + ".new");
  std::ofstream out(fresh, std::ios::trunc);
  out << json::serialize(manifest) << '\n';
  out.close();
  std::error_code failed;
  if (out) fs::rename(fresh, folder / kManifest, failed);
  if (out && !failed) return {};
  std::error_code ignored;
  fs::remove(fresh, ignored);
  return error(Code::kResourceExhausted,
               "[hub] cannot write '{}'; free some space or set INGOT_CACHE to another folder",
               (folder / kManifest).string());
}

bool is_complete(const fs::path& folder, const Entry& entry) {
  return std::ranges::all_of(entry.files, [&](const Entry::File& f) {
    std::error_code none;
    const auto size = fs::file_size(folder / f.path, none);
    return !none && size == static_cast<uintmax_t>(f.bytes);
  });
}

// Removes the file and the folders above it that are empty then, up to (not with) `top`.
int64_t remove_file(const fs::path& path, const fs::path& top) {
  std::error_code none;
  const auto size = fs::file_size(path, none);
  const bool removed = fs::remove(path, none);
  for (fs::path up = path.parent_path(); up != top && up.string().size() > top.string().size(); up = up.parent_path()) {
    if (::rmdir(up.c_str()) != 0) break;
  }
  return removed ? static_cast<int64_t>(size) : 0;
}

}  // namespace

int64_t Entry::bytes() const {
  int64_t sum = 0;
  for (const File& f : files) sum += f.bytes;
  return sum;
}

std::string canonical(const ModelRef& ref) {
  if (ref.kind != ModelRef::Kind::kHub) return ref.text;
  std::string text = "hf:" + ref.repo;
  if (!ref.quant.empty()) text += ':';
  for (char c : ref.quant) text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (ref.revision != "main") text += '@' + ref.revision;
  return text;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<ModelCache> ModelCache::from_environment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value != nullptr ? value : "");
  };
  if (const fs::path p = variable("INGOT_CACHE"); !p.empty()) return ModelCache(fs::absolute(p));
  if (const fs::path p = variable("XDG_CACHE_HOME"); p.is_absolute()) return ModelCache(p / "ingot");
  if (const fs::path p = variable("HOME"); p.is_absolute()) return ModelCache(p / ".cache" / "ingot");
  return error(Code::kFailedPrecondition, "[hub] no place for models: set INGOT_CACHE to a folder (HOME is not set)");
}

fs::path ModelCache::folder(const ModelRef& ref) const {
  if (ref.kind == ModelRef::Kind::kHub) return root_ / "hf" / ref.repo / escaped(ref.revision);
  return root_ / "url" / sha256(ref.text).substr(0, 16);
}

Result<CachedModel> ModelCache::find(const ModelRef& ref) const {
  const fs::path where = folder(ref);
  const std::string wanted = canonical(ref);
  for (Entry& entry : read_manifest(where)) {
    if (entry.reference == wanted && is_complete(where, entry)) return CachedModel{where, std::move(entry)};
  }
  return not_found("[hub] '{}' is not in '{}'; run: ingot pull {}", ref.text, root_.string(), ref.text);
}

std::vector<CachedModel> ModelCache::list() const {
  std::vector<CachedModel> out;
  std::error_code failed;
  for (const char* kind : {"hf", "url"}) {
    fs::recursive_directory_iterator it(root_ / kind, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && it != fs::recursive_directory_iterator(); it.increment(failed)) {
      if (it->path().filename() != kManifest) continue;
      const fs::path where = it->path().parent_path();
      for (Entry& entry : read_manifest(where)) {
        if (is_complete(where, entry)) out.push_back({where, std::move(entry)});
      }
    }
  }
  std::ranges::sort(out, {}, [](const CachedModel& m) { return m.entry.reference; });
  return out;
}

Result<FolderLock> ModelCache::lock(const ModelRef& ref, const std::function<void()>& waiting) const {
  const fs::path path = root_ / "locks" / (sha256(folder(ref).string()).substr(0, 16) + ".lock");
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  const int descriptor = failed ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return error(Code::kFailedPrecondition,
                 "[hub] cannot make '{}': {}; set INGOT_CACHE to a folder that can be written", path.string(),
                 failed ? failed.message() : std::strerror(errno));
  }
  FolderLock lock(descriptor);
  int failure = ::flock(descriptor, LOCK_EX | LOCK_NB);
  if (failure != 0 && errno == EWOULDBLOCK) {
    if (waiting) waiting();
    do {
      failure = ::flock(descriptor, LOCK_EX);
    } while (failure != 0 && errno == EINTR);
  }
  if (failure != 0) {
    return error(Code::kFailedPrecondition, "[hub] cannot lock '{}': {}", path.string(), std::strerror(errno));
  }
  return lock;
}

Result<void> ModelCache::put(const ModelRef& ref, const Entry& entry) const {
  const fs::path where = folder(ref);
  std::vector<Entry> entries = read_manifest(where);
  std::erase_if(entries, [&](const Entry& e) { return e.reference == entry.reference; });
  entries.push_back(entry);
  return write_manifest(where, entries);
}

Result<int64_t> ModelCache::remove(const ModelRef& ref) const {
  const FolderLock held = INGOT_TRY(lock(ref, {}));
  const fs::path where = folder(ref);
  std::vector<Entry> entries = read_manifest(where);
  const auto gone = std::ranges::find(entries, canonical(ref), &Entry::reference);
  std::error_code ignored;
  if (gone == entries.end() && entries.empty() && fs::remove_all(where, ignored) > 0) {
    return 0;  // only an interrupted pull was there
  }
  if (gone == entries.end()) {
    return not_found("[hub] '{}' is not in '{}'; see: ingot list", ref.text, root_.string());
  }
  const Entry entry = std::move(*gone);
  entries.erase(gone);
  std::set<std::string> needed;
  for (const Entry& e : entries) {
    for (const Entry::File& f : e.files) needed.insert(f.path);
  }
  if (!entries.empty()) INGOT_TRY(write_manifest(where, entries));
  int64_t freed = 0;
  for (const Entry::File& f : entry.files) {
    if (!needed.contains(f.path)) freed += remove_file(where / f.path, where);
  }
  if (entries.empty()) {
    fs::remove_all(where, ignored);
    for (fs::path up = where.parent_path(); up != root_ && up.string().size() > root_.string().size();
         up = up.parent_path()) {
      if (::rmdir(up.c_str()) != 0) break;
    }
  }
  return freed;
}

}  // namespace ingot::hub
