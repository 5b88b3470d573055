// The folder of downloaded models.
//
//   <root>/hf/<org>/<repo>/<revision>/            the repository's files, under their own names
//   <root>/url/<16 hex digits of the address's SHA-256>/<file name>
//   <root>/**/.ingot.json                         what was pulled there: see Entry
//   <root>/locks/<…>.lock                         held while a folder is written or removed
// root: $INGOT_CACHE, or $XDG_CACHE_HOME/ingot, or ~/.cache/ingot. A '/' in a revision is kept as
// "%2F". Reading needs no lock: the manifest is replaced in one step, and names only complete files.
// Thread-safety: processes and threads may share a cache; one ModelCache per thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "hub/reference.h"

namespace ingot::hub {

// One model that was pulled.
struct Entry {
  struct File {
    std::string path;  // in the folder
    int64_t bytes = 0;
    std::string checksum;  // SHA-256 or git SHA-1, hex; may be empty
  };
  std::string reference;  // as it was asked for, in one spelling: see canonical()
  std::string label;      // "Q4_K_M", "safetensors", …
  std::string commit;     // empty for an address
  std::string entry;      // the file to open; empty: the folder
  std::vector<File> files;

  int64_t bytes() const;
};

struct CachedModel {
  std::filesystem::path folder;
  Entry entry;
  std::filesystem::path path() const { return entry.entry.empty() ? folder : folder / entry.entry; }
};

// Holds a folder's lock file until destroyed.
class FolderLock {
 public:
  FolderLock(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  friend class ModelCache;
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

class ModelCache {
 public:
  explicit ModelCache(std::filesystem::path root) : root_(std::move(root)) {}

  // Errors: kFailedPrecondition if the environment names no home.
  static Result<ModelCache> from_environment();

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path folder(const ModelRef& ref) const;

  // The complete model of this reference. Errors: kNotFound.
  Result<CachedModel> find(const ModelRef& ref) const;
  // All models, by reference. Broken manifests are left out.
  std::vector<CachedModel> list() const;

  // Waits for others; `waiting` is called once if there is somebody.
  Result<FolderLock> lock(const ModelRef& ref, const std::function<void()>& waiting) const;
  // Adds or replaces the entry of its reference. The caller holds the lock.
  Result<void> put(const ModelRef& ref, const Entry& entry) const;
  // Removes the model and every file that no other model of the folder needs. Returns freed bytes.
  Result<int64_t> remove(const ModelRef& ref) const;

 private:
  std::filesystem::path root_;
};

// "hf:org/repo:Q4_K_M@rev": quant in upper case, "@main" left away.
std::string canonical(const ModelRef& ref);

}  // namespace ingot::hub
