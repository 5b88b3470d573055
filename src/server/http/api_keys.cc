#include "server/http/api_keys.h"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/limits.h"
#include "base/log.h"

namespace ingot::http {
namespace {

Result<std::vector<std::string>> read_keys(const std::string& path) {
  std::ifstream in(path);
  if (!in) return not_found("[serve] --api-key-file '{}' cannot be read", path);
  std::vector<std::string> keys;
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    if (std::ranges::any_of(line, [](char c) { return c <= ' ' || c == 127; }))
      return invalid("[serve] --api-key-file '{}': a key holds a space or a control character", path);
    keys.push_back(line);
    if (keys.size() > limits::kApiKeysMax)
      return invalid("[serve] --api-key-file '{}' has more than {} keys", path, limits::kApiKeysMax);
  }
  if (keys.empty()) return invalid("[serve] --api-key-file '{}' has no key: write one a line", path);
  return keys;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<void> ApiKeys::load(const std::string& path) {
  path_ = path;
  return reload();
}

Result<void> ApiKeys::reload() {
  if (!required()) return {};
  std::error_code ec;
  const auto time = std::filesystem::last_write_time(path_, ec);
  auto keys = INGOT_TRY(read_keys(path_));
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
  read_time_ = time;
  checked_at_s_ = now_s();
  return {};
}

std::optional<std::string> ApiKeys::tenant_of(std::string_view credentials) {
  if (!required()) return "";
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    if (checked_at_s_ != now_s()) {
      checked_at_s_ = now_s();
      std::error_code ec;
      const auto time = std::filesystem::last_write_time(path_, ec);
      changed = !ec && time != read_time_;
    }
  }
  if (changed)
    if (const auto done = reload(); !done) log::warn("{}; the keys read before stay", done.error().message());
  if (credentials.starts_with("Bearer ") || credentials.starts_with("bearer ")) credentials.remove_prefix(7);
  size_t found = 0;
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < keys_.size(); ++i)
    if (equal_in_constant_time(keys_[i], credentials)) found = i + 1;
  if (found == 0) return std::nullopt;
  return fmt::format("key-{}", found);
}

}  // namespace ingot::http
