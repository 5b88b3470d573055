#include "cli/interactive/pull_progress.h"

#include "cli/interactive/progress_bar.h"

namespace ingot::cli {
namespace {

void show(ProgressBar& bar, const hub::Progress& p) {
  switch (p.kind) {
    case hub::Progress::Kind::kWaiting:
      fmt::print(stderr, "another process is pulling this model; waiting for it\n");
      return;
    case hub::Progress::Kind::kFileBegins:
      bar.label(p.files > 1 ? fmt::format("{} ({} of {})", p.file, p.file_index + 1, p.files) : std::string(p.file));
      return;
    case hub::Progress::Kind::kBytes:
    case hub::Progress::Kind::kFileDone: bar.update(p.bytes, p.bytes_total); return;
  }
}

}  // namespace

Result<hub::Pulled> pull_with_progress(const hub::ModelCache& cache, const hub::ModelRef& ref,
                                       hub::PullOptions options) {
  ProgressBar bar;
  options.progress = [&bar](const hub::Progress& p) { show(bar, p); };
  auto pulled = hub::pull(cache, ref, options);
  bar.clear();
  return pulled;
}

}  // namespace ingot::cli
