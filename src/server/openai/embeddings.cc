// /v1/embeddings: vectors of a decoder model's hidden states, of length 1, as floats or base64.
#include <openssl/evp.h>

#include <boost/json.hpp>
#include <cmath>

#include "server/openai/face.h"
#include "server/openai/prepare.h"
#include "server/openai/running.h"

namespace ingot::openai {
namespace {

using http::asio::awaitable;

constexpr size_t kInputsAtOnce = 64;

struct Job {
  std::shared_ptr<serving::Servable> model;
  std::vector<llm::Request> engine;
  bool base64 = false;
  bool normalize = true;
  size_t dimensions = 0;  // 0: all
};

Parsed<Job> make_job(const Face& face, const std::string& body) {
  auto document = parse_body(body);
  if (!document) return std::unexpected(std::move(document).error());
  Fields f(document->get_object());
  CompletionRequest request;
  Job job;
  request.model = f.string("model");
  request.prompts = read_prompts(f, "input");
  request.engine.max_tokens = 0;
  request.add_special_tokens = f.boolean("add_special_tokens", true);
  request.truncate_prompt_tokens = std::max<int64_t>(0, f.integer("truncate_prompt_tokens", 0, -1, 1 << 24));
  const auto priority = static_cast<int32_t>(f.integer("priority", 0, -(1 << 30), 1 << 30));
  request.engine.priority = allowed_priority(face.clients_may_hurry, priority);
  const std::string format = f.string("encoding_format", "float");
  if (format != "float" && format != "base64") f.fail("encoding_format", "must be 'float' or 'base64'");
  const std::string pooling = f.string("pooling", "mean");
  if (pooling != "mean" && pooling != "last") f.fail("pooling", "must be 'mean' or 'last'");
  job.base64 = format == "base64";
  job.normalize = f.boolean("normalize", true);
  job.dimensions = static_cast<size_t>(f.integer("dimensions", 0, 1, 1 << 20));
  if (f.failure()) return std::unexpected(*f.failure());
  auto model = find_model(face, request.model);
  if (!model) return std::unexpected(std::move(model).error());
  job.model = std::move(*model);
  const auto width = static_cast<size_t>(job.model->language->config().width);
  if (job.dimensions > width)
    return std::unexpected(ApiError(
        Status(Code::kInvalidArgument, fmt::format("[openai] 'dimensions': this model's vectors have {}", width)),
        "dimensions"));
  request.engine.pooling = pooling == "last" ? llm::Pooling::kLast : llm::Pooling::kMean;
  auto engine = prepare(*job.model, request);
  if (!engine) {
    if (engine.error().param == "prompt") engine.error().param = "input";
    return std::unexpected(std::move(engine).error());
  }
  job.engine = std::move(*engine);
  return job;
}

json::value vector_json(std::vector<float> v, const Job& job) {
  if (job.dimensions > 0) v.resize(job.dimensions);
  double squares = 0;
  for (const float x : v) squares += double{x} * x;
  const double scale = job.normalize && squares > 0 ? 1.0 / std::sqrt(squares) : 1.0;
  for (float& x : v) x = static_cast<float>(x * scale);
  if (!job.base64) return json::array(v.begin(), v.end());
  const size_t bytes = v.size() * sizeof(float);
  std::vector<unsigned char> text((bytes + 2) / 3 * 4 + 1);
  const int n = EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(v.data()), static_cast<int>(bytes));
  return json::string(reinterpret_cast<const char*>(text.data()), static_cast<size_t>(n));
}

std::string whole(const Job& job, std::vector<std::vector<float>> vectors, int64_t tokens) {
  json::array data;
  for (size_t i = 0; i < vectors.size(); ++i)
    data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", vector_json(std::move(vectors[i]), job)}});
  return json::serialize(json::object{{"object", "list"},
                                      {"data", std::move(data)},
                                      {"model", job.model->name},
                                      {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

// What goes wrong is the answer, too; nothing if the client left.
awaitable<std::optional<http::Response>> gather(const Face& face, http::Exchange& x, const Job& job, Running& running,
                                                size_t inputs) {
  std::vector<std::vector<float>> vectors(inputs);
  int64_t tokens = 0;
  while (!running.ended()) {
    std::vector<TaggedEvent> events = co_await running.take();
    for (TaggedEvent& e : events) {
      if (e.event.error) {
        running.cancel();
        if (x.is_gone()) co_return std::nullopt;
        co_return error_response(ApiError(*e.event.error));
      }
      if (!e.event.done) continue;
      tokens += e.event.usage.prompt_tokens;
      vectors[e.prompt] = std::move(e.event.embedding);
    }
  }
  if (x.is_gone()) co_return std::nullopt;
  http::Response response;
  auto write = [&] { return whole(job, std::move(vectors), tokens); };
  response.body = co_await face.workers.run(write);
  co_return response;
}

}  // namespace

awaitable<void> handle_embeddings(const Face& face, http::Exchange& x) {
  if (face.workers.full()) {
    http::Response refusal = error_response(too_busy());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  auto work = [&face, body = std::move(x.mutable_request().body)] { return make_job(face, body); };
  Parsed<Job> job = co_await run_on_model(face, std::move(work));
  if (!job) {
    http::Response refusal = error_response(job.error());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  x.note("model", job->model->name);
  const size_t inputs = job->engine.size();
  for (llm::Request& r : job->engine) r.tenant = x.request().tenant;
  auto running = co_await Running::start(face.workers, job->model, std::move(job->engine), x, kInputsAtOnce);
  if (!running) {
    http::Response refusal = error_response(running.error());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  auto response = co_await gather(face, x, *job, **running, inputs);
  if (response) co_await x.respond(std::move(*response));
}

}  // namespace ingot::openai
