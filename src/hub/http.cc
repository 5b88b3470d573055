// See http.h.
#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>

#include "base/limits.h"

namespace ingot::hub {
namespace {

constexpr long kConnectTimeoutS = 15;
constexpr long kStallTimeoutS = 60;
constexpr size_t kErrorBodyBytesMax = 1 << 20;  // read so that the connection can be used again
constexpr size_t kHeaderBytesMax = 8192;

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string_view trim(std::string_view s) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

int64_t number(std::string_view s) {
  int64_t value = -1;
  const auto r = std::from_chars(s.data(), s.data() + s.size(), value);
  return r.ec == std::errc() && r.ptr == s.data() + s.size() && value >= 0 ? value : -1;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One answer while it arrives.
struct Hop {
  CURL* curl;
  const HttpClient::Sink& sink;
  HttpHead head;
  bool begun = false;
  size_t skipped = 0;  // of the body of an answer that is no success
  std::optional<Status> failure = std::nullopt;

  bool begin() {
    if (begun) return true;
    begun = true;
    const auto r = sink.begin(head);
    if (!r) failure = r.error();
    return r.has_value();
  }
};

size_t on_header(char* data, size_t, size_t size, void* user) {
  HttpHead& head = static_cast<Hop*>(user)->head;
  const std::string_view line(data, std::min(size, kHeaderBytesMax));
  if (line.starts_with("HTTP/")) {
    const size_t space = line.find(' ');
    head = HttpHead{};
    if (space != line.npos) head.status = static_cast<int>(number(line.substr(space + 1, 3)));
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == line.npos) return size;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "etag") head.etag = value;
  if (name == "x-linked-etag") head.linked_etag = value;
  if (name == "content-range") head.content_range = value;
  if (name == "x-error-code") head.error_code = value;
  if (name == "content-length") head.content_length = number(value);
  if (name == "retry-after") head.retry_after_s = number(value);
  return size;
}

size_t on_body(char* data, size_t, size_t size, void* user) {
  Hop& hop = *static_cast<Hop*>(user);
  if (hop.head.status < 200 || hop.head.status >= 300) {
    hop.skipped += size;
    return hop.skipped <= kErrorBodyBytesMax ? size : 0;
  }
  if (!hop.begin()) return 0;
  const auto r = hop.sink.write({data, size});
  if (r) return size;
  hop.failure = r.error();
  return 0;
}

}  // namespace

struct HttpClient::State {
  CURL* curl = nullptr;
  std::string redirect;  // where the last answer points to

  Result<HttpHead> hop(const std::string& url, const HttpRequest& request, bool with_token, const Sink& sink);
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->curl = curl_easy_init();
  INGOT_CHECK(state_->curl != nullptr);
}

HttpClient::~HttpClient() { curl_easy_cleanup(state_->curl); }

Result<HttpHead> HttpClient::State::hop(const std::string& url, const HttpRequest& request, bool with_token,
                                        const Sink& sink) {
  Hop hop{curl, sink, {}};
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl);
  curl_slist* headers = nullptr;
  const auto add = [&](const std::string& line) { headers = curl_slist_append(headers, line.c_str()); };
  if (with_token) add("Authorization: Bearer " + request.token);
  if (request.range_begin > 0) add(fmt::format("Range: bytes={}-", request.range_begin));
  if (request.range_begin > 0 && !request.if_range.empty()) add("If-Range: " + request.if_range);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "ingot/0.1");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutS);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallTimeoutS);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &hop);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &hop);
  const CURLcode code = curl_easy_perform(curl);
  curl_slist_free_all(headers);
  if (hop.failure) return std::unexpected(std::move(*hop.failure));
  const bool skipped_enough = code == CURLE_WRITE_ERROR && hop.skipped > kErrorBodyBytesMax;
  if (code != CURLE_OK && !skipped_enough) {
    const std::string why = reason[0] != 0 ? reason : curl_easy_strerror(code);
    const bool our_address = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    return error(our_address ? Code::kInvalidArgument : Code::kUnavailable, "[hub] GET {}: {}", url, why);
  }
  if (hop.head.status >= 200 && hop.head.status < 300 && !hop.begin()) {
    return std::unexpected(std::move(*hop.failure));
  }
  char* next = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
  redirect = next != nullptr ? next : "";
  hop.head.url = url;
  return std::move(hop.head);
}

Result<HttpHead> HttpClient::get(const HttpRequest& request, const Sink& sink) {
  const std::string origin = origin_of(request.url);
  std::string url = request.url;
  std::string linked_etag;
  for (int hops = 0; hops <= limits::kHubRedirectsMax; ++hops) {
    const bool with_token = !request.token.empty() && origin_of(url) == origin;
    HttpHead head = INGOT_TRY(state_->hop(url, request, with_token, sink));
    if (linked_etag.empty()) linked_etag = head.linked_etag;
    head.linked_etag = linked_etag;
    if (!is_redirect(head.status) || state_->redirect.empty()) return head;
    if (url.starts_with("https:") && !state_->redirect.starts_with("https:")) {
      return invalid("[hub] GET {}: the server redirects to {}, which is not encrypted: refused", url,
                     origin_of(state_->redirect));
    }
    url = state_->redirect;
  }
  return invalid("[hub] GET {}: more than {} redirects", request.url, limits::kHubRedirectsMax);
}

std::string origin_of(std::string_view url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == url.npos) return "";
  const std::string scheme = lower(url.substr(0, scheme_end));
  const size_t host_begin = scheme_end + 3;
  const size_t host_end = std::min(url.find_first_of("/?#", host_begin), url.size());
  std::string host = lower(url.substr(host_begin, host_end - host_begin));
  if (const size_t at = host.rfind('@'); at != host.npos) host.erase(0, at + 1);
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(port)) host.resize(host.size() - port.size());
  return scheme + "://" + host;
}

}  // namespace ingot::hub
