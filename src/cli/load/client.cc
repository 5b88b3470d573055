// See client.h.
#include "cli/load/client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <utility>

namespace ingot::cli::load {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

constexpr size_t kTextMax = 1 << 20;  // of one event, or of an error's body

// Takes server-sent events apart and notes what they say.
class Events {
 public:
  explicit Events(Record& record) : record_(record) {}

  void feed(std::string_view bytes) {
    const auto now = Clock::now();
    for (const char c : bytes) {
      if (c != '\n') {
        if (line_.size() < kTextMax) line_ += c;
        continue;
      }
      if (line_.starts_with("data:")) event(std::string_view(line_).substr(5), now);
      line_.clear();
    }
  }

 private:
  void event(std::string_view data, Clock::time_point now) {
    boost::system::error_code ec;
    const json::value value = json::parse(data, ec);
    if (ec || !value.is_object()) return;  // [DONE]
    const json::object& o = value.get_object();
    if (const json::value* error = o.if_contains("error")) record_.error = json::serialize(*error);
    if (has_text(o)) record_.events.push_back(now);
    const json::value* usage = o.if_contains("usage");
    if (!usage || !usage->is_object()) return;
    record_.prompt_tokens = number(usage->get_object(), "prompt_tokens");
    record_.output_tokens = number(usage->get_object(), "completion_tokens");
    if (const json::value* details = usage->get_object().if_contains("prompt_tokens_details"))
      if (details->is_object()) record_.cached_tokens = number(details->get_object(), "cached_tokens");
  }

  static int64_t number(const json::object& o, std::string_view key) {
    const json::value* v = o.if_contains(key);
    return v && v->is_int64() ? v->get_int64() : 0;
  }

  static bool has_text(const json::object& o) {
    const json::value* choices = o.if_contains("choices");
    if (!choices || !choices->is_array() || choices->get_array().empty()) return false;
    const json::value& choice = choices->get_array()[0];
    for (const std::string_view at : {"/text", "/delta/content", "/delta/reasoning_content", "/delta/tool_calls"}) {
      boost::system::error_code ec;
      const json::value* v = choice.find_pointer(at, ec);
      if (v && ((v->is_string() && !v->get_string().empty()) || v->is_array())) return true;
    }
    return false;
  }

  Record& record_;
  std::string line_;
};

}  // namespace

Result<Target> Target::parse(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme))
    return invalid("[cli] --url '{}' does not begin with http:// (https is not measured)", url);
  const std::string rest = url.substr(kScheme.size());
  const size_t slash = rest.find('/');
  std::string host = rest.substr(0, slash), path = slash == std::string::npos ? "" : rest.substr(slash);
  while (path.ends_with('/')) path.pop_back();
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  std::string port = has_port ? host.substr(colon + 1) : "80";
  if (has_port) host.resize(colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || port.empty() || port.find_first_not_of("0123456789") != std::string::npos)
    return invalid("[cli] --url '{}' is not http://HOST[:PORT][/PATH]", url);
  return Target{std::move(host), std::move(port), std::move(path)};
}

asio::awaitable<void> Client::connect() {
  asio::ip::tcp::resolver resolver(executor_);
  const auto found = co_await resolver.async_resolve(target_.host, target_.port, asio::use_awaitable);
  stream_.emplace(executor_);
  stream_->expires_after(std::chrono::seconds(30));
  co_await stream_->async_connect(found, asio::use_awaitable);
  stream_->socket().set_option(asio::ip::tcp::no_delay(true));
}

asio::awaitable<Record> Client::post(std::string path, const Message& message) {
  Record record;
  record.sent = Clock::now();
  Events events(record);
  std::string error_body;
  bool stale = true;  // a server may close a connection between two requests: then a new one is made
  while (std::exchange(stale, false)) {
    const bool reused = stream_.has_value();
    bool answered = false;
    try {
      if (!stream_) co_await connect();
      stream_->expires_after(std::chrono::milliseconds(static_cast<int64_t>(options_.timeout_s * 1000)));
      http::request<http::span_body<const char>> request{http::verb::post, target_.path + path, 11};
      request.set(http::field::host, target_.host);
      request.set(http::field::content_type, message.content_type);
      if (!message.binary_header_bytes.empty())
        request.set("Inference-Header-Content-Length", message.binary_header_bytes);
      if (!options_.api_key.empty()) request.set(http::field::authorization, "Bearer " + options_.api_key);
      request.body() = {message.body.data(), message.body.size()};
      request.prepare_payload();
      co_await http::async_write(*stream_, request, asio::use_awaitable);

      beast::flat_buffer buffer;
      http::response_parser<http::buffer_body> parser;
      parser.body_limit(boost::none);
      co_await http::async_read_header(*stream_, buffer, parser, asio::use_awaitable);
      answered = true;
      const int status = parser.get().result_int();
      std::array<char, 16384> piece;
      while (!parser.is_done()) {
        parser.get().body().data = piece.data();
        parser.get().body().size = piece.size();
        beast::error_code ec;
        co_await http::async_read_some(*stream_, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
        if (ec && ec != http::error::need_buffer) throw boost::system::system_error(ec);
        const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
        if (status == 200)
          events.feed(got);
        else if (error_body.size() < kTextMax)
          error_body += got;
      }
      if (status != 200) record.error = fmt::format("HTTP {}: {}", status, error_body);
      if (!parser.get().keep_alive()) stream_.reset();
    } catch (const boost::system::system_error& e) {
      stale = reused && !answered;
      if (!stale) record.error = fmt::format("{}:{}: {}", target_.host, target_.port, e.code().message());
      stream_.reset();
    }
  }
  record.end = Clock::now();
  co_return record;
}

asio::awaitable<Result<std::string>> Client::get(std::string path) {
  try {
    if (!stream_) co_await connect();
    http::request<http::empty_body> request{http::verb::get, target_.path + path, 11};
    request.set(http::field::host, target_.host);
    if (!options_.api_key.empty()) request.set(http::field::authorization, "Bearer " + options_.api_key);
    co_await http::async_write(*stream_, request, asio::use_awaitable);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kTextMax);
    co_await http::async_read(*stream_, buffer, parser, asio::use_awaitable);
    if (parser.get().result_int() != 200)
      co_return not_found("[bench] {} answers {} to GET {}: {}", options_.url, parser.get().result_int(), path,
                          parser.get().body());
    co_return parser.get().body();
  } catch (const boost::system::system_error& e) {
    co_return error(Code::kUnavailable, "[bench] {}: {}", options_.url, e.code().message());
  }
}

}  // namespace ingot::cli::load
