// See transfer.h.
#include "hub/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

#include "hub/checksum.h"

namespace ingot::hub {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

Status disk_error(const fs::path& path, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return {full ? Code::kResourceExhausted : Code::kFailedPrecondition,
          fmt::format("[hub] cannot write '{}': {}; {}", path.string(), std::strerror(number),
                      full ? "free some space or set INGOT_CACHE to a larger disk"
                           : "check the folder's rights or set INGOT_CACHE to another one")};
}

// The .part file of one target.
class PartFile {
 public:
  explicit PartFile(const fs::path& target)
      : path_(target.string() + ".part"), tag_path_(target.string() + ".part.tag") {}
  ~PartFile() { close(); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const fs::path& path() const { return path_; }

  int64_t bytes() const {
    std::error_code none;
    const auto size = fs::file_size(path_, none);
    return none ? 0 : static_cast<int64_t>(size);
  }
  std::string tag() const {
    std::string line;
    std::ifstream in(tag_path_);
    std::getline(in, line);
    return line;
  }

  Result<void> open(int64_t keep, const std::string& tag) {
    close();
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) return std::unexpected(disk_error(path_, errno));
    if (::ftruncate(descriptor_, keep) != 0 || ::lseek(descriptor_, keep, SEEK_SET) < 0) {
      return std::unexpected(disk_error(path_, errno));
    }
    std::ofstream out(tag_path_, std::ios::trunc);
    out << tag << '\n';
    out.close();
    if (!out) return std::unexpected(disk_error(tag_path_, ENOSPC));
    return {};
  }

  Result<void> write(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return std::unexpected(disk_error(path_, errno));
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  Result<void> finish(const fs::path& target) {
    if (::fsync(descriptor_) != 0) return std::unexpected(disk_error(path_, errno));
    close();
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      return std::unexpected(disk_error(target, errno));
    }
    ::unlink(tag_path_.c_str());
    return {};
  }

  void discard() {
    close();
    ::unlink(path_.c_str());
    ::unlink(tag_path_.c_str());
  }

 private:
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  fs::path path_, tag_path_;
  int descriptor_ = -1;
};

// "bytes 100-199/200" -> 100 and 200.
struct ContentRange {
  int64_t begin = -1, total = -1;
};
ContentRange parse_content_range(std::string_view s) {
  ContentRange out;
  if (!s.starts_with("bytes ")) return out;
  s.remove_prefix(6);
  std::from_chars(s.data(), s.data() + s.size(), out.begin);
  if (const size_t slash = s.find('/'); slash != s.npos) {
    std::from_chars(s.data() + slash + 1, s.data() + s.size(), out.total);
  }
  return out;
}

// One try after the other on one file.
class Attempt {
 public:
  Attempt(HttpClient& client, const Transfer& what) : client_(client), what_(what), part_(what.target) {}

  Result<int64_t> run();
  int64_t bytes() const { return bytes_; }
  std::optional<milliseconds> server_wait() const { return server_wait_; }
  void discard() { part_.discard(); }

 private:
  Result<void> begin(const HttpHead& head);
  Result<void> check();
  void restart_sum();
  void hash_kept(int64_t bytes);
  // What the bytes are of: the checksum if it is known, else the server's entity tag.
  std::string identity() const { return what_.file.sha256 + what_.file.git_oid; }

