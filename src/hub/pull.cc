// See pull.h.
#include "hub/pull.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/limits.h"
#include "hub/http.h"
#include "hub/repository.h"
#include "hub/transfer.h"

namespace ingot::hub {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// A token goes into a header line: no blanks, no control characters.
std::string clean_token(std::string text) {
  std::erase_if(text, [](unsigned char c) { return c <= ' ' || c >= 127; });
  return text;
}

std::string token_from_file() {
  fs::path path = variable("HF_TOKEN_PATH");
  if (path.empty()) {
    const std::string home = variable("HF_HOME");
    path = (home.empty() ? fs::path(variable("HOME")) / ".cache" / "huggingface" : fs::path(home)) / "token";
  }
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line.size() < 4096 ? line : "";
}

std::string percent_encoded(std::string_view path) {
  std::string out;
  for (const unsigned char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(static_cast<char>(c)) != std::string_view::npos;
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

// Metadata is small: the whole answer in memory, tried again like a file.
Result<std::string> get_text(HttpClient& client, const std::string& url, const PullOptions& options) {
  std::chrono::milliseconds wait{500};
  for (int tries = 1;; ++tries) {
    std::string body;
    auto head = client.get({url, options.token, 0, ""},
                           {[](const HttpHead&) -> Result<void> { return {}; },
                            [&](std::span<const char> data) -> Result<void> {
                              if (body.size() + data.size() > limits::kHubAnswerBytesMax) {
                                return invalid("[hub] GET {}: the answer is longer than {} MB: refused", url,
                                               limits::kHubAnswerBytesMax >> 20);
                              }
                              body.append(data.data(), data.size());
                              return {};
                            }});
    Status failure(Code::kUnknown, "");
    if (head && head->status >= 200 && head->status < 300) return body;
    failure = head ? status_error(*head, url, !options.token.empty()) : head.error();
    if (failure.code() != Code::kUnavailable || tries >= 5) return std::unexpected(failure);
    std::this_thread::sleep_for(wait);
    wait *= 2;
  }
}

// Where a file comes from, and what is wanted.
struct Plan {
  std::string commit, label, entry;
  std::vector<RemoteFile> files;
  std::vector<std::string> urls;
};

Result<Plan> plan_hub(HttpClient& client, const ModelRef& ref, const PullOptions& options) {
  const std::string url =
      fmt::format("{}/api/models/{}/revision/{}?blobs=true", options.endpoint, ref.repo, percent_encoded(ref.revision));
  auto text = get_text(client, url, options);
  if (!text) {
    if (text.error().code() != Code::kNotFound) return std::unexpected(text.error());
    return not_found("{}: the repository '{}' or its revision '{}' does not exist", text.error().message(), ref.repo,
                     ref.revision);
  }
  const Repository repository = INGOT_TRY(parse_repository(*text));
  Selection selection = INGOT_TRY(choose_files(repository, ref));
  Plan plan{repository.commit, selection.label, selection.entry, std::move(selection.files), {}};
  for (const RemoteFile& f : plan.files) {
    plan.urls.push_back(
        fmt::format("{}/{}/resolve/{}/{}", options.endpoint, ref.repo, plan.commit, percent_encoded(f.path)));
  }
  return plan;
}

Result<Plan> plan_url(const ModelRef& ref) {
  const std::string_view path = std::string_view(ref.text).substr(0, ref.text.find_first_of("?#"));
  const std::string name(path.substr(path.rfind('/') + 1));
  if (!is_safe_file_name(name)) {
    return invalid("[hub] '{}': the address names no file; write https://host/path/model.gguf", ref.text);
  }
  return Plan{"", quant_of_name(name), name, {{name, -1, "", ""}}, {ref.text}};
}

std::string checksum_of(const RemoteFile& f) { return f.sha256.empty() ? f.git_oid : f.sha256; }

// A file of an earlier pull is as wanted: same checksum in the manifest, same size on the disk.
bool is_there(const fs::path& folder, const RemoteFile& file, const std::vector<Entry::File>& known) {
  const auto at = std::ranges::find(known, file.path, &Entry::File::path);
  std::error_code none;
  return at != known.end() && !at->checksum.empty() && at->checksum == checksum_of(file) &&
         fs::file_size(folder / file.path, none) == static_cast<uintmax_t>(at->bytes) && !none;
}

class Puller {
 public:
  Puller(const ModelCache& cache, const ModelRef& ref, const PullOptions& options)
      : cache_(cache), ref_(ref), options_(options), folder_(cache.folder(ref)) {}

  Result<Pulled> run();

 private:
  Result<void> take(const Plan& plan, size_t index, Entry& entry);
  void tell(Progress::Kind kind, std::string_view file, size_t index, size_t files, int64_t bytes) {
    if (options_.progress) options_.progress({kind, file, index, files, bytes, total_});
  }

  const ModelCache& cache_;
  const ModelRef& ref_;
  const PullOptions& options_;
  const fs::path folder_;
  HttpClient client_;
  std::vector<Entry::File> known_;
  int64_t done_ = 0, total_ = -1;
};

Result<void> Puller::take(const Plan& plan, size_t index, Entry& entry) {
  const RemoteFile& file = plan.files[index];
  const fs::path target = folder_ / file.path;
  const size_t count = plan.files.size();
  tell(Progress::Kind::kFileBegins, file.path, index, count, done_);
  int64_t bytes = 0;
  if (is_there(folder_, file, known_)) {
    bytes = static_cast<int64_t>(fs::file_size(target));
  } else {
    std::error_code failed;
    fs::create_directories(target.parent_path(), failed);
    if (failed) {
      return error(Code::kFailedPrecondition, "[hub] cannot make '{}': {}; set INGOT_CACHE",
                   target.parent_path().string(), failed.message());
    }
    Transfer job{plan.urls[index], options_.token, file, target, {}};
    if (origin_of(job.url) != origin_of(options_.endpoint)) job.token.clear();
    job.progress = [&](int64_t now, int64_t of) {
      if (count == 1 && total_ < 0) total_ = of;
      tell(Progress::Kind::kBytes, file.path, index, count, done_ + now);
    };
    bytes = INGOT_TRY(transfer(client_, job));
  }
  done_ += bytes;
  entry.files.push_back({file.path, bytes, checksum_of(file)});
  tell(Progress::Kind::kFileDone, file.path, index, count, done_);
  return {};
}

Result<Pulled> Puller::run() {
  if (!options_.update) {
    if (auto model = cache_.find(ref_)) return Pulled{std::move(*model), true};
  }
  const FolderLock held = INGOT_TRY(cache_.lock(ref_, [&] { tell(Progress::Kind::kWaiting, "", 0, 0, 0); }));
  if (!options_.update) {
    if (auto model = cache_.find(ref_)) return Pulled{std::move(*model), true};
  }
  const Plan plan = INGOT_TRY(ref_.kind == ModelRef::Kind::kHub ? plan_hub(client_, ref_, options_) : plan_url(ref_));
  for (const CachedModel& m : cache_.list()) {
    if (m.folder == folder_) known_.insert(known_.end(), m.entry.files.begin(), m.entry.files.end());
  }
  if (std::ranges::all_of(plan.files, [](const RemoteFile& f) { return f.bytes >= 0; })) {
    total_ = 0;
    for (const RemoteFile& f : plan.files) total_ += f.bytes;
  }
  Entry entry{canonical(ref_), plan.label, plan.commit, plan.entry, {}};
  for (size_t i = 0; i < plan.files.size(); ++i) INGOT_TRY(take(plan, i, entry));
  INGOT_TRY(cache_.put(ref_, entry));
  return Pulled{{folder_, std::move(entry)}, false};
}

}  // namespace

PullOptions PullOptions::from_environment() {
  PullOptions options;
  if (std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    options.endpoint = endpoint;
  }
  options.token = clean_token(variable("HF_TOKEN"));
  if (options.token.empty()) options.token = clean_token(token_from_file());
  return options;
}

Result<Pulled> pull(const ModelCache& cache, const ModelRef& ref, const PullOptions& options) {
  if (!ref.remote()) {
    return invalid("[hub] '{}' is a path, nothing to pull; write hf:org/repo[:quant] or https://…", ref.text);
  }
  return Puller(cache, ref, options).run();
}

}  // namespace ingot::hub
