// One JSON object a line for each request that ended.
//
// Thread-safety: all functions; lines are never mixed. reopen() serves log rotation (SIGHUP).
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot::http {

struct AccessEntry {
  std::string_view id, method, path;
  std::string_view route;  // the pattern that matched; empty if none did
  std::string_view remote;
  int status = 0;  // 0: the client went before an answer
  uint64_t bytes_in = 0, bytes_out = 0;
  double duration_ms = 0;
  bool gone = false;  // the client left before the answer's end
  const std::vector<std::pair<std::string, std::string>>* notes = nullptr;
};

using OnRequestEnd = std::function<void(const AccessEntry&)>;

class AccessLog {
 public:
  AccessLog() = default;  // writes nothing
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // path: a file to append to; "-" is standard output; "none" or "" writes nothing. Errors: kUnavailable.
  Result<void> open(const std::string& path);
  Result<void> reopen() { return open(path_); }
  void write(const AccessEntry& entry);

 private:
  void close();

  std::mutex mutex_;
  std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace ingot::http
