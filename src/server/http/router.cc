#include "server/http/router.h"

#include <algorithm>

namespace ingot::http {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.empty()) path.remove_prefix(1);  // the leading '/'
  for (size_t begin = 0;;) {
    const size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    if (end == path.size()) return segments;
    begin = end + 1;
  }
}

bool is_placeholder(std::string_view segment) { return segment.starts_with('{'); }

// -1: no match; else how many segments are literal.
int literal_matches(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path) {
  if (pattern.size() != path.size()) return -1;
  int literal = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (is_placeholder(pattern[i])) {
      if (path[i].empty()) return -1;
    } else {
      if (pattern[i] != path[i]) return -1;
      ++literal;
    }
  }
  return literal;
}

bool serves(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

}  // namespace

void Router::add(Route route) {
  const auto views = split(route.pattern);
  entries_.push_back({std::move(route), {views.begin(), views.end()}});
}

void Router::set_error_body(std::string prefix, ErrorBody body) { error_bodies_.emplace_back(std::move(prefix), body); }

Result<RouteMatch> Router::match(std::string_view method, std::string_view path) const {
  RouteMatch found;
  if (!path.starts_with('/')) return found;
  const auto segments = split(path);
  int best = -1;
  const Entry* chosen = nullptr;
  for (const Entry& entry : entries_) best = std::max(best, literal_matches(entry.segments, segments));
  if (best < 0) return found;
  for (const Entry& entry : entries_) {
    if (literal_matches(entry.segments, segments) != best) continue;
    if (serves(entry.route, method) && !chosen) chosen = &entry;
    found.allow += (found.allow.empty() ? "" : ", ") + entry.route.method;
  }
  if (!chosen) return found;
  found.route = &chosen->route;
  for (size_t i = 0; i < segments.size(); ++i)
    if (is_placeholder(chosen->segments[i])) found.captures.push_back(INGOT_TRY(percent_decode(segments[i])));
  return found;
}

ErrorBody Router::error_body(std::string_view path) const {
  ErrorBody best = openai_error_body;
  size_t longest = 0;
  for (const auto& [prefix, body] : error_bodies_)
    if (path.starts_with(prefix) && prefix.size() > longest) {
      best = body;
      longest = prefix.size();
    }
  return best;
}

}  // namespace ingot::http
