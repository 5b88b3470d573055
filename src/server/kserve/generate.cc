// POST …/generate and …/generate_stream: a language model's answer, whole or as server-sent events.
#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/kserve/face.h"
#include "server/kserve/generate_request.h"
#include "server/openai/face.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

struct Job {
  std::shared_ptr<serving::Servable> model;
  GenerateRequest request;
  int retry_after_s = 0;
};

Result<GenerateRequest> parse(const std::string& body, const serving::Servable& model, bool stream) {
  return make_generate(model, INGOT_TRY(object_of(body)), stream);
}

std::string piece_json(const Job& job, const GeneratePiece& piece) {
  json::object out;
  if (!job.request.id.empty()) out["id"] = valid_utf8(job.request.id);
  out["model_name"] = valid_utf8(job.model->name);
  out["model_version"] = std::to_string(job.model->version);
  out["text_output"] = valid_utf8(piece.text);
  if (piece.last && job.request.wants_finish_reason) out["finish_reason"] = piece.finish_reason;
  if (piece.last && job.request.wants_input_tokens) out["num_input_tokens"] = piece.usage.prompt_tokens;
  if (piece.last && job.request.wants_output_tokens) out["num_output_tokens"] = piece.usage.completion_tokens;
  return json::serialize(out);
}

std::string sse(const std::string& json) { return "data: " + json + "\n\n"; }

http::Response refusal(const Status& failure, int retry_after_s) {
  http::Response r = error_response(failure);
  for (auto& [name, value] : r.headers)
    if (name == "Retry-After") value = std::to_string(std::max(1, retry_after_s));
  return r;
}

// Everything up to the first event.
awaitable<Result<std::shared_ptr<openai::Running>>> start(const Face& face, http::Exchange& x, Job& job, bool stream) {
  if (face.workers.full()) co_return error(Code::kResourceExhausted, "[kserve] too many requests wait to be read");
  auto found = co_await acquire_model(face, x.request());
  if (!found) co_return std::unexpected(found.error());
  job.model = std::move(*found);
  x.note("model", job.model->name);
  if (!job.model->language)
    co_return unimplemented("[kserve] '{}' is a tensor model: ask for it at /v2/models/{}/infer", job.model->name,
                            job.model->name);
  auto work = [body = std::move(x.mutable_request().body), model = job.model, stream] {
    return parse(body, *model, stream);
  };
  auto request = co_await face.workers.run(std::move(work));
  if (!request) co_return std::unexpected(request.error());
  job.request = std::move(*request);
  job.request.engine.tenant = x.request().tenant;
  job.request.engine.priority = openai::allowed_priority(face.clients_may_hurry, job.request.engine.priority);
  if (!stream) job.request.stream = false;
  std::vector<llm::Request> requests;
  requests.push_back(job.request.engine);
  auto running = co_await openai::Running::start(face.workers, job.model, std::move(requests), x, 1);
  if (running) co_return std::move(*running);
  job.retry_after_s = running.error().retry_after_s;
  co_return std::unexpected(running.error().status);
}

// Writes pieces until the last one. False: the client is gone. `begun`: the stream's head was sent.
awaitable<bool> write_pieces(http::Exchange& x, const Job& job, openai::Running& running, bool& begun,
                             std::optional<Status>& failure) {
  PieceMaker maker(job.request);
  while (!running.ended()) {
    const auto events = co_await running.take();
    if (x.is_gone()) co_return false;
    auto piece = maker.take(events);
    if (!piece) {
      failure = piece.error();
      co_return true;
    }
    if (!*piece) continue;
    const std::string text = sse(piece_json(job, **piece));
    if (text.size() > limits::kUnreadBytesMax) co_return false;  // it came while the client read nothing
    if (!begun) begun = co_await x.begin_stream(kEventStream);
    if (!begun) co_return false;
    const bool written = co_await x.write(text);
    if (!written) co_return false;
  }
  co_return true;
}

awaitable<void> answer_stream(http::Exchange& x, const Job& job, openai::Running& running) {
  bool begun = false;
  std::optional<Status> failure;
  const bool there = co_await write_pieces(x, job, running, begun, failure);
  if (!there) co_return;
  if (failure && !begun) {
    http::Response r = refusal(*failure, 1);
    co_await x.respond(std::move(r));
    co_return;
  }
  if (failure) {
    const std::string text = sse(error_body(0, *failure));
    const bool written = co_await x.write(text);
    if (!written) co_return;
  }
  co_await x.end_stream();
}

awaitable<void> answer_whole(http::Exchange& x, const Job& job, openai::Running& running) {
  PieceMaker maker(job.request);
  while (!running.ended()) {
    const auto events = co_await running.take();
    if (x.is_gone()) co_return;
    const auto piece = maker.take(events);
    if (piece && !*piece) continue;
    http::Response r = piece ? http::Response{} : refusal(piece.error(), 1);
    if (piece) r.body = piece_json(job, **piece);
    co_await x.respond(std::move(r));
    co_return;
  }
}

awaitable<void> generate(const Face& face, http::Exchange& x, bool stream) {
  Job job;
  const auto running = co_await start(face, x, job, stream);
  if (!running) {
    http::Response r = refusal(running.error(), job.retry_after_s);
    co_await x.respond(std::move(r));
    co_return;
  }
  if (stream)
    co_await answer_stream(x, job, **running);
  else
    co_await answer_whole(x, job, **running);
}

}  // namespace

awaitable<void> handle_generate(const Face& face, http::Exchange& x) { co_await generate(face, x, false); }
awaitable<void> handle_generate_stream(const Face& face, http::Exchange& x) { co_await generate(face, x, true); }

}  // namespace ingot::kserve
