// /v1/completions and /v1/chat/completions: from a request to an answer, whole or streamed.
//
// Parsing, templates and tokenizing run on a worker; the connection's coroutine waits for events and writes them.
#include <ctime>

#include "base/limits.h"
#include "server/openai/answer_format.h"
#include "server/openai/face.h"
#include "server/openai/prepare.h"
#include "server/openai/running.h"

namespace ingot::openai {
namespace {

using http::asio::awaitable;

constexpr size_t kPromptsAtOnce = 64;
constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

template <class R>
struct Job {
  R request;
  std::shared_ptr<serving::Servable> model;
  std::vector<llm::Request> engine;
};

template <class R>
using ParseFunction = Parsed<R> (*)(const json::object&);

template <class R>
Parsed<Job<R>> make_job(const Face& face, const std::string& body, ParseFunction<R> parse) {
  auto document = parse_body(body);
  if (!document) return std::unexpected(std::move(document).error());
  auto request = parse(document->get_object());
  if (!request) return std::unexpected(std::move(request).error());
  request->engine.priority = allowed_priority(face.clients_may_hurry, request->engine.priority);
  auto model = find_model(face, request->model);
  if (!model) return std::unexpected(std::move(model).error());
  auto engine = prepare(**model, *request);
  if (!engine) return std::unexpected(std::move(engine).error());
  return Job<R>{std::move(*request), std::move(*model), std::move(*engine)};
}

// The sums over all prompts.
llm::Usage sum(const std::vector<llm::Usage>& all) {
  llm::Usage total;
  for (const llm::Usage& u : all) {
    total.prompt_tokens += u.prompt_tokens;
    total.cached_tokens += u.cached_tokens;
    total.completion_tokens += u.completion_tokens;
  }
  return total;
}

std::string sse(const std::string& json) { return json.empty() ? json : "data: " + json + "\n\n"; }

struct AnswerShape {
  size_t prompts = 0, choices_each = 1;
  bool include_usage = false;
};

void add_event(llm::Completion& answer, const llm::Event& e) {
  llm::Completion::Choice& choice = answer.choices[static_cast<size_t>(e.choice)];
  choice.text += e.text;
  choice.tokens.insert(choice.tokens.end(), e.tokens.begin(), e.tokens.end());
  if (e.finish) {
    choice.finish = *e.finish;
    choice.stop_string = e.stop_string;
    choice.stop_token = e.stop_token;
  }
  if (!e.prompt_logprobs.empty()) answer.prompt_logprobs = e.prompt_logprobs;
}

// Roughly, of the JSON: what passes this is written on a worker.
constexpr size_t kWrittenHereBytesMax = 64u << 10;
constexpr size_t kTokenJsonBytes = 100;

size_t json_bytes(const std::vector<llm::Completion>& answers) {
  size_t bytes = 0;
  const auto add = [&](const std::vector<llm::TokenInfo>& tokens) {
    for (const llm::TokenInfo& t : tokens) bytes += (1 + t.top.size()) * kTokenJsonBytes;
  };
  for (const llm::Completion& a : answers) {
    add(a.prompt_logprobs);
    for (const llm::Completion::Choice& c : a.choices) {
      bytes += c.text.size();
      add(c.tokens);
    }
  }
  return bytes;
}

awaitable<void> answer_whole(const Face& face, http::Exchange& x, Running& running, AnswerFormat& format,
                             AnswerShape shape) {
  std::vector<llm::Completion> answers(shape.prompts);
  for (llm::Completion& a : answers) a.choices.resize(shape.choices_each);
  std::vector<llm::Usage> usage(shape.prompts);
  while (!running.ended()) {
    const std::vector<TaggedEvent> events = co_await running.take();
    for (const TaggedEvent& e : events) {
      usage[e.prompt] = e.event.usage;
      if (e.event.error) {
        running.cancel();
        if (x.is_gone()) co_return;
        http::Response refusal = error_response(ApiError(*e.event.error));
        co_await x.respond(std::move(refusal));
        co_return;
      }
      add_event(answers[e.prompt], e.event);
    }
  }
  if (x.is_gone()) co_return;
  http::Response response;
  auto write = [&] { return format.whole(answers, sum(usage)); };
  if (json_bytes(answers) > kWrittenHereBytesMax)
    response.body = co_await face.workers.run(write);
  else
    response.body = write();
  co_await x.respond(std::move(response));
}

// One piece of a stream from the events that came together.
class StreamWriter {
 public:
  StreamWriter(AnswerFormat& format, AnswerShape shape)
      : format_(format), shape_(shape), opened_(shape.prompts * shape.choices_each), usage_(shape.prompts) {}

