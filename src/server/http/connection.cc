#include "server/http/connection.h"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "formats/printable.h"
#include "server/http/admission.h"
#include "server/http/deadline.h"
#include "server/http/request_head.h"
#include "server/http/response_head.h"

namespace ingot::http {
namespace {

namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using TlsStream = asio::ssl::stream<tcp::socket>;
using std::chrono::milliseconds;

auto into(error_code& ec) { return asio::redirect_error(asio::use_awaitable, ec); }

constexpr size_t kProgressBytes = 64u << 10;

template <class Stream>
class Connection final : public Exchange,
                         public LiveConnection,
                         public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Args>
  Connection(std::shared_ptr<ServerContext> server, Args&&... args)
      : server_(std::move(server)),
        options_(server_->options),
        stream_(std::forward<Args>(args)...),
        deadline_(stream_.get_executor()),
        watch_timer_(stream_.get_executor()) {
    error_code ec;
    const tcp::endpoint peer = socket().remote_endpoint(ec);
    if (!ec) remote_ = fmt::format("{}:{}", peer.address().to_string(), peer.port());
    socket().set_option(tcp::no_delay(true), ec);
    server_->connections.fetch_add(1);
    const std::lock_guard lock(server_->mutex);
    server_->live.insert(this);
  }
  ~Connection() override {
    {
      const std::lock_guard lock(server_->mutex);
      server_->live.erase(this);
    }
    server_->connections.fetch_sub(1);
  }

  asio::awaitable<void> run() {
    bool more = co_await open();
    while (more) more = co_await serve_one();
    co_await close();
  }

  // Exchange
  const Request& request() const override { return request_; }
  Request& mutable_request() override { return request_; }
  bool is_gone() const override { return gone_; }
  void note(std::string_view key, std::string_view value) override { notes_.emplace_back(key, value); }

  asio::awaitable<void> respond(Response response) override {
    size_t size = response.body.size();
    for (const BodyPart& part : response.parts) size += part.bytes.size();
    status_ = response.status;
    settle_keep_alive();
    const std::string head = response_head(
        response,
        {.request = request_, .cors_origins = options_.cors_origins, .content_bytes = size, .keep_alive = keep_alive_});
    std::vector<asio::const_buffer> buffers{asio::buffer(head)};
    if (request_.method != "HEAD") {
      buffers.push_back(asio::buffer(response.body));
      for (const BodyPart& part : response.parts) buffers.emplace_back(part.bytes.data(), part.bytes.size());
    }
    co_await send(buffers, head.size() + size);
  }

  asio::awaitable<bool> begin_stream(std::string_view content_type) override {
    Response response;
    response.content_type = content_type;
    response.headers.emplace_back("Cache-Control", "no-cache");
    status_ = 200;
    chunked_ = http11_;
    if (!chunked_) keep_alive_ = false;
    settle_keep_alive();
    const std::string head = response_head(
        response,
        {.request = request_, .cors_origins = options_.cors_origins, .chunked = chunked_, .keep_alive = keep_alive_});
    const std::array<asio::const_buffer, 1> buffers{asio::buffer(head)};
    stream_open_ = true;
    co_return co_await send(buffers, head.size());
  }

  asio::awaitable<bool> write(std::string_view piece) override {
    if (piece.empty() || request_.method == "HEAD") co_return !gone_;
    const std::string size = chunked_ ? fmt::format("{:x}\r\n", piece.size()) : "";
    const std::string_view end = chunked_ ? "\r\n" : "";
    const std::array<asio::const_buffer, 3> buffers{asio::buffer(size), asio::buffer(piece), asio::buffer(end)};
    co_return co_await send(buffers, piece.size());
  }

  asio::awaitable<bool> end_stream() override {
    static constexpr std::string_view kLastChunk = "0\r\n\r\n";
    stream_open_ = false;
    if (!chunked_ || request_.method == "HEAD") co_return !gone_;
    const std::array<asio::const_buffer, 1> buffers{asio::buffer(kLastChunk)};
    co_return co_await send(buffers, kLastChunk.size());
  }

