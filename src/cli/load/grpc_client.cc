#include "cli/load/grpc_client.h"

#include <grpcpp/grpcpp.h>

#include <boost/json.hpp>

#include "server/grpc/inference.grpc.pb.h"
#include "server/http/event_channel.h"

namespace ingot::cli::load {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Stub = inference::GRPCInferenceService::Stub;

// What gRPC's threads tell the coroutine.
struct News {
  Clock::time_point at;
  bool text = false, done = false;
  int64_t prompt_tokens = 0, output_tokens = 0;
  std::string error;
};
using Channel = std::shared_ptr<http::EventChannel<News>>;

std::string told(const grpc::Status& status) {
  return status.ok() ? "" : fmt::format("gRPC {}: {}", static_cast<int>(status.error_code()), status.error_message());
}

void set_up(grpc::ClientContext& context, const Options& o) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(static_cast<int64_t>(o.timeout_s * 1000)));
  if (!o.api_key.empty()) context.AddMetadata("authorization", "Bearer " + o.api_key);
}

int64_t count_of(const inference::ModelInferResponse& response, int output) {
  const std::string& raw = response.raw_output_contents(output);
  uint32_t count = 0;
  if (raw.size() == sizeof count) raw.copy(reinterpret_cast<char*>(&count), sizeof count);
  return count;
}

News news_of(const inference::ModelStreamInferResponse& message) {
  News news{.at = Clock::now(), .error = message.error_message()};
  const inference::ModelInferResponse& response = message.infer_response();
  for (int i = 0; i < std::min(response.outputs_size(), response.raw_output_contents_size()); ++i) {
    const std::string& name = response.outputs(i).name();
    if (name == "text_output") news.text = response.raw_output_contents(i).size() > sizeof(uint32_t);
    if (name == "num_input_tokens") news.prompt_tokens = count_of(response, i);
    if (name == "num_output_tokens") news.output_tokens = count_of(response, i);
  }
  return news;
}

// One request on a stream of its own; deletes itself when gRPC is done with it.
class Stream final : public grpc::ClientBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse> {
 public:
  static void start(Stub& stub, const Options& o, inference::ModelInferRequest request, Channel channel) {
    auto* self = new Stream(std::move(request), std::move(channel));
    set_up(self->context_, o);
    stub.async()->ModelStreamInfer(&self->context_, self);
    self->StartWriteLast(&self->request_, grpc::WriteOptions());
    self->StartRead(&self->response_);
    self->StartCall();
  }

 private:
  Stream(inference::ModelInferRequest request, Channel channel)
      : request_(std::move(request)), channel_(std::move(channel)) {}
  void OnReadDone(bool ok) override {
    if (!ok) return;
    channel_->push(news_of(response_));
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    channel_->push({.at = Clock::now(), .done = true, .error = told(status)});
    delete this;
  }

  grpc::ClientContext context_;
  inference::ModelInferRequest request_;
  inference::ModelStreamInferResponse response_;
  Channel channel_;
};

void start_unary(Stub& stub, const Options& o, inference::ModelInferRequest request, Channel channel) {
  struct Call {
    grpc::ClientContext context;
    inference::ModelInferRequest request;
    inference::ModelInferResponse response;
  };
  auto call = std::make_shared<Call>();
  set_up(call->context, o);
  call->request = std::move(request);
  stub.async()->ModelInfer(&call->context, &call->request, &call->response,
                           [call, channel = std::move(channel)](const grpc::Status& status) {
                             channel->push({.at = Clock::now(), .done = true, .error = told(status)});
                           });
}

// HTTP's binary form: a JSON head, and the tensors' bytes behind it.
inference::ModelInferRequest tensor_request(const Message& message, const Options& o) {
  inference::ModelInferRequest request;
  request.set_model_name(o.model);
  size_t at = std::stoul(message.binary_header_bytes);
  const json::value head = json::parse(message.body.substr(0, at));
  for (const json::value& input : head.at("inputs").as_array()) {
    auto& tensor = *request.add_inputs();
    tensor.set_name(std::string(input.at("name").as_string()));
    tensor.set_datatype(std::string(input.at("datatype").as_string()));
    for (const json::value& d : input.at("shape").as_array()) tensor.add_shape(d.to_number<int64_t>());
    const auto bytes = input.at("parameters").at("binary_data_size").to_number<size_t>();
    request.add_raw_input_contents(message.body.substr(at, bytes));
    at += bytes;
  }
  return request;
}

