// See bench_serve.h. One thread, one coroutine for each request in flight.
#include "cli/load/bench_serve.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>

#include "cli/load/grpc_client.h"
#include "cli/load/report.h"
#include "cli/option_checks.h"

namespace ingot::cli {
namespace {

using namespace load;
namespace asio = boost::asio;

constexpr int64_t kRequestsMax = 1000000, kTokensMax = 1 << 20, kConcurrencyMax = 60000;

const std::map<std::string, Api> kApis = {
    {"completions", Api::kCompletions}, {"chat", Api::kChat}, {"infer", Api::kInfer}};

const std::map<std::string, Protocol> kProtocols = {{"http", Protocol::kHttp}, {"kserve-grpc", Protocol::kGrpc}};
constexpr const char* kHttpUrl = "http://127.0.0.1:8000";
constexpr const char* kGrpcUrl = "grpc://127.0.0.1:8001";

std::string path_of(const load::Options& o) {
  switch (o.api) {
    case Api::kCompletions: return "/v1/completions";
    case Api::kChat: return "/v1/chat/completions";
    case Api::kInfer: return fmt::format("/v2/models/{}/infer", o.model);
  }
  return {};
}

// Sends the load. Lives as long as its event loop runs.
class Load {
 public:
  // grpc_target: where the protocol is gRPC.
  Load(const load::Options& options, const Target& target, const std::string& grpc_target)
      : o_(options), target_(target), grpc_target_(grpc_target) {}

  Result<std::vector<Record>> run() {
    Result<void> outcome;
    asio::co_spawn(loop_, [&]() -> asio::awaitable<void> { outcome = co_await prepare(); }, asio::detached);
    loop_.run();
    INGOT_TRY(std::move(outcome));
    for (int64_t i = 0; i < o_.warmup; ++i) warm_.push_back(o_.requests + i);
    records_.resize(static_cast<size_t>(o_.requests + o_.warmup));
    loop_.restart();
    asio::co_spawn(loop_, [&]() -> asio::awaitable<void> { co_await worker(warm_); }, asio::detached);
    loop_.run();
    for (int64_t i = 0; i < o_.warmup; ++i)
      if (const Record& r = records_[static_cast<size_t>(o_.requests + i)]; !r.error.empty())
        return error(Code::kUnavailable, "[bench] the first request failed, so none was measured: {}", r.error);

    loop_.restart();
    start_ = Clock::now();
    if (o_.rate > 0) {
      arrivals_ = arrivals(o_);
      asio::co_spawn(loop_, [&]() -> asio::awaitable<void> { co_await open_loop(); }, asio::detached);
    } else {
      for (int64_t i = 0; i < o_.requests; ++i) due_.push_back(i);
      for (int64_t i = 0; i < std::max<int64_t>(o_.concurrency, 1); ++i) spawn_worker();
    }
    loop_.run();
    records_.resize(static_cast<size_t>(o_.requests));
    return std::move(records_);
  }

 private:
  asio::awaitable<Result<void>> prepare() {
    if (o_.api != Api::kInfer) {
      load::Options words = o_;
      if (o_.protocol == Protocol::kGrpc) words.api = Api::kChat;  // KServe takes text, not token ids
      auto made = language_messages(words);
      if (!made) co_return std::unexpected(made.error());
      messages_ = std::move(*made);
      co_return Result<void>();
    }
    Result<std::string> metadata;
    if (o_.protocol == Protocol::kGrpc) {
      metadata = GrpcClient(loop_.get_executor(), grpc_target_, o_).metadata();
    } else {
      Client client(loop_.get_executor(), target_, o_);
      metadata = co_await client.get("/v2/models/" + o_.model);
    }
    if (!metadata) co_return std::unexpected(metadata.error());
    auto made = tensor_message(*metadata, o_);
    if (!made) co_return std::unexpected(made.error());
    messages_.push_back(std::move(*made));
    co_return Result<void>();
  }

  void spawn_worker() {
    ++workers_;
    asio::co_spawn(
        loop_,
        [this]() -> asio::awaitable<void> {
          co_await worker(due_);
          --workers_;
        },
        asio::detached);
  }

  // Sends what is due, one after the other, on one connection.
  asio::awaitable<void> worker(std::deque<int64_t>& due) {
    std::optional<Client> client;
    std::optional<GrpcClient> grpc;
    if (o_.protocol == Protocol::kGrpc)
      grpc.emplace(loop_.get_executor(), grpc_target_, o_);
    else
      client.emplace(loop_.get_executor(), target_, o_);
    while (!due.empty()) {
      const int64_t i = due.front();
      due.pop_front();
      const Message& message = messages_[static_cast<size_t>(i) % messages_.size()];
      Record record;
      if (grpc)
        record = co_await grpc->post(message);
      else
        record = co_await client->post(path_of(o_), message);
      // What waited for a free place in an open loop waited from its arrival on.
      if (!arrivals_.empty() && i < o_.requests) record.sent = arrival(i);
      records_[static_cast<size_t>(i)] = std::move(record);
    }
  }

  Clock::time_point arrival(int64_t i) const {
    return start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(arrivals_[static_cast<size_t>(i)]));
  }

  asio::awaitable<void> open_loop() {
    asio::steady_timer timer(loop_);
    for (int64_t i = 0; i < o_.requests; ++i) {
      timer.expires_at(arrival(i));
      co_await timer.async_wait(asio::use_awaitable);
      due_.push_back(i);
      if (o_.concurrency == 0 || workers_ < o_.concurrency) spawn_worker();
    }
  }

