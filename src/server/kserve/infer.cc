// POST …/infer: one inference of a tensor model.
#include <atomic>
#include <boost/asio/this_coro.hpp>
#include <charconv>

#include "formats/printable.h"
#include "server/http/event_channel.h"
#include "server/kserve/compression.h"
#include "server/kserve/face.h"
#include "server/kserve/infer_codec.h"

namespace ingot::kserve {
namespace {

using http::asio::awaitable;

// Smaller bodies are parsed on the network's thread, and smaller answers written: handing them over would take longer.
constexpr size_t kParsedHereBytesMax = 16u << 10;
constexpr size_t kWrittenHereBytesMax = 64u << 10;

Result<std::optional<size_t>> json_bytes_of(const http::Request& request) {
  const std::string_view text = request.header("Inference-Header-Content-Length");
  if (text.empty()) return std::nullopt;
  size_t size = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (ec != std::errc() || end != text.data() + text.size())
    return invalid("[kserve] Inference-Header-Content-Length '{}' is not a size", printable(text));
  return size;
}

struct Input {
  std::string body;
  std::string encoding;
  std::optional<size_t> json_bytes;
  size_t body_bytes_max = 0;
  const SharedRegions& regions;

  // Bytes of a region are copied where nobody else waits.
  bool is_small() const {
    return body.size() <= kParsedHereBytesMax && encoding.empty() &&
           (!regions.enabled() || body.find("shared_memory_region") == std::string::npos);
  }
};

Result<InferRequest> parse(const Input& input, const serving::TensorModel& model) {
  if (input.encoding.empty() || input.encoding == "identity")
    return parse_infer(input.body, input.json_bytes, model.inputs(), input.regions);
  const std::string body = INGOT_TRY(decompress(input.body, input.encoding, input.body_bytes_max));
  return parse_infer(body, input.json_bytes, model.inputs(), input.regions);
}

// The model's answer, or why there is none.
awaitable<Result<serving::TensorAnswer>> run(http::Exchange& x, serving::TensorModel& model,
                                             serving::TensorRequest& request) {
  const auto strand = co_await http::asio::this_coro::executor;
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  x.on_gone([gone] { gone->store(true); });
  request.cancelled = gone;
  http::ChannelReader<Result<serving::TensorAnswer>> reader(strand);
  request.on_done = [channel = reader.channel()](Result<serving::TensorAnswer> answer) {
    channel->push(std::move(answer));
  };
  const auto submitted = model.submit(std::move(request));
  if (!submitted) co_return std::unexpected(submitted.error());
  auto answers = co_await reader.take();
  co_return std::move(answers.front());
}

awaitable<Result<http::Response>> infer(const Face& face, http::Exchange& x) {
  const auto found = co_await acquire_model(face, x.request());
  if (!found) co_return std::unexpected(found.error());
  const std::shared_ptr<serving::Servable>& model = *found;
  x.note("model", model->name);
  if (face.workers.full())
    co_return error(Code::kResourceExhausted, "[kserve] too many requests wait to be read: try again later");
  if (!model->tensor)
    co_return unimplemented("[kserve] '{}' is a language model: ask for it at /v1/completions", model->name);
  const auto json_bytes = json_bytes_of(x.request());
  if (!json_bytes) co_return std::unexpected(json_bytes.error());
  const std::string accepted(x.request().header("Accept-Encoding"));
  auto input = std::make_shared<Input>(Input{std::move(x.mutable_request().body),
                                             std::string(x.request().header("Content-Encoding")), *json_bytes,
                                             face.body_bytes_max, face.regions});
  Result<InferRequest> request = unimplemented("");
  if (input->is_small()) {
    request = parse(*input, *model->tensor);
  } else {
    auto work = [input, model] { return parse(*input, *model->tensor); };
    request = co_await face.workers.run(std::move(work));
  }
  if (!request) co_return std::unexpected(request.error());
  input.reset();
  const auto answer = co_await run(x, *model->tensor, request->tensors);
  if (!answer) co_return std::unexpected(answer.error());
  auto write = [&] {
    auto response = infer_response(*request, *answer, model->name, model->version);
    if (response && !accepted.empty()) compress(*response, accepted);
    return response;
  };
  size_t bytes = 0;
  for (const serving::NamedTensor& output : answer->outputs) bytes += output.tensor.view().num_bytes();
  if (bytes <= kWrittenHereBytesMax) co_return write();
  co_return co_await face.workers.run(write);
}

}  // namespace

awaitable<void> handle_infer(const Face& face, http::Exchange& x) {
  Result<http::Response> done = co_await infer(face, x);
  http::Response response = done ? std::move(*done) : error_response(done.error());
  co_await x.respond(std::move(response));
}

}  // namespace ingot::kserve