// A chat's only message, or a completion's prompt, as text; every other number, truth value or string is a parameter.
Result<inference::ModelInferRequest> text_request(const Message& message, const Options& o) {
  inference::ModelInferRequest request;
  request.set_model_name(o.model);
  const json::value body = json::parse(message.body);
  const json::object& fields = body.get_object();
  const json::value* text = fields.if_contains("prompt");
  boost::system::error_code ec;
  if (!text) text = body.find_pointer("/messages/0/content", ec);
  if (!text || !text->is_string()) return invalid("[cli] --protocol kserve-grpc: a prompt must be text");
  auto& input = *request.add_inputs();
  input.set_name("text_input");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents(std::string(text->get_string()));
  auto& parameters = *request.mutable_parameters();
  for (const auto& [key, value] : fields) {
    const std::string name(key);
    if (name == "prompt" || name == "model" || name == "stream") continue;
    if (value.is_bool()) parameters[name].set_bool_param(value.get_bool());
    if (value.is_int64()) parameters[name].set_int64_param(value.get_int64());
    if (value.is_double()) parameters[name].set_double_param(value.get_double());
    if (value.is_string()) parameters[name].set_string_param(std::string(value.get_string()));
  }
  for (const char* name : {"return_num_input_tokens", "return_num_output_tokens"})
    parameters[name].set_bool_param(true);
  return request;
}

}  // namespace

struct GrpcClient::Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Stub> stub;
};

Result<std::string> GrpcClient::target_of(const std::string& url) {
  constexpr std::string_view kScheme = "grpc://";
  const size_t colon = url.rfind(':');
  if (!url.starts_with(kScheme) || colon < kScheme.size() || colon + 1 == url.size() || url.ends_with('/'))
    return invalid("[cli] --url '{}' is not grpc://HOST:PORT", url);
  return url.substr(kScheme.size());
}

GrpcClient::GrpcClient(asio::any_io_executor executor, const std::string& target, const Options& options)
    : executor_(std::move(executor)), options_(options), connection_(std::make_unique<Connection>()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  connection_->channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  connection_->stub = inference::GRPCInferenceService::NewStub(connection_->channel);
}

GrpcClient::~GrpcClient() = default;

asio::awaitable<Record> GrpcClient::post(const Message& message) {
  Record record;
  http::ChannelReader<News> reader(executor_);
  const bool tensors = options_.api == Api::kInfer;
  Result<inference::ModelInferRequest> request =
      tensors ? Result<inference::ModelInferRequest>(tensor_request(message, options_))
              : text_request(message, options_);
  record.sent = record.end = Clock::now();
  if (!request) {
    record.error = request.error().message();
    co_return record;
  }
  if (tensors)
    start_unary(*connection_->stub, options_, std::move(*request), reader.channel());
  else
    Stream::start(*connection_->stub, options_, std::move(*request), reader.channel());
  for (bool done = false; !done;) {
    const std::vector<News> came = co_await reader.take();
    for (const News& news : came) {
      record.end = news.at;
      if (news.text) record.events.push_back(news.at);
      record.prompt_tokens += news.prompt_tokens;
      record.output_tokens += news.output_tokens;
      if (record.error.empty()) record.error = news.error;
      done = done || news.done;
    }
  }
  co_return record;
}

Result<std::string> GrpcClient::metadata() {
  grpc::ClientContext context;
  set_up(context, options_);
  inference::ModelMetadataRequest request;
  request.set_name(options_.model);
  inference::ModelMetadataResponse response;
  const grpc::Status status = connection_->stub->ModelMetadata(&context, request, &response);
  if (!status.ok()) return error(Code::kUnavailable, "[bench] {}: {}", options_.url, told(status));
  json::array inputs;
  for (const auto& input : response.inputs())
    inputs.push_back({{"name", input.name()},
                      {"datatype", input.datatype()},
                      {"shape", json::array(input.shape().begin(), input.shape().end())}});
  return json::serialize(json::object{{"inputs", std::move(inputs)}});
}

}  // namespace ingot::cli::load
