#include "server/app.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <future>
#include <optional>

#include "base/log.h"
#include "server/admin/health.h"
#include "server/admin/metrics.h"
#include "server/http/access_log.h"
#include "server/http/api_keys.h"
#include "server/http/workers.h"
#include "server/kserve/face.h"
#include "server/openai/face.h"
#include "serving/repository_watcher.h"

namespace ingot::server {
namespace {

using std::chrono::steady_clock;

// Signals become a queue: blocked in every thread, taken by the main one. SIGUSR1 wakes it for our own news.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&set_, s);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  // From now on a signal ends the process at once.
  void restore() const {
    for (const int s : {SIGHUP, SIGUSR1}) std::signal(s, SIG_IGN);
    ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }
  static void wake() { ::kill(::getpid(), SIGUSR1); }

 private:
  sigset_t set_{};
};

class App {
 public:
  explicit App(AppOptions options) : o_(std::move(options)), models_(o_.loader), workers_(o_.worker_threads) {}

  // Threads first: what they hand to each other must still be there.
  // It may take long: a model is being loaded, a job is at work.
  ~App() {
    signals_.restore();
    watcher_.reset();
    if (http_) http_->stop();
    if (metrics_http_) metrics_http_->stop();
    if (grpc_) grpc_->stop();
    workers_.join();
    http_.reset();
    metrics_http_.reset();
    models_.on_change({});
    grpc_.reset();
  }
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  Result<void> run() {
    if (!o_.api_key_file.empty()) INGOT_TRY(keys_.load(o_.api_key_file));
    INGOT_TRY(log_.open(o_.access_log));
    for (const serving::ModelSpec& spec : o_.models) INGOT_TRY(models_.add(spec));
    for (const auto& [alias, model] : o_.repository.aliases) INGOT_TRY(models_.add_alias(alias, model));
    models_.set_room(o_.repository.room);
    const auto first = INGOT_TRY(first_models());
    models_.set_folder(o_.repository.folder);
    models_.allow_changes(o_.repository.mode == ControlMode::kExplicit);
    INGOT_TRY(start_servers());  // first: a busy port is told at once
    start_loading(first);
    health_.starting.store(false);
    models_.on_change([this] { grpc_->refresh_health(); });
    grpc_->refresh_health();
    return wait();
  }

 private:
  // The models that are loaded at start. Errors: kNotFound (--load-model).
  Result<std::vector<std::string>> first_models() const {
    const RepositoryOptions& r = o_.repository;
    std::vector<std::string> names;
    if (r.mode == ControlMode::kExplicit && std::ranges::find(r.load, "*") == r.load.end())
      names = r.load;
    else
      for (const serving::ModelSpec& spec : o_.models) names.push_back(spec.name);
    for (const std::string& name : names)
      if (!models_.knows(name)) return not_found("[serve] --load-model '{}': there is no such model", name);
    return names;
  }

  void start_loading(const std::vector<std::string>& names) {
    const auto& r = o_.repository;
    // First: what changes from now on is a change.
    if (r.mode == ControlMode::kPoll && !r.folder.empty()) watcher_.emplace(models_, r.folder, r.poll);
    loads_left_ = names.size();
    for (const std::string& model : names)
      (void)models_.load(
          model,
          [this, name = model](const Result<void>& done) {
            if (done) {
              ++loads_done_;
              log::info("[serve] model '{}' is ready", name);
            } else if (done.error().code() == Code::kAborted) {
              log::info("{}", done.error().message());  // a client unloaded it
            } else if (!o_.keep_going && o_.repository.mode != ControlMode::kPoll) {
              const std::lock_guard lock(mutex_);
              if (!load_failure_) load_failure_ = done.error();
              Signals::wake();
              return;
            }
            // Not before the last: a model whose load was not asked for yet does not count as loading.
            if (--loads_left_ == 0 && models_.ready())
              fmt::print(stderr, "ready: {} model{}\n", loads_done_, loads_done_ == 1 ? "" : "s");
          },
          {}, serving::LoadCause::kAtStart);
    if (names.empty()) fmt::print(stderr, "ready: no models yet\n");
  }