  HttpClient& client_;
  const Transfer& what_;
  PartFile part_;
  std::optional<Checksum> sum_;
  int64_t bytes_ = 0, total_ = -1;
  std::string linked_sha256_;
  std::optional<milliseconds> server_wait_;
};

void Attempt::restart_sum() {
  const bool git = what_.file.sha256.empty() && !what_.file.git_oid.empty() && what_.file.bytes >= 0;
  sum_.emplace(git ? what_.file.bytes : -1);
}

void Attempt::hash_kept(int64_t bytes) {
  restart_sum();
  std::ifstream in(part_.path(), std::ios::binary);
  std::vector<char> buffer(1 << 20);
  while (bytes > 0 && in) {
    in.read(buffer.data(), std::min<int64_t>(bytes, static_cast<int64_t>(buffer.size())));
    sum_->add({buffer.data(), static_cast<size_t>(in.gcount())});
    bytes -= in.gcount();
  }
}

Result<void> Attempt::begin(const HttpHead& head) {
  const int64_t on_disk = part_.bytes();
  int64_t keep = 0;
  total_ = head.content_length;
  if (head.status == 206) {
    const ContentRange range = parse_content_range(head.content_range);
    if (range.begin != on_disk) {
      part_.discard();
      return error(Code::kUnavailable, "[hub] GET {}: the server resumes at {} instead of {}", head.url, range.begin,
                   on_disk);
    }
    keep = on_disk;
    total_ = range.total;
  }
  const int64_t expected = what_.file.bytes;
  if (expected >= 0 && total_ >= 0 && total_ != expected) {
    part_.discard();
    return error(Code::kDataLoss, "[hub] '{}': the server sends {} bytes, its own list says {}", what_.file.path,
                 total_, expected);
  }
  if (total_ < 0) total_ = expected;
  if (head.linked_etag.size() == 66) linked_sha256_ = head.linked_etag.substr(1, 64);
  hash_kept(keep);
  bytes_ = keep;
  std::error_code none;
  const fs::space_info space = fs::space(what_.target.parent_path(), none);
  if (!none && total_ > 0 && static_cast<uint64_t>(total_ - keep) > space.available) {
    part_.discard();
    return error(Code::kResourceExhausted,
                 "[hub] the disk of '{}' has {} MB free, '{}' needs {} MB; free some space or set "
                 "INGOT_CACHE to a larger disk",
                 what_.target.parent_path().string(), space.available >> 20, what_.file.path, (total_ - keep) >> 20);
  }
  return part_.open(keep, identity() + ' ' + head.etag);
}

Result<void> Attempt::check() {
  if (what_.file.bytes >= 0 && bytes_ != what_.file.bytes) {
    return error(Code::kDataLoss, "[hub] '{}': {} bytes arrived, {} were expected", what_.file.path, bytes_,
                 what_.file.bytes);
  }
  const std::string got = sum_->hex();
  const bool is_sha256 = got.size() == 64;
  std::string want = is_sha256 ? what_.file.sha256 : what_.file.git_oid;
  if (want.empty() && is_sha256) want = linked_sha256_;
  if (want.empty() || want == got) return {};
  return error(Code::kDataLoss,
               "[hub] '{}': checksum {} instead of {}; the file was damaged on its way or on the "
               "server; try again later",
               what_.file.path, got, want);
}

Result<int64_t> Attempt::run() {
  HttpRequest request{what_.url, what_.token, 0, ""};
  server_wait_.reset();
  const std::string tag = part_.tag();
  const size_t space = tag.find(' ');
  if (space != tag.npos && part_.bytes() > 0 && tag.substr(0, space) == identity()) {
    const std::string etag = tag.substr(space + 1);
    const bool strong = etag.size() > 2 && !etag.starts_with("W/");
    if (strong) request.if_range = etag;
    // Without a tag and without a checksum nobody would notice that the file changed meanwhile.
    if (strong || !identity().empty()) request.range_begin = part_.bytes();
  }
  if (what_.file.bytes >= 0 && request.range_begin >= what_.file.bytes) request.range_begin = 0;
  bytes_ = request.range_begin;
  const HttpHead head = INGOT_TRY(
      client_.get(request, {[this](const HttpHead& h) { return begin(h); },
                            [this](std::span<const char> data) -> Result<void> {
                              INGOT_TRY(part_.write(data));
                              sum_->add(data);
                              bytes_ += static_cast<int64_t>(data.size());
                              if (what_.file.bytes >= 0 && bytes_ > what_.file.bytes) {
                                return error(Code::kDataLoss, "[hub] '{}': more than the expected {} bytes arrive",
                                             what_.file.path, what_.file.bytes);
                              }
                              if (what_.progress) what_.progress(bytes_, total_);
                              return {};
                            }}));
  if (head.status == 416) {
    part_.discard();
    return error(Code::kUnavailable, "[hub] GET {}: the server cannot resume", what_.url);
  }
  if (head.status < 200 || head.status >= 300) {
    if (head.retry_after_s >= 0) server_wait_ = std::chrono::seconds(std::min<int64_t>(head.retry_after_s, 60));
    return std::unexpected(status_error(head, what_.url, !what_.token.empty()));
  }
  INGOT_TRY(check());
  INGOT_TRY(part_.finish(what_.target));
  return bytes_;
}

}  // namespace

Status status_error(const HttpHead& head, const std::string& url, bool had_token) {
  const std::string what =
      fmt::format("[hub] GET {}: HTTP {}{}", url, head.status,
                  head.error_code.empty() ? "" : fmt::format(" ({})", head.error_code.substr(0, 64)));
  switch (head.status) {
    case 401:
      return {Code::kUnauthenticated,
              what + (had_token ? "; the token in HF_TOKEN is not accepted: renew it"
                                : "; the model does not exist, or is private or gated: check its "
                                  "name, or set HF_TOKEN to an access token")};
    case 403:
      return {Code::kPermissionDenied,
              what + (had_token ? "; the token has no access: accept the model's licence on its page"
                                : "; set HF_TOKEN to an access token that may read it")};
    case 404: return {Code::kNotFound, what + "; check the name, the revision and the file"};
    case 408:
    case 425:
    case 429: return {Code::kUnavailable, what + "; the server asks to wait"};
    default:
      if (head.status >= 500) return {Code::kUnavailable, what + "; the server has a problem"};
      return {Code::kFailedPrecondition, what + "; the server refuses"};
  }
}

Result<int64_t> transfer(HttpClient& client, const Transfer& what) {
  Attempt attempt(client, what);
  milliseconds wait = what.wait;
  int64_t best = 0;
  bool resent = false;
  for (int tries = 1;; ++tries) {
    const auto result = attempt.run();
    if (result) return result;
    const Code code = result.error().code();
    if (code == Code::kResourceExhausted || code == Code::kDataLoss) attempt.discard();
    // A resumed part may have been damaged before: one more transfer, from the start.
    const bool retry_whole = code == Code::kDataLoss && !std::exchange(resent, true);
    if (code != Code::kUnavailable && !retry_whole) return result;
    if (attempt.bytes() > best) {
      best = attempt.bytes();
      tries = 1;
      wait = what.wait;
    }
    if (tries >= what.attempts_max) {
      return error(code, "{} (gave up after {} attempts; run the command again to go on)", result.error().message(),
                   tries);
    }
    std::this_thread::sleep_for(attempt.server_wait().value_or(wait));
    wait = std::min(wait * 2, milliseconds(8000));
  }
}

}  // namespace ingot::hub
