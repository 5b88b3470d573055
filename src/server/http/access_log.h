// One JSON object a line for each request that ended.
//
// write() puts the line into a bounded queue and never waits: one thread of the log's own writes. What comes while the
// queue is full, because whoever reads the log has stalled, is dropped and counted; the count stands in the next line
// that gets through. The end waits for the last lines a moment, not for ever.
// Thread-safety: all functions; lines are never mixed. reopen() serves log rotation (SIGHUP).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot::http {

inline constexpr size_t kLogLinesMax = 8192;  // that wait to be written

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
  AccessLog();  // writes nothing
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // path: a file to append to; "-" is standard output; "none" or "" writes nothing. Errors: kUnavailable.
  // Lines that wait go to the new file.
  Result<void> open(const std::string& path);
  Result<void> reopen();
  void write(const AccessEntry& entry);
  // Lines that nobody will see.
  uint64_t dropped() const;

 private:
  class Writer;
  std::shared_ptr<Writer> writer_;  // the thread's too: it may outlive the log while a write hangs
};

}  // namespace ingot::http
