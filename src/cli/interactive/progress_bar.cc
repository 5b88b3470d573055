// See progress_bar.h.
#include "cli/interactive/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "cli/table.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kQuickLoad = std::chrono::milliseconds(100);

size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string duration_text(int64_t seconds) {
  if (seconds >= 3600) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  if (seconds >= 60) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}s", seconds);
}

}  // namespace

ProgressBar::ProgressBar()
    : on_terminal_(::isatty(STDERR_FILENO) == 1), begin_(Clock::now()), last_(begin_ - kRedraw) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::label(std::string_view text) {
  label_ = text;
  if (on_terminal_) draw(Clock::now());
}

void ProgressBar::update(int64_t bytes, int64_t total) {
  const auto now = Clock::now();
  if (bytes_before_ < 0) {
    bytes_before_ = bytes;
    begin_ = now;
  }
  bytes_ = bytes;
  total_ = total;
  if (on_terminal_ && !label_.empty() && now - last_ >= kRedraw) draw(now);
}

void ProgressBar::draw(Clock::time_point now) {
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double rate = seconds > 0.2 && bytes_before_ >= 0 ? static_cast<double>(bytes_ - bytes_before_) / seconds : 0;
  std::string line = fmt::format("{}  {}", label_, human_bytes(static_cast<uint64_t>(bytes_)));
  if (total_ > 0) {
    constexpr int64_t kCells = 24;
    const auto full = static_cast<size_t>(std::clamp<int64_t>(bytes_ * kCells / total_, 0, kCells));
    line += fmt::format(" of {}  [{}{}] {:3}%", human_bytes(static_cast<uint64_t>(total_)), std::string(full, '#'),
                        std::string(kCells - full, '.'), bytes_ * 100 / total_);
  }
  if (rate > 0) line += fmt::format("  {}/s", human_bytes(static_cast<uint64_t>(rate)));
  if (rate > 0 && total_ > bytes_) {
    line += fmt::format("  {} left", duration_text(static_cast<int64_t>(static_cast<double>(total_ - bytes_) / rate)));
  }
  line = printable(line, terminal_columns() - 1);
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

LoadProgress::LoadProgress(const std::string& path, bool quiet)
    : shown_(!quiet && ::isatty(STDERR_FILENO) == 1),
      label_("loading " + std::filesystem::path(path).filename().string()),
      begin_(Clock::now()) {}

std::function<void(size_t, size_t)> LoadProgress::callback() {
  if (!shown_) return {};
  return [this](size_t bytes, size_t bytes_total) {
    if (Clock::now() - begin_ < kQuickLoad) return;
    bar_.update(static_cast<int64_t>(bytes), static_cast<int64_t>(bytes_total));
    if (!label_.empty()) bar_.label(std::exchange(label_, ""));  // draws what is known
  };
}

}  // namespace ingot::cli
