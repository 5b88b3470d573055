// The keys that open the server: a file with one a line (# starts a comment), read again when it changes.
//
// Thread-safety: all functions. A file that cannot be read again keeps the keys that were read before.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::http {

class ApiKeys {
 public:
  ApiKeys() = default;  // no keys: everything is open
  // Errors: kNotFound, kInvalidArgument (no key in it, a key of control characters).
  Result<void> load(const std::string& path);
  // Reads the file again now.
  Result<void> reload();

  bool required() const { return !path_.empty(); }
  // credentials: the value of Authorization ("Bearer KEY") or the bare key. Takes the same time for any wrong key
  // of the same length. Looks at most once a second whether the file has changed.
  bool accepts(std::string_view credentials) { return !required() || tenant_of(credentials).has_value(); }
  // Whom an accepted key stands for: "key-3", the third of the file. Nothing for a wrong key; "" if none is required.
  std::optional<std::string> tenant_of(std::string_view credentials);

 private:
  std::string path_;
  std::mutex mutex_;
  std::vector<std::string> keys_;
  std::filesystem::file_time_type read_time_{};
  int64_t checked_at_s_ = 0;
};

}  // namespace ingot::http
