#include "server/grpc/service.h"

#include <google/protobuf/util/json_util.h>

#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/grpc/infer_call.h"
#include "server/grpc/stream_call.h"
#include "server/kserve/face.h"
#include "server/kserve/logging.h"

namespace ingot::rpc {
namespace {

namespace json = boost::json;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// What the HTTP face says of a thing, as a message: its field names are the protocol's.
Result<void> fill(google::protobuf::Message& message, const json::value& described) {
  const auto done = google::protobuf::util::JsonStringToMessage(json::serialize(described), &message);
  if (!done.ok()) return error(Code::kInternal, "[grpc] {}", done.ToString());
  return {};
}

// Answers a call that needs no waiting.
template <class F>
Reactor* answer(Face& face, Context& context, const char* method, F work) {
  CallScope scope(face, context, method);
  const Result<void> done = guarded("grpc", [&]() -> Result<void> {
    INGOT_TRY(scope.admit());
    return work();
  });
  scope.note_end(done);
  Reactor* reactor = context.DefaultReactor();
  reactor->Finish(to_grpc(done));
  return reactor;
}

Result<void> check_repository(const std::string& name) {
  if (name.empty()) return {};
  return unimplemented("[grpc] 'repository_name' specification is not supported");
}

json::object load_parameters(const inference::RepositoryModelLoadRequest& request) {
  json::object out;
  for (const auto& [name, value] : request.parameters()) {
    json::value& v = out[valid_utf8(name)];
    if (value.has_string_param()) v = json::string(valid_utf8(value.string_param()));
    if (value.has_bool_param()) v = value.bool_param();
    if (value.has_int64_param()) v = value.int64_param();
  }
  return out;
}

json::object log_settings_json(const inference::LogSettingsRequest& request) {
  json::object out;
  for (const auto& [name, value] : request.settings()) {
    json::value& v = out[valid_utf8(name)];
    if (value.has_bool_param()) v = value.bool_param();
    if (value.has_uint32_param()) v = value.uint32_param();
    if (value.has_string_param()) v = json::string(valid_utf8(value.string_param()));
  }
  return out;
}

void fill_log_settings(inference::LogSettingsResponse& response) {
  for (const auto& [name, value] : kserve::log_settings()) {
    auto& setting = (*response.mutable_settings())[std::string(name)];
    if (value.is_bool()) setting.set_bool_param(value.get_bool());
    if (value.is_int64()) setting.set_uint32_param(static_cast<uint32_t>(value.get_int64()));
    if (value.is_string()) setting.set_string_param(std::string(value.get_string()));
  }
}

// RepositoryModelLoad: ends when the model is ready, on the thread that loads.
Reactor* load(Face& face, Context& context, const inference::RepositoryModelLoadRequest& request) {
  // The repository keeps `end` for a while after it called it; the face may be gone then.
  const auto scope = std::make_shared<std::optional<CallScope>>();
  scope->emplace(face, context, "RepositoryModelLoad").note_model(request.model_name());
  Reactor* reactor = context.DefaultReactor();
  const auto end = [scope, reactor](const Result<void>& done) {
    (*scope)->note_end(done);
    scope->reset();
    reactor->Finish(to_grpc(done));
  };
  const Result<void> begun = guarded("grpc", [&]() -> Result<void> {
    INGOT_TRY((*scope)->admit());
    INGOT_TRY(check_repository(request.repository_name()));
    return kserve::start_load(face.to.models, request.model_name(), load_parameters(request), end);
  });
  if (!begun) end(begun);
  return reactor;
}

class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit InferenceService(Face& face) : face_(face) {}