  const load::Options& o_;
  const Target& target_;
  const std::string& grpc_target_;
  asio::io_context loop_{1};
  std::vector<Message> messages_;
  std::vector<double> arrivals_;
  std::vector<Record> records_;
  std::deque<int64_t> warm_, due_;
  Clock::time_point start_;
  int64_t workers_ = 0;
};

Result<void> bench_serve(const load::Options& o) {
  if (o.api == Api::kInfer && o.model.empty()) return invalid("[cli] --api infer needs --model NAME");
  if (o.burst > 0 && o.rate == 0) return invalid("[cli] --burst needs --rate");
  Target target;
  std::string grpc_target;
  if (o.protocol == Protocol::kGrpc) {
    if (o.model.empty()) return invalid("[cli] --protocol kserve-grpc needs --model NAME");
    grpc_target = INGOT_TRY(GrpcClient::target_of(o.url));
  } else {
    target = INGOT_TRY(Target::parse(o.url));
  }
  const std::vector<Record> records = INGOT_TRY(Load(o, target, grpc_target).run());
  const Summary summary = Summary::of(records, o.goals);
  if (o.json)
    fmt::print("{}\n", boost::json::serialize(summary.json(o)));
  else
    fmt::print("{}", summary.text(o));
  if (summary.succeeded == 0) return error(Code::kUnavailable, "[bench] every request failed: {}", summary.first_error);
  return {};
}

}  // namespace

void add_bench_serve(CLI::App& bench, Action& action) {
  auto o = std::make_shared<load::Options>();
  CLI::App* c = bench.add_subcommand("serve", "A load on a server: time to first token, throughput, goodput");
  const auto integer = [c](const char* flags, int64_t& value, const char* help, int64_t low, int64_t high) {
    c->add_option(flags, value, help)->check(integer_in(low, high))->capture_default_str();
  };
  c->add_option("--url", o->url, fmt::format("The server; none: {}, with kserve-grpc {}", kHttpUrl, kGrpcUrl));
  c->add_option("--model", o->model, "Its name on the server; needed if there are several");
  c->add_option("--api-key", o->api_key, "Sent as Authorization: Bearer")->envname("INGOT_API_KEY");
  c->add_option("--api", o->api, "completions, chat (OpenAI) or infer (KServe)")
      ->transform(CLI::CheckedTransformer(kApis))
      ->default_str("completions");
  c->add_option(
       "--protocol", o->protocol,
       "http, or kserve-grpc (--url grpc://HOST:PORT): --api infer asks ModelInfer, the others ModelStreamInfer")
      ->transform(CLI::CheckedTransformer(kProtocols))
      ->default_str("http");
  integer("-n,--requests", o->requests, "Requests that are measured", 1, kRequestsMax);
  integer("--warmup", o->warmup, "Requests before them", 0, kRequestsMax);
  integer("-c,--concurrency", o->concurrency, "In flight at most; 0: 1, or no bound with --rate", 0, kConcurrencyMax);
  c->add_option("--rate", o->rate, "Requests a second, as a Poisson process; 0: each follows an answer")
      ->check(number_in(0, 1e6));
  integer("--burst", o->burst, "With --rate: so many at once, in equal distances", 0, kRequestsMax);
  integer("--input-tokens", o->input_tokens, "Random token ids of a prompt (chat: words)", 1, kTokensMax);
  integer("--output-tokens", o->output_tokens, "Tokens of an answer", 1, kTokensMax);
  integer("--prefix-tokens", o->prefix_tokens, "Of the prompt, shared with others", 0, kTokensMax);
  integer("--prefixes", o->prefixes, "Different shared prefixes", 1, kRequestsMax);
  integer("--vocabulary", o->vocabulary, "Random token ids are below", 1, 1 << 24);
  c->add_option("--data", o->data, "Prompts instead: a JSON string or an object of fields a line");
  integer("--batch", o->batch, "infer: size of dimensions without one", 1, 1 << 20);
  c->add_option("--seed", o->seed, "Of prompts and arrivals")->capture_default_str();
  c->add_option("--timeout", o->timeout_s, "Seconds of a request")->check(number_in(0.001, 1e6))->capture_default_str();
  c->add_option("--goal-ttft", o->goals.ttft, "Goodput: milliseconds to the first token")->check(number_in(0, 1e9));
  c->add_option("--goal-tpot", o->goals.tpot, "Goodput: milliseconds per output token")->check(number_in(0, 1e9));
  c->add_option("--goal-e2e", o->goals.e2e, "Goodput: milliseconds to the end")->check(number_in(0, 1e9));
  c->add_flag("--json", o->json, "One JSON object");
  c->footer(
      "\nExamples:\n"
      "  ingot bench serve -n 200 -c 16\n"
      "  ingot bench serve --rate 4 --input-tokens 1000 --output-tokens 128 --goal-ttft 2000 --goal-tpot 100\n"
      "  ingot bench serve -c 8 --input-tokens 1200 --prefix-tokens 1000 --prefixes 4\n"
      "  ingot bench serve --protocol kserve-grpc --model gemma -c 8\n"
      "  ingot bench serve --api infer --model resnet --batch 1 -n 1000 -c 8 --json");
  c->callback([o, &action] {
    if (o->url.empty()) o->url = o->protocol == Protocol::kGrpc ? kGrpcUrl : kHttpUrl;
    action = [o] { return bench_serve(*o); };
  });
}

}  // namespace ingot::cli
