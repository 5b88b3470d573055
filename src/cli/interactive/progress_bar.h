// One line on a terminal that shows a download or a load: bytes, rate and the time left. Prints nothing where
// stderr is no terminal. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ingot::cli {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void label(std::string_view text);
  // total: -1 if not known. Draws at most ten times a second.
  void update(int64_t bytes, int64_t total);
  void clear();  // leaves an empty line

 private:
  void draw(std::chrono::steady_clock::time_point now);

  bool on_terminal_;
  bool drawn_ = false;
  std::string label_;
  int64_t bytes_ = 0, total_ = -1;
  int64_t bytes_before_ = -1;  // of an earlier pull: they do not count for the rate
  std::chrono::steady_clock::time_point begin_, last_;
};

// The bar of loading a model; gone when it is destroyed. Quick loads show nothing.
class LoadProgress {
 public:
  LoadProgress(const std::string& path, bool quiet);
  // For on_progress of the load. Empty where nothing would be shown; refers to *this.
  std::function<void(size_t bytes, size_t bytes_total)> callback();

 private:
  bool shown_;
  std::string label_;
  ProgressBar bar_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace ingot::cli
