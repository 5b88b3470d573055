#include "server/http/access_log.h"

#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "formats/printable.h"

namespace ingot::http {
namespace {

// "2026-11-22T16:31:00.123Z"
std::string timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string(printable(text, 512))); }

}  // namespace

AccessLog::~AccessLog() { close(); }

void AccessLog::close() {
  if (file_ && file_ != stdout) std::fclose(file_);
  file_ = nullptr;
}

Result<void> AccessLog::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::FILE* file = nullptr;
  if (path == "-") {
    file = stdout;
  } else if (!path.empty() && path != "none") {
    file = std::fopen(path.c_str(), "ae");
    if (!file) return error(Code::kUnavailable, "[serve] --access-log '{}': {}", path, std::strerror(errno));
  }
  close();
  file_ = file;
  path_ = path;
  return {};
}

void AccessLog::write(const AccessEntry& e) {
  if (!file_) return;
  std::string line = fmt::format(
      R"({{"time":"{}","id":{},"remote":"{}","method":{},"path":{},"status":{},"bytes_in":{},"bytes_out":{},"ms":{:.3f})",
      timestamp(), quoted(e.id), e.remote, quoted(e.method), quoted(e.path), e.status, e.bytes_in, e.bytes_out,
      e.duration_ms);
  if (e.gone) line += R"(,"gone":true)";
  if (e.notes)
    for (const auto& [key, value] : *e.notes) line += fmt::format(",{}:{}", quoted(key), quoted(value));
  line += "}\n";
  const std::lock_guard lock(mutex_);
  if (!file_) return;
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

}  // namespace ingot::http
