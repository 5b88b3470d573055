#include "server/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <thread>

#include "base/log.h"
#include "formats/printable.h"
#include "server/http/connection.h"

namespace ingot::http {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr int kOtherFiles = 64;  // that the process opens besides connections: models, logs, listeners

// File descriptors that the process may have, after it asked for all that it can get.
int files_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  rlimit most = limit;
  most.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &most) == 0) limit = most;
  const rlim_t files = std::clamp<rlim_t>(limit.rlim_cur, kOtherFiles + 1, 1 << 30);
  return static_cast<int>(files);
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(ServerOptions options, Router router, ApiKeys& keys, OnRequestEnd on_end)
      : context_(std::make_shared<ServerContext>(std::move(options), std::move(router), keys, std::move(on_end))),
        acceptor_(asio::make_strand(io_)) {}
  ~Impl() { stop(); }

  Result<void> start() {
    context_->options.connections_max = std::min(options().connections_max, files_max() - kOtherFiles);
    INGOT_TRY(prepare_tls());
    INGOT_TRY(bind());
    asio::co_spawn(acceptor_.get_executor(), accept_loop(), asio::detached);
    for (int i = 0; i < options().threads; ++i) threads_.emplace_back([this] { run(); });
    return {};
  }

  bool drain(std::chrono::steady_clock::time_point deadline) {
    if (threads_.empty()) return true;
    context_->draining.store(true);
    asio::post(acceptor_.get_executor(), [this] { close_acceptor(); });
    for_all([](LiveConnection& c) { c.begin_drain(); });
    bool all = wait_for_end(deadline);
    if (!all) {
      for_all([](LiveConnection& c) { c.abort(); });
      wait_for_end(std::chrono::steady_clock::now() + std::chrono::seconds(2));
    }
    stop();
    return all;
  }

  void stop() {
    io_.stop();
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

  uint16_t port() const { return port_; }
  const ServerOptions& options() const { return context_->options; }
  ServerCounts counts() const { return {context_->connections.load(), context_->requests.load()}; }

 private:
  Result<void> prepare_tls() {
    const ServerOptions& o = options();
    if (o.tls_certificate.empty() && o.tls_key.empty()) return {};
    if (o.tls_certificate.empty() || o.tls_key.empty())
      return invalid("[serve] TLS needs both --tls-cert and --tls-key");
    auto tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    error_code ec;
    tls->set_options(
        asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, ec);
    tls->use_certificate_chain_file(o.tls_certificate, ec);
    if (ec) return invalid("[serve] --tls-cert '{}': {}", o.tls_certificate, ec.message());
    tls->use_private_key_file(o.tls_key, asio::ssl::context::pem, ec);
    if (ec) return invalid("[serve] --tls-key '{}': {}", o.tls_key, ec.message());
    context_->tls = std::move(tls);
    return {};
  }

  Result<void> bind() {
    const ServerOptions& o = options();
    error_code ec;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(o.host, std::to_string(o.port), tcp::resolver::passive, ec);
    if (ec || found.empty())
      return error(Code::kUnavailable, "[serve] --host '{}': {}", printable(o.host), ec.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(4096, ec);
    if (ec == asio::error::address_in_use)
      return error(Code::kUnavailable,
                   "[serve] port {} on {} is taken by another program: choose another with {}, or stop that one",
                   o.port, o.host, o.port_option);
    if (ec) return error(Code::kUnavailable, "[serve] port {} on {}: {}", o.port, o.host, ec.message());
    port_ = acceptor_.local_endpoint(ec).port();
    return {};
  }

  asio::awaitable<void> accept_loop() {
    while (acceptor_.is_open()) {
      error_code ec;
      asio::any_io_executor strand = asio::make_strand(io_);
      tcp::socket socket(strand);
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
      if (ec) {  // out of file descriptors, most likely: others end meanwhile
        asio::steady_timer pause(io_, std::chrono::milliseconds(50));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        continue;
      }
      admit(strand, std::move(socket));
    }
  }

  void admit(const asio::any_io_executor& strand, tcp::socket socket) {
    if (context_->connections.load() >= options().connections_max) {
      static constexpr std::string_view kFull =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      error_code ec;
      socket.non_blocking(true, ec);
      socket.send(asio::buffer(kFull), 0, ec);
      return;
    }
    asio::co_spawn(strand, serve_connection(context_, std::move(socket)), asio::detached);
  }

  // Connections that wait to be accepted are taken, so that nobody who got through is reset.
  void close_acceptor() {
    error_code ec;
    acceptor_.non_blocking(true, ec);
    for (;;) {
      asio::any_io_executor strand = asio::make_strand(io_);
      tcp::socket socket(strand);
      acceptor_.accept(socket, ec);
      if (ec) break;
      admit(strand, std::move(socket));
    }
    acceptor_.close(ec);
  }

  template <class F>
  void for_all(F f) {
    const std::lock_guard lock(context_->mutex);
    for (LiveConnection* c : context_->live) f(*c);
  }

  bool wait_for_end(std::chrono::steady_clock::time_point deadline) {
    // The listener closes on its strand; a connection counts from the moment it was accepted.
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    bool closed = false;
    asio::post(acceptor_.get_executor(), [&] {
      const std::lock_guard inner(mutex);
      closed = true;
      changed.notify_one();
    });
    changed.wait(lock, [&] { return closed; });
    for (;;) {
      if (context_->connections.load() == 0) return true;
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) return false;
      changed.wait_until(lock, std::min(deadline, now + std::chrono::milliseconds(10)));
      for_all([](LiveConnection& c) { c.begin_drain(); });
    }
  }

  void run() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {
        log::warn("[http] {}", e.what());
      }
    }
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};  // until stop()
  std::shared_ptr<ServerContext> context_;
  tcp::acceptor acceptor_;
  uint16_t port_ = 0;
  std::vector<std::thread> threads_;
};

Server::Server(ServerOptions options, Router router, ApiKeys& keys, OnRequestEnd on_end)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(router), keys, std::move(on_end))) {}
Server::~Server() = default;

Result<void> Server::start() { return impl_->start(); }
uint16_t Server::port() const { return impl_->port(); }
std::string Server::url() const {
  const ServerOptions& o = impl_->options();
  const bool v6 = o.host.find(':') != std::string::npos;
  return fmt::format("{}://{}:{}", o.tls_certificate.empty() ? "http" : "https", v6 ? "[" + o.host + "]" : o.host,
                     port());
}
bool Server::drain(std::chrono::steady_clock::time_point deadline) { return impl_->drain(deadline); }
void Server::stop() { impl_->stop(); }
ServerCounts Server::counts() const { return impl_->counts(); }

}  // namespace ingot::http