  void on_gone(std::function<void()> gone) override {
    when_gone_ = std::move(gone);
    if (gone_) {
      lose();
      return;
    }
    watch();
  }

  // LiveConnection
  void begin_drain() override {
    asio::post(stream_.get_executor(), [weak = this->weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->idle_) return;
      error_code ec;
      if (self->socket().available(ec) == 0 || ec) self->deadline_.expire_now();
    });
  }
  void abort() override {
    asio::post(stream_.get_executor(), [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->lose();
        error_code ec;
        self->socket().close(ec);
      }
    });
  }

 private:
  tcp::socket& socket() { return static_cast<tcp::socket&>(stream_.lowest_layer()); }
  asio::awaitable<bool> open() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      error_code ec;
      arm_read(options_.header_timeout);
      co_await stream_.async_handshake(TlsStream::server, into(ec));
      deadline_.disarm();
      co_return !ec;
    }
    co_return true;
  }

  void arm_read(milliseconds time) {
    deadline_.arm(time, [weak = this->weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      error_code ec;
      self->socket().shutdown(tcp::socket::shutdown_receive, ec);
      self->socket().cancel(ec);
    });
  }
  void arm_write(milliseconds time) {
    deadline_.arm(time, [weak = this->weak_from_this()] {
      error_code ec;
      if (const auto self = weak.lock()) self->socket().close(ec);
    });
  }

  // False: the client is gone.
  template <class Buffers>
  asio::awaitable<bool> send(const Buffers& buffers, size_t size) {
    if (gone_) co_return false;
    error_code ec;
    arm_write(allowance(options_.write_timeout, size));
    const size_t sent = co_await asio::async_write(stream_, buffers, into(ec));
    bytes_out_ += sent;
    deadline_.disarm();
    if (ec) lose();
    co_return !ec;
  }

  void settle_keep_alive() {
    if (server_->draining.load()) keep_alive_ = false;
  }

  // One request and its answer. False: the connection ends.
  asio::awaitable<bool> serve_one() {
    const bool more = co_await wait_for_bytes();
    if (!more) co_return false;
    begin_request();
    error_code ec;
    arm_read(options_.header_timeout);
    co_await beast::http::async_read_header(stream_, buffer_, *parser_, into(ec));
    deadline_.disarm();
    const bool late = deadline_.expired();
    if (ec) {
      co_await refuse_head(ec, late);
      co_return false;
    }
    server_->requests.fetch_add(1);
    const bool go_on = co_await answer();
    server_->requests.fetch_sub(1);
    finish_request();
    co_return go_on&& keep_alive_ && !gone_;
  }

  asio::awaitable<bool> wait_for_bytes() {
    if (buffer_.size() > 0) co_return true;
    error_code ec;
    idle_ = true;
    arm_read(options_.idle_timeout);
    if (server_->draining.load() && socket().available(ec) == 0) co_return false;
    const size_t n = co_await stream_.async_read_some(buffer_.prepare(16384), into(ec));
    deadline_.disarm();
    idle_ = false;
    buffer_.commit(n);
    co_return !ec && n > 0;
  }

  void begin_request() {
    started_.restart();
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(options_.header_bytes_max));
    parser_->body_limit(boost::none);
    request_ = {};
    status_ = 0;
    bytes_in_ = bytes_out_ = 0;
    keep_alive_ = false;
    chunked_ = false;
    http11_ = true;
    notes_.clear();
    route_ = {};
    stream_open_ = false;
  }

  void finish_request() {
    charge_.grow_to(0);
    stop_watching();
    when_gone_ = nullptr;
    if (!server_->on_end) return;
    server_->on_end({.id = request_.id,
                     .method = request_.method,
                     .path = request_.path,
                     .route = route_,
                     .remote = remote_,
                     .status = status_,
                     .bytes_in = bytes_in_,
                     .bytes_out = bytes_out_,
                     .duration_ms = started_.elapsed_ms(),
                     .gone = gone_,
                     .notes = &notes_});
  }

  asio::awaitable<void> refuse_head(error_code ec, bool late) {
    Refusal failure = head_failure(ec, options_.header_bytes_max);
    if (late) failure = {408, {Code::kDeadlineExceeded, "[http] the request's head did not arrive in time"}};
    if (failure.status == 0) co_return;
    request_.id = new_request_id();
    co_await refuse(failure.status, std::move(failure.why));
    finish_request();
  }

  // An answer after which the connection ends: part of the request may be unread.
  asio::awaitable<void> refuse(int status, Status failure) {
    keep_alive_ = false;
    unread_ = true;
    co_await fail(status, std::move(failure));
  }

  asio::awaitable<void> fail(int status, Status failure) {
    Response response;
    response.status = status;
    response.body = server_->router.error_body(request_.path)(status, failure);
    if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (status == 503) response.headers.emplace_back("Retry-After", "1");
    if (status == 405) response.headers.emplace_back("Allow", allow_);
    co_await respond(std::move(response));
  }

  // False: the connection ends, whatever keep_alive_ says.
  asio::awaitable<bool> answer() {
    request_ = request_of(parser_->get());
    request_.remote = remote_;
    keep_alive_ = parser_->get().keep_alive();
    http11_ = parser_->get().version() >= 11;
    const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
    auto match = server_->router.match(request_.method, request_.path);
    if (match && match->route) route_ = match->route->pattern;
    if (match) allow_ = match->allow;
    std::optional<Refusal> refusal;
    if (!is_preflight()) refusal = judge(*server_, request_, match);
    if (!refusal && !is_preflight()) {
      const size_t limit = match->route->body_bytes_max ? match->route->body_bytes_max : options_.body_bytes_max;
      refusal = co_await read_body(limit);
      if (gone_) co_return false;
    }
    if (refusal) {
      if (has_body)
        co_await refuse(refusal->status, std::move(refusal->why));
      else
        co_await fail(refusal->status, std::move(refusal->why));
      co_return !has_body;
    }
    if (is_preflight()) {
      co_await respond({.status = 204});
      co_return !has_body;
    }
    request_.captures = std::move(match->captures);
    co_await handle(match->route->handler);
    if (stream_open_) lose();  // the handler gave up: the client must not take it for the end
    co_return status_ != 0;
  }

  bool is_preflight() const {
    return request_.method == "OPTIONS" && !options_.cors_origins.empty() && !request_.header("Origin").empty();
  }

  asio::awaitable<std::optional<Refusal>> read_body(size_t limit) {
    const uint64_t length = parser_->content_length().value_or(0);
    if (length > limit) co_return body_failure(beast::http::error::body_limit, limit);
    parser_->body_limit(limit);
    parser_->eager(true);
    if (parser_->is_done()) co_return std::nullopt;
    error_code ec;
    arm_read(options_.body_timeout);
    if (request_.header("Expect").starts_with("100")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream_, asio::buffer(kContinue), into(ec));
    }
    const Stopwatch watch;
    size_t received = 0, told = 0;
    bool room = true;
    while (!ec && room && !parser_->is_done()) {
      received += co_await beast::http::async_read_some(stream_, buffer_, *parser_, into(ec));
      room = charge_.grow_to(parser_->get().body().size());
      if (ec || received < told + kProgressBytes) continue;  // time follows what came, not what was announced
      told = received;
      const auto spent = milliseconds(static_cast<int64_t>(watch.elapsed_ms()));
      arm_read(std::clamp(allowance(options_.body_timeout, received) - spent, milliseconds(1), options_.body_timeout));
    }
    deadline_.disarm();
    if (!room) co_return no_room();
    if (ec && deadline_.expired())
      co_return Refusal{408, {Code::kDeadlineExceeded, "[http] the request's body did not arrive in time"}};
    if (ec) {
      const Refusal failure = body_failure(ec, limit);
      if (failure.status != 0) co_return failure;
      lose();
      co_return std::nullopt;
    }
    request_.body = std::move(parser_->get().body());
    bytes_in_ = request_.body.size();
    co_return std::nullopt;
  }

  asio::awaitable<void> handle(const Handler& handler) {
    std::string failure;
    try {
      co_await handler(*this);
    } catch (const std::exception& e) {
      failure = e.what();
      if (failure.empty()) failure = "an unnamed exception";
    }
    if (failure.empty()) co_return;
    log::warn("[http] request {}: {}", request_.id, failure);
    if (status_ != 0) {  // too late to say so
      lose();
      co_return;
    }
    co_await fail(500, {Code::kInternal, "[http] this request met a fault of the server; its log tells more"});
  }

  // The client's closing is seen without reading: bytes that wait to be read may be its next request.
  void watch() {
    watching_ = true;
    socket().async_wait(tcp::socket::wait_read, [self = this->shared_from_this(), turn = turn_](error_code ec) {
      if (!ec && turn == self->turn_) self->look();
    });
  }
  void look() {
    tcp_info info{};
    socklen_t size = sizeof info;
    const bool known = ::getsockopt(socket().native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    if (!known || info.tcpi_state != TCP_ESTABLISHED) {
      lose();
      return;
    }
    watch_timer_.expires_after(milliseconds(200));
    watch_timer_.async_wait([self = this->shared_from_this(), turn = turn_](error_code ec) {
      if (!ec && turn == self->turn_) self->look();
    });
  }
  void stop_watching() {
    ++turn_;
    if (!watching_) return;
    watching_ = false;
    watch_timer_.cancel();
    error_code ec;
    socket().cancel(ec);
  }
  void lose() {
    gone_ = true;
    if (when_gone_) std::exchange(when_gone_, nullptr)();
  }

  asio::awaitable<void> close() {
    error_code ec;
    deadline_.disarm();
    if (gone_) {
      socket().close(ec);
      co_return;
    }
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      arm_read(milliseconds(1000));
      co_await stream_.async_shutdown(into(ec));
      deadline_.disarm();
    }
    socket().shutdown(tcp::socket::shutdown_send, ec);
    if (unread_) co_await linger();
    socket().close(ec);
  }

  // Reads on for a moment: closing with unread bytes would reset the connection and the answer could be lost.
  asio::awaitable<void> linger() {
    error_code ec;
    arm_read(milliseconds(2000));
    std::array<char, 16384> waste{};
    for (size_t total = 0; !ec && total < (8u << 20);) {
      const size_t n = co_await socket().async_read_some(asio::buffer(waste), into(ec));
      total += n;
    }
    deadline_.disarm();
  }

  std::shared_ptr<ServerContext> server_;
  const ServerOptions& options_;
  Stream stream_;
  Deadline deadline_;
  asio::steady_timer watch_timer_;
  std::string remote_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;

  // of the current request
  Request request_;
  Stopwatch started_;
  int status_ = 0;
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
  BodyCharge charge_{server_->bodies};
  bool keep_alive_ = false, chunked_ = false, http11_ = true, stream_open_ = false;
  std::vector<std::pair<std::string, std::string>> notes_;
  std::string allow_;
  std::string_view route_;  // its pattern
  std::function<void()> when_gone_;
  uint64_t turn_ = 0;
  bool watching_ = false;

  bool idle_ = false, gone_ = false, unread_ = false;
};

template <class Stream, class... Args>
asio::awaitable<void> serve(std::shared_ptr<ServerContext> server, Args&&... args) {
  const auto connection = std::make_shared<Connection<Stream>>(std::move(server), std::forward<Args>(args)...);
  try {
    co_await connection->run();
  } catch (const std::exception& e) {
    log::warn("[http] a connection ended: {}", e.what());
  }
}

}  // namespace

asio::awaitable<void> serve_connection(std::shared_ptr<ServerContext> server, tcp::socket socket) {
  asio::ssl::context* tls = server->tls.get();
  if (tls)
    co_await serve<TlsStream>(std::move(server), std::move(socket), *tls);
  else
    co_await serve<tcp::socket>(std::move(server), std::move(socket));
}

}  // namespace ingot::http
