#include "server/http/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>

#include "formats/printable.h"

namespace ingot::http {
namespace {

constexpr std::chrono::seconds kLastLinesTime{1};  // that the end waits for

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

std::string line_of(const AccessEntry& e) {
  std::string line = fmt::format(
      R"({{"time":"{}","id":{},"remote":"{}","method":{},"path":{},"status":{},"bytes_in":{},"bytes_out":{},"ms":{:.3f})",
      timestamp(), quoted(e.id), e.remote, quoted(e.method), quoted(e.path), e.status, e.bytes_in, e.bytes_out,
      e.duration_ms);
  if (e.gone) line += R"(,"gone":true)";
  if (e.notes)
    for (const auto& [key, value] : *e.notes) line += fmt::format(",{}:{}", quoted(key), quoted(value));
  return line + "}\n";
}

// False: nobody can read what is written there.
bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(file, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = file, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void close_file(int file) {
  if (file > STDERR_FILENO) ::close(file);
}

}  // namespace

// Descriptors, not streams: a stream whose write hangs would hang the process's end, too.
class AccessLog::Writer {
 public:
  ~Writer() {
    close_file(file_);
    close_file(next_);
  }

  // file: -1 for none; taken over.
  void use(const std::string& path, int file) {
    const std::lock_guard lock(mutex_);
    path_ = path;
    close_file(std::exchange(next_, file));
    has_next_ = true;
    wanted_ = file >= 0;
    changed_.notify_one();
  }
  std::string path() const {
    const std::lock_guard lock(mutex_);
    return path_;
  }
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  void push(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (num_lines_ >= kLogLinesMax) {
      ++dropped_;
      return;
    }
    ++num_lines_;
    waiting_ += line;
    changed_.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stop_ || has_next_ || num_lines_ > 0; });
      if (std::exchange(has_next_, false)) close_file(std::exchange(file_, std::exchange(next_, -1)));
      std::string text = std::exchange(waiting_, {});
      const size_t lines = num_lines_;
      if (lines == 0 && stop_) break;
      lock.unlock();
      const uint64_t dropped = dropped_.load();
      if (dropped != told_) text += fmt::format("{{\"time\":\"{}\",\"dropped_lines\":{}}}\n", timestamp(), dropped);
      told_ = dropped;
      if (file_ >= 0 && !write_all(file_, text)) dropped_ += lines;
      lock.lock();
      num_lines_ -= lines;  // what is being written counts: the queue's bound is one for all
    }
    ended_ = true;
    changed_.notify_all();
  }

  // False: a write hangs.
  bool end() {
    std::unique_lock lock(mutex_);
    stop_ = true;
    changed_.notify_all();
    return changed_.wait_for(lock, kLastLinesTime, [&] { return ended_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string path_, waiting_;
  size_t num_lines_ = 0;
  int next_ = -1;
  bool has_next_ = false, stop_ = false, ended_ = false;
  std::atomic<bool> wanted_{false};
  std::atomic<uint64_t> dropped_{0};
  // The thread's own.
  int file_ = -1;
  uint64_t told_ = 0;
};

AccessLog::AccessLog() : writer_(std::make_shared<Writer>()) {
  std::thread([writer = writer_] { writer->run(); }).detach();
}
AccessLog::~AccessLog() { writer_->end(); }

Result<void> AccessLog::open(const std::string& path) {
  int file = -1;
  if (path == "-") {
    file = STDOUT_FILENO;
  } else if (!path.empty() && path != "none") {
    file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return error(Code::kUnavailable, "[serve] --access-log '{}': {}", path, std::strerror(errno));
  }
  writer_->use(path, file);
  return {};
}

Result<void> AccessLog::reopen() { return open(writer_->path()); }
uint64_t AccessLog::dropped() const { return writer_->dropped(); }

void AccessLog::write(const AccessEntry& entry) {
  if (writer_->wanted()) writer_->push(line_of(entry));
}

}  // namespace ingot::http