  std::string piece(const std::vector<TaggedEvent>& events) {
    std::string out;
    for (const TaggedEvent& e : events) {
      usage_[e.prompt] = e.event.usage;
      if (e.event.error) {
        failure_ = e.event.error;
        return out;
      }
      const size_t choice = e.prompt * shape_.choices_each + static_cast<size_t>(e.event.choice);
      if (!opened_[choice]) out += sse(format_.opening(choice));
      opened_[choice] = true;
      out += sse(format_.delta(e.prompt, choice, e.event, sum(usage_)));
    }
    return out;
  }
  std::string ending() {
    std::string out;
    if (failure_)
      out = sse(error_json(ApiError(*failure_)));
    else if (shape_.include_usage)
      out = sse(format_.usage_chunk(sum(usage_)));
    return out + "data: [DONE]\n\n";
  }
  const std::optional<Status>& failure() const { return failure_; }

 private:
  AnswerFormat& format_;
  AnswerShape shape_;
  std::vector<bool> opened_;
  std::vector<llm::Usage> usage_;
  std::optional<Status> failure_;
};

awaitable<void> answer_stream(http::Exchange& x, Running& running, AnswerFormat& format, AnswerShape shape) {
  StreamWriter writer(format, shape);
  bool begun = false;
  while (!running.ended() && !writer.failure()) {
    const std::vector<TaggedEvent> events = co_await running.take();
    const std::string piece = writer.piece(events);
    if (x.is_gone()) co_return;
    if (piece.empty()) continue;
    if (piece.size() > limits::kUnreadBytesMax) co_return;  // it came while the client read nothing: drop it
    if (!begun) begun = co_await x.begin_stream(kEventStream);
    if (!begun) co_return;
    const bool written = co_await x.write(piece);
    if (!written) co_return;
  }
  if (writer.failure() && !begun) {
    http::Response refusal = error_response(ApiError(*writer.failure()));
    co_await x.respond(std::move(refusal));
    co_return;
  }
  if (!begun) begun = co_await x.begin_stream(kEventStream);
  if (!begun) co_return;
  const std::string ending = writer.ending();
  const bool written = co_await x.write(ending);
  if (written) co_await x.end_stream();
}

template <class R>
awaitable<void> generate(const Face& face, http::Exchange& x, ParseFunction<R> parse, const char* id_prefix) {
  if (face.workers.full()) {
    http::Response refusal = error_response(too_busy());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  auto work = [&face, body = std::move(x.mutable_request().body), parse] { return make_job(face, body, parse); };
  Parsed<Job<R>> job = co_await run_on_model(face, std::move(work));
  if (!job) {
    http::Response refusal = error_response(job.error());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  x.note("model", job->model->name);
  const AnswerShape shape{job->engine.size(), static_cast<size_t>(job->request.engine.n), job->request.include_usage};
  std::vector<TokenIds> prompts;
  for (llm::Request& r : job->engine) {
    prompts.push_back(r.prompt);
    r.id = x.request().id;
    r.tenant = x.request().tenant;
  }
  FormatContext context{.id = id_prefix + x.request().id,
                        .model = job->model->name,
                        .created = std::time(nullptr),
                        .tokenizer = job->model->language->shared_tokenizer(),
                        .choices_each = shape.choices_each};
  const auto format = make_format(job->request, std::move(context), std::move(prompts));
  auto running = co_await Running::start(face.workers, job->model, std::move(job->engine), x, kPromptsAtOnce);
  if (!running) {
    http::Response refusal = error_response(running.error());
    co_await x.respond(std::move(refusal));
    co_return;
  }
  if (job->request.stream)
    co_await answer_stream(x, **running, *format, shape);
  else
    co_await answer_whole(face, x, **running, *format, shape);
}

}  // namespace

awaitable<void> handle_completions(const Face& face, http::Exchange& x) {
  co_await generate<CompletionRequest>(face, x, parse_completion, "cmpl-");
}

awaitable<void> handle_chat(const Face& face, http::Exchange& x) {
  co_await generate<ChatRequest>(face, x, parse_chat, "chatcmpl-");
}

}  // namespace ingot::openai
