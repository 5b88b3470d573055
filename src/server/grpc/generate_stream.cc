// stream_call.h: a language model's answer to one request of a stream, piece by piece.
#include <boost/json.hpp>

#include "server/grpc/stream_call.h"
#include "server/kserve/generate_request.h"
#include "server/kserve/tensor_json.h"
#include "server/openai/face.h"

namespace ingot::rpc {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;
using kserve::GeneratePiece;
using kserve::GenerateRequest;

// Inputs and parameters as the fields that the same request has over HTTP; a tensor of one element is that element.
Result<json::object> fields_of(inference::ModelInferRequest& message) {
  json::object fields;
  fields["parameters"] = parameters_json(message.parameters());
  const kserve::InferRequest request = INGOT_TRY(read_infer(message));
  for (const serving::NamedTensor& input : request.tensors.inputs) {
    std::string text;
    kserve::append_json(text, input.tensor);
    json::value values = json::parse(text);
    fields[input.name] = values.get_array().size() == 1 ? values.get_array().front() : values;
  }
  if (!message.id().empty()) fields["id"] = message.id();
  return fields;
}

struct Prepared {
  GenerateRequest request;
  bool wants_empty_end = false;
};

Result<Prepared> prepare(inference::ModelInferRequest& message, const serving::Servable& model) {
  Prepared out;
  const json::object fields = INGOT_TRY(fields_of(message));
  const json::object* parameters = fields.at("parameters").if_object();  // an input may have that name
  const json::value* flag = parameters ? parameters->if_contains("triton_enable_empty_final_response") : nullptr;
  out.wants_empty_end = flag && flag->is_bool() && flag->get_bool();
  out.request = INGOT_TRY(kserve::make_generate(model, fields, /*stream=*/true));
  return out;
}

std::string string_tensor(std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&size), sizeof size).append(text);
}

std::string count_tensor(int64_t value) {
  const auto count = static_cast<uint32_t>(value);
  return {reinterpret_cast<const char*>(&count), sizeof count};
}

StreamCall::Response response_of(const GenerateRequest& request, const serving::Servable& model, bool final) {
  StreamCall::Response response;
  auto& message = *response.mutable_infer_response();
  write_head(request.id, model, message);
  (*message.mutable_parameters())["triton_final_response"].set_bool_param(final);
  return response;
}

StreamCall::Response response_of(const GenerateRequest& request, const serving::Servable& model,
                                 const GeneratePiece& piece, bool final) {
  StreamCall::Response response = response_of(request, model, final);
  auto& message = *response.mutable_infer_response();
  add_output("text_output", "BYTES", {1}, string_tensor(piece.text), message);
  if (!piece.last) return response;
  if (request.wants_finish_reason)
    add_output("finish_reason", "BYTES", {1}, string_tensor(piece.finish_reason), message);
  if (request.wants_input_tokens)
    add_output("num_input_tokens", "UINT32", {1}, count_tensor(piece.usage.prompt_tokens), message);
  if (request.wants_output_tokens)
    add_output("num_output_tokens", "UINT32", {1}, count_tensor(piece.usage.completion_tokens), message);
  return response;
}

// The engine's answer to an admitted request. Errors: those of the engine.
awaitable<Result<void>> answer(StreamCall& call, Prepared& job, const std::shared_ptr<serving::Servable>& model) {
  std::vector<llm::Request> requests;
  requests.push_back(job.request.engine);
  auto running = co_await openai::Running::start(call.face().to.workers, model, std::move(requests), 1);
  if (!running) co_return std::unexpected(running.error().status);
  if (call.over()) co_return Result<void>();  // meanwhile: it ends with its last owner
  call.watch(*running);
  kserve::PieceMaker maker(job.request);
  while (!(*running)->ended()) {
    const auto events = co_await (*running)->take();
    if (call.over()) co_return Result<void>();
    const auto piece = maker.take(events);
    if (!piece) co_return std::unexpected(piece.error());
    if (!*piece) continue;
    if (call.unread_bytes() > limits::kUnreadBytesMax)
      co_return error(Code::kResourceExhausted, "[grpc] the client does not read its answers");
    call.send(response_of(job.request, *model, **piece, (*piece)->last && !job.wants_empty_end));
    if ((*piece)->last && job.wants_empty_end) call.send(response_of(job.request, *model, true));
  }
  co_return Result<void>();
}

}  // namespace

awaitable<void> generate_on(std::shared_ptr<StreamCall> call, std::unique_ptr<StreamCall::Request> request,
                            std::shared_ptr<serving::Servable> model) {
  const std::string id = request->id();
  if (call->face().to.workers.full()) {
    call->send_failure(id, {Code::kResourceExhausted, "[grpc] too many requests wait to be read"});
    co_return;
  }
  auto work = [message = std::shared_ptr<StreamCall::Request>(std::move(request)), model] {
    return prepare(*message, *model);
  };
  auto job = co_await call->face().to.workers.run(std::move(work));
  if (call->over()) co_return;
  Result<void> done;
  if (job) {
    llm::Request& engine = job->request.engine;
    engine.tenant = call->tenant();
    engine.priority = openai::allowed_priority(call->face().to.clients_may_hurry, engine.priority);
    const auto deadline = call->deadline();
    if (deadline && (!engine.deadline || *deadline < *engine.deadline)) engine.deadline = deadline;
    done = co_await answer(*call, *job, model);
  } else {
    done = std::unexpected(job.error());
  }
  if (!done) call->send_failure(id, done.error());
}

}  // namespace ingot::rpc