  Result<void> start_servers() {
    const auto on_end = [this](const http::AccessEntry& entry) {
      log_.write(entry);
      metrics_.count(entry);
    };
    http::Router router;
    admin::add_health_routes(router, health_);
    openai::add_routes(router, openai_);
    kserve::add_routes(router, kserve_);
    admin::add_metrics_route(router, metrics_handler(), /*open=*/false);
    http_.emplace(o_.http, std::move(router), keys_, on_end);
    INGOT_TRY(http_->start());
    o_.grpc.host = o_.http.host;
    o_.grpc.message_bytes_max = o_.http.body_bytes_max;
    o_.grpc.messages_bytes_max = o_.http.bodies_bytes_max;
    o_.grpc.write_timeout = o_.http.write_timeout;
    o_.grpc.tls_certificate = o_.http.tls_certificate;
    o_.grpc.tls_key = o_.http.tls_key;
    grpc_.emplace(o_.grpc, rpc::Neighbours{models_, workers_, health_, keys_, regions_, on_end, o_.clients_may_hurry});
    INGOT_TRY(grpc_->start());
    const std::string grpc_url = o_.grpc.port == 0 ? "" : ", gRPC on " + grpc_->url();
    std::string metrics_url;
    if (o_.metrics) {
      http::Router metrics_router;
      admin::add_health_routes(metrics_router, health_);
      admin::add_metrics_route(metrics_router, metrics_handler(), /*open=*/true);
      http::ServerOptions m{.host = o_.http.host, .port = o_.metrics_port, .threads = 1};
      m.port_option = "--metrics-port";
      metrics_http_.emplace(std::move(m), std::move(metrics_router), no_keys_, nullptr);
      INGOT_TRY(metrics_http_->start());
      metrics_url = fmt::format(", metrics on {}/metrics", metrics_http_->url());
    }
    fmt::print(stderr, "listening on {}{}{}\n", http_->url(), grpc_url, metrics_url);
    return {};
  }

  http::Handler metrics_handler() {
    return [this](http::Exchange& x) -> http::asio::awaitable<void> {
      http::Response response;
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      response.body = metrics_.text(health_, http_->counts(), log_.dropped());
      co_await x.respond(std::move(response));
    };
  }

  Result<void> wait() {
    for (;;) {
      const int signal = signals_.wait();
      if (signal == SIGHUP) {
        if (const auto done = keys_.reload(); !done) log::warn("{}; the keys read before stay", done.error().message());
        if (const auto done = log_.reopen(); !done) log::warn("{}", done.error().message());
        continue;
      }
      if (signal == SIGUSR1) {
        const std::lock_guard lock(mutex_);
        if (load_failure_) return std::unexpected(*load_failure_);
        continue;
      }
      return drain();
    }
  }

  // A second signal ends the process at once.
  Result<void> drain() {
    health_.draining.store(true);
    grpc_->refresh_health();
    fmt::print(stderr, "draining: {} requests are being answered\n", http_->counts().requests + grpc_->calls());
    auto done = std::async(std::launch::async, [this] {
      std::mutex never;
      std::unique_lock lock(never);
      std::condition_variable pause;
      pause.wait_for(lock, o_.shutdown_delay);
      const auto deadline = steady_clock::now() + o_.drain_timeout;
      auto grpc = std::async(std::launch::async, [&] { return grpc_->drain(deadline); });
      bool all = http_->drain(deadline);
      all = grpc.get() && all;
      for (const auto& model : models_.ready_models())
        if (model->language) all = model->language->drain(deadline) && all;
      Signals::wake();
      return all;
    });
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      const int signal = signals_.wait();
      if (signal == SIGTERM || signal == SIGINT) {
        fmt::print(stderr, "stopped at once by a second signal\n");
        std::_Exit(1);
      }
      if (signal == SIGUSR1) done.wait();
    }
    if (!done.get())
      return error(Code::kDeadlineExceeded, "[serve] some requests did not end within {} s (--drain-timeout)",
                   o_.drain_timeout.count());
    return {};
  }

  AppOptions o_;
  Signals signals_;  // before every member with threads
  http::ApiKeys keys_, no_keys_;
  http::AccessLog log_;
  std::mutex mutex_;
  std::optional<Status> load_failure_;
  size_t loads_left_ = 0, loads_done_ = 0;  // of those at start; the loading thread's from the first one on
  admin::Metrics metrics_;
  serving::ModelRepository models_;
  http::Workers workers_;
  admin::Health health_{models_};
  openai::Face openai_{models_, workers_, o_.clients_may_hurry};
  kserve::SharedRegions regions_{o_.shared_memory};
  kserve::Face kserve_{models_, workers_, health_, regions_, o_.http.body_bytes_max, o_.clients_may_hurry};
  std::optional<serving::RepositoryWatcher> watcher_;
  // Ended first: their handlers use the rest.
  std::optional<rpc::Server> grpc_;
  std::optional<http::Server> http_, metrics_http_;
};

}  // namespace

Result<void> run_app(AppOptions options) {
  App app(std::move(options));
  return app.run();
}

}  // namespace ingot::server