  Reactor* ServerLive(Context* x, const inference::ServerLiveRequest*, inference::ServerLiveResponse* out) override {
    return answer(face_, *x, "ServerLive", [&]() -> Result<void> {
      out->set_live(true);
      return {};
    });
  }
  Reactor* ServerReady(Context* x, const inference::ServerReadyRequest*, inference::ServerReadyResponse* out) override {
    return answer(face_, *x, "ServerReady", [&]() -> Result<void> {
      out->set_ready(face_.to.health.ready());
      return {};
    });
  }
  Reactor* ModelReady(Context* x, const inference::ModelReadyRequest* in, inference::ModelReadyResponse* out) override {
    return answer(face_, *x, "ModelReady", [&]() -> Result<void> {
      INGOT_TRY(kserve::check_ready(face_.to.models, in->name(), in->version()));
      out->set_ready(true);
      return {};
    });
  }
  Reactor* ServerMetadata(Context* x, const inference::ServerMetadataRequest*,
                          inference::ServerMetadataResponse* out) override {
    return answer(face_, *x, "ServerMetadata", [&] { return fill(*out, kserve::server_metadata(face_.to.regions)); });
  }
  Reactor* ModelMetadata(Context* x, const inference::ModelMetadataRequest* in,
                         inference::ModelMetadataResponse* out) override {
    return describe(*x, "ModelMetadata", in, [this, in, out](const std::shared_ptr<serving::Servable>& model) {
      const auto versions =
          in->version().empty() ? face_.to.models.ready_versions(model->name) : std::vector<int64_t>{model->version};
      return fill(*out, kserve::model_metadata(*model, versions));
    });
  }
  Reactor* ModelConfig(Context* x, const inference::ModelConfigRequest* in,
                       inference::ModelConfigResponse* out) override {
    return describe(*x, "ModelConfig", in, [out](const std::shared_ptr<serving::Servable>& model) {
      return fill(*out->mutable_config(), kserve::model_config(*model));
    });
  }
  Reactor* ModelStatistics(Context* x, const inference::ModelStatisticsRequest* in,
                           inference::ModelStatisticsResponse* out) override {
    return answer(face_, *x, "ModelStatistics", [&]() -> Result<void> {
      if (in->name().empty()) return fill(*out, kserve::all_stats(face_.to.models));
      return fill(*out, kserve::model_stats(*INGOT_TRY(find(*in))));
    });
  }

  Reactor* ModelInfer(Context* x, const inference::ModelInferRequest* in, inference::ModelInferResponse* out) override {
    return start_infer(face_, *x, *in, *out);
  }
  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(
      Context* x) override {
    return StreamCall::start(face_, *x);
  }

  Reactor* RepositoryIndex(Context* x, const inference::RepositoryIndexRequest* in,
                           inference::RepositoryIndexResponse* out) override {
    return answer(face_, *x, "RepositoryIndex", [&]() -> Result<void> {
      INGOT_TRY(check_repository(in->repository_name()));
      return fill(*out, json::object{{"models", kserve::model_index(face_.to.models, in->ready())}});
    });
  }
  Reactor* RepositoryModelLoad(Context* x, const inference::RepositoryModelLoadRequest* in,
                               inference::RepositoryModelLoadResponse*) override {
    return load(face_, *x, *in);
  }
  Reactor* RepositoryModelUnload(Context* x, const inference::RepositoryModelUnloadRequest* in,
                                 inference::RepositoryModelUnloadResponse*) override {
    return answer(face_, *x, "RepositoryModelUnload", [&]() -> Result<void> {
      INGOT_TRY(check_repository(in->repository_name()));
      return kserve::start_unload(face_.to.models, in->model_name());
    });
  }

  Reactor* LogSettings(Context* x, const inference::LogSettingsRequest* in,
                       inference::LogSettingsResponse* out) override {
    return answer(face_, *x, "LogSettings", [&]() -> Result<void> {
      INGOT_TRY(kserve::set_log_settings(log_settings_json(*in)));
      fill_log_settings(*out);
      return {};
    });
  }
  Reactor* TraceSetting(Context* x, const inference::TraceSettingRequest*, inference::TraceSettingResponse*) override {
    return refuse(*x, "TraceSetting", "tracing is not supported: the access log and /metrics tell what each call took");
  }

