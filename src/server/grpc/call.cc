#include "server/grpc/call.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>

#include "formats/printable.h"
#include "server/kserve/face.h"

namespace ingot::rpc {
namespace {

static_assert(static_cast<int>(Code::kCancelled) == grpc::StatusCode::CANCELLED);
static_assert(static_cast<int>(Code::kInvalidArgument) == grpc::StatusCode::INVALID_ARGUMENT);
static_assert(static_cast<int>(Code::kDeadlineExceeded) == grpc::StatusCode::DEADLINE_EXCEEDED);
static_assert(static_cast<int>(Code::kResourceExhausted) == grpc::StatusCode::RESOURCE_EXHAUSTED);
static_assert(static_cast<int>(Code::kUnimplemented) == grpc::StatusCode::UNIMPLEMENTED);
static_assert(static_cast<int>(Code::kUnauthenticated) == grpc::StatusCode::UNAUTHENTICATED);

}  // namespace

Status shutting_down() {
  return {Code::kUnavailable, "[grpc] GRPC server is shutting down and has stopped accepting new requests."};
}

Result<void> charge(Face& face, http::BodyCharge& charge, size_t bytes) {
  if (charge.grow_to(bytes)) return {};
  return error(
      Code::kResourceExhausted,
      "[grpc] the messages of all calls take more than {} bytes together (--max-bodies-bytes): try again later",
      face.messages.bytes_max);
}

void acquire(Face& face, const std::string& name, const std::string& version, OnModel done) {
  using Model = Result<std::shared_ptr<serving::Servable>>;
  boost::asio::co_spawn(boost::asio::make_strand(face.answers), kserve::acquire_model(face.to.models, name, version),
                        [done = std::move(done)](const std::exception_ptr& thrown, Model model) {
                          if (thrown) model = error(Code::kInternal, "[grpc] the model could not be looked for");
                          done(std::move(model));
                        });
}

grpc::Status to_grpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), printable(status.message(), kMessageBytesMax)};
}

std::string metadata_value(const grpc::CallbackServerContext& context, std::string_view name) {
  const auto& all = context.client_metadata();
  const auto found = all.find(grpc::string_ref(name.data(), name.size()));
  return found == all.end() ? std::string() : std::string(found->second.data(), found->second.size());
}

std::optional<serving::Clock::time_point> deadline_of(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  const auto now = std::chrono::system_clock::now();
  if (deadline > now + std::chrono::hours(24 * 365)) return {};
  return serving::Clock::now() + std::chrono::duration_cast<serving::Clock::duration>(deadline - now);
}

CallScope::CallScope(Face& face, const grpc::CallbackServerContext& context, const char* method)
    : face_(face),
      method_(method),
      peer_(context.peer()),
      id_(metadata_value(context, "x-request-id")),
      credentials_(metadata_value(context, "authorization")),
      others_(face.calls.fetch_add(1)) {
  if (credentials_.empty()) credentials_ = metadata_value(context, "x-api-key");
  if (id_.size() > limits::kRequestIdBytesMax) id_.resize(limits::kRequestIdBytesMax);
}

CallScope::~CallScope() {
  const auto took = std::chrono::steady_clock::now() - start_;
  const std::string path = fmt::format("/inference.GRPCInferenceService/{}", method_);
  std::vector<std::pair<std::string, std::string>> notes{{"grpc_code", std::to_string(code_)}};
  if (!model_.empty()) notes.emplace_back("model", model_);
  if (face_.to.on_end)
    face_.to.on_end({.id = id_,
                     .method = "GRPC",
                     .path = path,
                     .route = path,
                     .remote = peer_,
                     .status = code_ == 0 ? 200 : http::http_status(static_cast<Code>(code_)),
                     .bytes_in = bytes_in_,
                     .bytes_out = bytes_out_,
                     .duration_ms = std::chrono::duration<double, std::milli>(took).count(),
                     .gone = code_ == static_cast<int>(Code::kCancelled),
                     .notes = &notes});
  face_.calls.fetch_sub(1);
}

Result<void> CallScope::admit() {
  auto tenant = face_.to.keys.tenant_of(credentials_);
  if (!tenant)
    return error(Code::kUnauthenticated,
                 "[grpc] a valid API key is needed: send it as metadata 'authorization: Bearer KEY'");
  if (face_.draining.load()) return std::unexpected(shutting_down());
  if (others_ >= face_.options.calls_max)
    return error(Code::kResourceExhausted, "[grpc] {} calls are being answered already: try again later", others_);
  tenant_ = std::move(*tenant);
  return {};
}

}  // namespace ingot::rpc
