#include "server/grpc/server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <condition_variable>
#include <map>
#include <set>

#include "base/log.h"
#include "base/mapped_file.h"
#include "formats/printable.h"
#include "server/grpc/service.h"
#include "server/grpc/stream_call.h"

namespace ingot::rpc {
namespace {

constexpr int kStreamsOfConnectionMax = 1024;
constexpr int kReflectionThreadsMax = 8;
constexpr size_t kReceivedBytesSlack = size_t{128} << 20;

// gRPC's own messages go where ours go.
void write_log(gpr_log_func_args* args) {
  const log::Level level = args->severity == GPR_LOG_SEVERITY_ERROR ? log::Level::kWarn : log::Level::kDebug;
  if (log::enabled(level)) log::write(level, fmt::format("[grpc] {}", args->message));
}

Result<std::string> read_file(const char* option, const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return invalid("[serve] {} '{}': {}", option, printable(path), file.error().message());
  return std::string(reinterpret_cast<const char*>((*file)->bytes().data()), (*file)->bytes().size());
}

// Once in a process: what every server that is built from now on has.
void prepare_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(write_log);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// Reflection would answer without asking for a key.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return dynamic_cast<const grpc::reflection::ProtoServerReflectionPlugin*>(plugin.get()) != nullptr;
    });
  }
};

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Neighbours neighbours) : face_(std::move(options), std::move(neighbours)) {}
  ~Impl() {
    shut_down();
    face_.answers.stop();
    face_.answers.join();
  }

  Result<void> start() {
    const ServerOptions& o = face_.options;
    if (o.port == 0) return {};
    prepare_library();
    service_ = make_service(face_);
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    if (face_.to.keys.required()) builder.SetOption(std::make_unique<WithoutReflection>());
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<size_t>(o.message_bytes_max, INT32_MAX)));
    builder.SetMaxSendMessageSize(-1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port that is taken is an error
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsOfConnectionMax);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(o.keepalive_time));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(o.keepalive_timeout));
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    grpc::ResourceQuota quota("ingot");
    quota.SetMaxThreads(kReflectionThreadsMax);  // the only calls that have threads
    // What is still being received: past this gRPC reads slower, then resets calls.
    quota.Resize(o.messages_bytes_max + kReceivedBytesSlack);
    builder.SetResourceQuota(quota);
    const bool v6 = o.host.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + o.host + "]" : o.host;
    builder.AddListeningPort(fmt::format("{}:{}", host, std::max(o.port, 0)), INGOT_TRY(credentials()), &port_);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      server_.reset();
      return error(Code::kUnavailable,
                   "[serve] gRPC cannot listen on port {} of {}: it is taken or may not be used; choose another with "
                   "--grpc-port (0: no gRPC)",
                   o.port, printable(o.host));
    }
    refresh_health();
    return {};
  }

  std::string url() const {
    const ServerOptions& o = face_.options;
    const bool v6 = o.host.find(':') != std::string::npos;
    return fmt::format("{}://{}:{}", o.tls_certificate.empty() ? "grpc" : "grpcs", v6 ? "[" + o.host + "]" : o.host,
                       port_);
  }
  int64_t calls() const { return face_.calls.load(); }

  void refresh_health() {
    const std::lock_guard lock(health_mutex_);
    if (!server_ || ended_) return;
    grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
    const bool draining = face_.draining.load() || face_.to.health.draining.load();
    const bool ready = face_.to.health.ready() && !draining;
    for (const char* name : {"", "inference.GRPCInferenceService"}) health->SetServingStatus(name, ready);
    std::map<std::string, bool> answers;  // with any version
    for (const serving::ModelStatus& m : face_.to.models.index())
      answers[m.name] = answers[m.name] || m.on_demand || m.state == serving::ModelState::kReady;
    for (const auto& [alias, model] : face_.to.models.aliases()) answers[alias] = answers[model];
    for (const std::string& name : told_) answers.try_emplace(name, false);  // it is not known any more
    told_.clear();
    for (const auto& [name, any] : answers) {
      health->SetServingStatus(name, any && !draining);
      if (any) told_.insert(name);
    }
  }

  bool drain(std::chrono::steady_clock::time_point deadline) {
    if (!server_) return true;
    face_.draining.store(true);
    refresh_health();
    {
      const std::lock_guard lock(face_.mutex);
      for (StreamCall* stream : face_.streams) stream->drain();
    }
    const bool all = wait_for_end(deadline);
    shut_down();
    return all;
  }

  // Cancels what is left, and waits until every call let go.
  void shut_down() {
    {
      const std::lock_guard lock(health_mutex_);
      if (!server_ || ended_) return;
      ended_ = true;
    }
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  }

 private:
  static int milliseconds(std::chrono::seconds s) { return static_cast<int>(s.count() * 1000); }

  Result<std::shared_ptr<grpc::ServerCredentials>> credentials() const {
    const ServerOptions& o = face_.options;
    if (o.tls_certificate.empty() && o.tls_key.empty()) return grpc::InsecureServerCredentials();
    if (o.tls_certificate.empty() || o.tls_key.empty())
      return invalid("[serve] TLS needs both --tls-cert and --tls-key");
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back(
        {INGOT_TRY(read_file("--tls-key", o.tls_key)), INGOT_TRY(read_file("--tls-cert", o.tls_certificate))});
    return grpc::SslServerCredentials(tls);
  }

  bool wait_for_end(std::chrono::steady_clock::time_point deadline) const {
    std::mutex never;
    std::unique_lock lock(never);
    std::condition_variable pause;
    while (face_.calls.load() > 0) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) return false;
      pause.wait_until(lock, std::min(deadline, now + std::chrono::milliseconds(10)));
    }
    return true;
  }

  Face face_;
  std::unique_ptr<grpc::Service> service_;
  std::mutex health_mutex_;
  std::set<std::string> told_;  // that they serve
  bool ended_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

Server::Server(ServerOptions options, Neighbours neighbours)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(neighbours))) {}
Server::~Server() = default;

Result<void> Server::start() { return impl_->start(); }
std::string Server::url() const { return impl_->url(); }
int64_t Server::calls() const { return impl_->calls(); }
void Server::refresh_health() { impl_->refresh_health(); }
void Server::stop() { impl_->shut_down(); }
bool Server::drain(std::chrono::steady_clock::time_point deadline) { return impl_->drain(deadline); }

}  // namespace ingot::rpc