  Reactor* SystemSharedMemoryStatus(Context* x, const inference::SystemSharedMemoryStatusRequest* in,
                                    inference::SystemSharedMemoryStatusResponse* out) override {
    return answer(face_, *x, "SystemSharedMemoryStatus", [&]() -> Result<void> {
      for (const auto& region : INGOT_TRY(face_.to.regions.list(in->name()))) {
        auto& told = (*out->mutable_regions())[region->name()];
        told.set_name(region->name());
        told.set_key(region->key());
        told.set_offset(region->offset());
        told.set_byte_size(region->bytes());
      }
      return {};
    });
  }
  Reactor* SystemSharedMemoryRegister(Context* x, const inference::SystemSharedMemoryRegisterRequest* in,
                                      inference::SystemSharedMemoryRegisterResponse*) override {
    return answer(face_, *x, "SystemSharedMemoryRegister",
                  [&] { return face_.to.regions.add(in->name(), in->key(), in->offset(), in->byte_size()); });
  }
  Reactor* SystemSharedMemoryUnregister(Context* x, const inference::SystemSharedMemoryUnregisterRequest* in,
                                        inference::SystemSharedMemoryUnregisterResponse*) override {
    return answer(face_, *x, "SystemSharedMemoryUnregister", [&] { return face_.to.regions.remove(in->name()); });
  }
  Reactor* CudaSharedMemoryStatus(Context* x, const inference::CudaSharedMemoryStatusRequest*,
                                  inference::CudaSharedMemoryStatusResponse*) override {
    return refuse(*x, "CudaSharedMemoryStatus", kNoCuda);
  }
  Reactor* CudaSharedMemoryRegister(Context* x, const inference::CudaSharedMemoryRegisterRequest*,
                                    inference::CudaSharedMemoryRegisterResponse*) override {
    return refuse(*x, "CudaSharedMemoryRegister", kNoCuda);
  }
  Reactor* CudaSharedMemoryUnregister(Context* x, const inference::CudaSharedMemoryUnregisterRequest*,
                                      inference::CudaSharedMemoryUnregisterResponse*) override {
    return refuse(*x, "CudaSharedMemoryUnregister", kNoCuda);
  }

 private:
  static constexpr const char* kNoCuda = "CUDA shared memory is not supported: this server runs on the CPU";

  // Answers with what `work` makes of the request's model, which is loaded first where it was put away.
  template <class Named, class F>
  Reactor* describe(Context& x, const char* method, const Named* request, F work) {
    const auto scope = std::make_shared<CallScope>(face_, x, method);
    Reactor* reactor = x.DefaultReactor();
    const auto end = [scope, reactor, work](const Result<std::shared_ptr<serving::Servable>>& model) {
      const Result<void> done = guarded("grpc", [&]() -> Result<void> {
        if (!model) return std::unexpected(model.error());
        return work(*model);
      });
      scope->note_end(done);
      reactor->Finish(to_grpc(done));
    };
    const auto admitted = scope->admit();
    bool comes = false;
    if (!admitted)
      end(std::unexpected(admitted.error()));
    else if (auto found = kserve::use_model(face_.to.models, request->name(), request->version(), comes);
             found || !comes)
      end(found);
    else
      acquire(face_, request->name(), request->version(), end);
    return reactor;
  }
  template <class Named>
  Result<std::shared_ptr<serving::Servable>> find(const Named& request) const {
    return kserve::find_model(face_.to.models, request.name(), request.version());
  }
  Reactor* refuse(Context& x, const char* method, const char* reason) {
    return answer(face_, x, method, [&]() -> Result<void> { return unimplemented("[grpc] {}", reason); });
  }

  Face& face_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_service(Face& face) { return std::make_unique<InferenceService>(face); }

}  // namespace ingot::rpc
