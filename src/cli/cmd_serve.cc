// `ingot serve [MODEL …]`: the OpenAI and KServe interfaces over language and tensor models, in one process.
#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/option_checks.h"
#include "formats/onnx/onnx_import.h"
#include "formats/printable.h"
#include "llm/engine/engine.h"
#include "server/app.h"
#include "serving/config/apply_settings.h"
#include "text/chat/chat_template.h"

namespace ingot::cli {
namespace {

struct Options {
  ModelOptions model;
  std::vector<std::string> models;           // PATH or NAME=PATH
  std::vector<std::string> batches;          // NAME=ROWS
  std::map<std::string, int64_t> batch_max;  // the same, by name
  std::string repository, chat_template, control = "none", tool_format = "auto", reasoning_format = "auto";
  int64_t kv_tokens = 0;
  std::vector<std::string> aliases;  // NAME=MODEL
  int64_t memory_budget = 0, idle_unload_s = 0;
  llm::EngineOptions engine;
  bool no_prefix_cache = false, no_metrics = false;
  server::AppOptions app;
  int idle_s = 75, header_s = 15, body_s = 30, write_s = 30, drain_s = 60, delay_s = 0, poll_s = 15;
};

Result<std::string> read_text(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
}

// As templates name them.
boost::json::object special_token_texts(const Tokenizer& tokenizer) {
  boost::json::object texts;
  const SpecialTokens& s = tokenizer.special();
  const auto add = [&](const char* name, const std::optional<int>& id) {
    if (id) texts[name] = tokenizer.token_text(*id);
  };
  add("bos_token", s.bos);
  add("eos_token", s.eos);
  add("unk_token", s.unk);
  add("pad_token", s.pad);
  return texts;
}

Result<serving::Servable> load_language(const Options& o, const std::shared_ptr<ThreadPool>& pool,
                                        const serving::ModelSpec& spec, const serving::ModelVersion& version,
                                        const serving::OnProgress& on_progress) {
  ModelOptions m = o.model;
  m.model = version.path;
  m.pool = pool;
  m.on_progress = on_progress;
  llm::LoadedModel loaded = INGOT_TRY(load(m, o.kv_tokens, /*quiet=*/true));
  if (!o.chat_template.empty())
    loaded.chat_template =
        INGOT_TRY(ChatTemplate::parse(INGOT_TRY(read_text(o.chat_template)), special_token_texts(*loaded.tokenizer)));
  tools::Dialect dialect = tools::detect_dialect(loaded.chat_template ? loaded.chat_template->source() : "");
  if (const auto format = tools::tool_format_named(o.tool_format)) dialect.tool_format = *format;
  if (o.reasoning_format == "none") dialect.reasoning.reset();
  std::shared_ptr<llm::Engine> engine = INGOT_TRY(llm::Engine::create(std::move(loaded), o.engine));
  return serving::Servable{
      .name = spec.name, .version = version.number, .language = std::move(engine), .dialect = std::move(dialect)};
}

// Of all constants, also those that lie in other files.
size_t constant_bytes(const Graph& graph) {
  size_t bytes = 0;
  for (size_t i = 0; i < graph.num_values(); ++i)
    if (const Tensor* t = graph.constant(static_cast<ValueId>(i)); t && t->defined()) bytes += t->view().num_bytes();
  return bytes;
}

Result<serving::Servable> load_tensor(const Options& o, const std::shared_ptr<ThreadPool>& pool,
                                      const serving::ModelSpec& spec, const serving::ModelVersion& version) {
  Graph graph = INGOT_TRY(import_onnx(version.path));
  const size_t weights_bytes = constant_bytes(graph);
  const auto asked = o.batch_max.find(spec.name);
  serving::BatchOptions batch =
      serving::batch_options(spec.settings.get(), asked == o.batch_max.end() ? 0 : asked->second);
  auto session =
      INGOT_TRY(Session::create(std::move(graph), {.pool = pool, .backends = {&cpu_backend(), &ref_backend()}}));
  auto model = INGOT_TRY(serving::TensorModel::create(std::move(session), std::move(batch)));
  if (spec.settings) {
    INGOT_TRY(serving::check_ports(*spec.settings, *model));
    INGOT_TRY(serving::warm_up(*spec.settings, *model));
  }
  return serving::Servable{
      .name = spec.name, .version = version.number, .bytes = weights_bytes, .tensor = std::move(model)};
}

// "NAME=PATH" or "PATH"; a path may hold '=' if a file of that name exists.
Result<serving::ModelSpec> model_argument(const std::string& text) {
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos && text.find('/') > equals && !std::filesystem::exists(text);
  const std::string name = named ? text.substr(0, equals) : "";
  return serving::model_at(INGOT_TRY(resolve_model(named ? text.substr(equals + 1) : text)), name);
}

// --batch: each names a tensor model that is served.
Result<void> read_batches(Options& o) {
  for (const std::string& text : o.batches) {
    const size_t equals = text.rfind('=');
    const std::string name = text.substr(0, std::min(equals, text.size()));
    std::string rows = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (!integer_in(1, 1 << 20)(rows).empty())
      return invalid("[serve] --batch '{}': give NAME=ROWS, ROWS from 1 to {}", printable(text), 1 << 20);
    const auto model = std::ranges::find(o.app.models, name, &serving::ModelSpec::name);
    if (model == o.app.models.end() || model->kind != serving::ModelKind::kTensor)
      return invalid("[serve] --batch '{}': no tensor model of that name is served", printable(text));
    o.batch_max[name] = std::strtoll(rows.c_str(), nullptr, 10);
  }
  return {};
}

// Which models there are, and what is done with them.
Result<void> read_models(Options& o) {
  using server::ControlMode;
  server::RepositoryOptions& r = o.app.repository;
  r.folder = o.repository;
  r.poll = std::chrono::seconds(o.poll_s);
  r.mode = o.control == "explicit" ? ControlMode::kExplicit
           : o.control == "poll"   ? ControlMode::kPoll
                                   : ControlMode::kNone;
  if (!r.load.empty() && r.mode != ControlMode::kExplicit)
    return invalid(
        "[serve] --load-model '{}' goes with --model-control-mode explicit: in mode {} all models are loaded",
        printable(r.load.front()), o.control);
  for (const std::string& text : o.models) o.app.models.push_back(INGOT_TRY(model_argument(text)));
  if (!o.repository.empty())
    for (serving::ModelSpec& spec : INGOT_TRY(serving::scan_models(o.repository)))
      o.app.models.push_back(std::move(spec));
  if (o.app.models.empty() && (r.mode == ControlMode::kNone || r.folder.empty()))
    return invalid("[serve] there is nothing to serve: name a model, or a folder of models with --model-repository");
  return read_batches(o);
}

// --alias, --memory-budget, --idle-unload
Result<void> read_room(Options& o) {
  for (const std::string& text : o.aliases) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      return invalid("[serve] --alias '{}': give NAME=MODEL", printable(text));
    o.app.repository.aliases.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  o.app.repository.room = {.bytes_max = static_cast<size_t>(o.memory_budget),
                           .idle_max = std::chrono::seconds(o.idle_unload_s)};
  return {};
}

Result<void> serve(Options& o) {
  INGOT_TRY(read_models(o));
  INGOT_TRY(read_room(o));
  if (o.engine.batch_tokens < o.engine.sequences_max)
    return invalid("[serve] --batch-tokens {} is less than --max-sequences {}: a step gives each sequence a token",
                   o.engine.batch_tokens, o.engine.sequences_max);
  o.engine.prefix_cache = !o.no_prefix_cache;
  o.app.metrics = !o.no_metrics;
  o.app.http.idle_timeout = std::chrono::seconds(o.idle_s);
  o.app.http.header_timeout = std::chrono::seconds(o.header_s);
  o.app.http.body_timeout = std::chrono::seconds(o.body_s);
  o.app.http.write_timeout = std::chrono::seconds(o.write_s);
  o.app.drain_timeout = std::chrono::seconds(o.drain_s);
  o.app.shutdown_delay = std::chrono::seconds(o.delay_s);
  const int threads = o.model.threads > 0 ? o.model.threads : ThreadPool::default_threads();
  // Made by the first load, on the loading thread: threads made here would take the signals that run_app waits for.
  o.app.loader = [&o, threads, pool = std::shared_ptr<ThreadPool>()](
                     const serving::ModelSpec& spec, const serving::ModelVersion& version,
                     const serving::OnProgress& on_progress) mutable -> Result<serving::Servable> {
    if (!pool) pool = INGOT_TRY(ThreadPool::create(threads));
    if (spec.kind == serving::ModelKind::kTensor) return load_tensor(o, pool, spec, version);
    return load_language(o, pool, spec, version, on_progress);
  };
  return server::run_app(std::move(o.app));
}

void add_repository_options(CLI::App& c, Options& o) {
  c.add_option("--model-repository", o.repository, "A folder of models: all of them are served")->group("Repository");
  c.add_option("--model-control-mode", o.control,
               "none: all models are loaded at start, clients may not load and unload; poll: the same, and the "
               "repository is followed; explicit: only what --load-model or a client names is loaded")
      ->capture_default_str()
      ->check(one_of({"none", "poll", "explicit"}))
      ->group("Repository");
  c.add_option("--load-model", o.app.repository.load,
               "In mode explicit: a model to load at start (repeatable); * for all")
      ->allow_extra_args(false)
      ->group("Repository");
  c.add_option("--repository-poll-secs", o.poll_s, "Seconds between two looks at the repository, in mode poll")
      ->capture_default_str()
      ->check(integer_in(1, 86400))
      ->group("Repository");
  c.add_option("--alias", o.aliases, "NAME=MODEL: another name of a model, wherever models are named (repeatable)")
      ->type_name("NAME=MODEL")
      ->allow_extra_args(false)
      ->group("Repository");
  c.add_option(
       "--memory-budget", o.memory_budget,
       "Bytes of the files of all loaded models: for one more, those that were not used for longest are put away "
       "and come back when a request names them; 0: no budget")
      ->capture_default_str()
      ->check(integer_in(0, int64_t{1} << 50))
      ->group("Repository");
  c.add_option("--idle-unload", o.idle_unload_s,
               "Seconds after which a model that nobody uses is put away until a request names it; 0: never")
      ->capture_default_str()
      ->check(integer_in(0, 365 * 86400))
      ->group("Repository");
  c.add_option("--batch", o.batches,
               "NAME=ROWS: join requests to this tensor model into batches of so many rows (repeatable). Only for a "
               "model whose rows do not depend on each other, and whose config.pbtxt has no max_batch_size")
      ->type_name("NAME=ROWS")
      ->allow_extra_args(false)
      ->group("Repository");
}

void add_network_options(CLI::App& c, Options& o) {
  http::ServerOptions& h = o.app.http;
  const auto seconds = integer_in(1, 86400);
  c.add_option("--host", h.host, "Address to listen on; 0.0.0.0 or :: opens it to the network")
      ->capture_default_str()
      ->group("Network");
  c.add_option("--http-port", h.port, "Port of HTTP; 0: any free one")
      ->capture_default_str()
      ->check(integer_in(0, 65535))
      ->group("Network");
  c.add_option("--grpc-port", o.app.grpc.port, "Port of gRPC; 0: no gRPC; -1: any free one")
      ->capture_default_str()
      ->check(integer_in(-1, 65535))
      ->group("Network");
  c.add_option("--metrics-port", o.app.metrics_port, "Port of /metrics; 0: any free one")
      ->capture_default_str()
      ->check(integer_in(0, 65535))
      ->group("Network");
  c.add_flag("--no-metrics", o.no_metrics, "No port for metrics (/metrics of the HTTP port stays)")->group("Network");
  c.add_option("--http-threads", h.threads, "Threads of the network")
      ->capture_default_str()
      ->check(integer_in(1, 256))
      ->group("Network");
  c.add_option("--max-connections", h.connections_max, "More are refused with 503")
      ->capture_default_str()
      ->check(integer_in(1, 1 << 20))
      ->group("Network");
  c.add_option("--max-body-bytes", h.body_bytes_max, "Larger bodies are refused with 413")
      ->capture_default_str()
      ->check(integer_in(1, int64_t{1} << 40))
      ->group("Network");
  c.add_option("--max-bodies-bytes", h.bodies_bytes_max,
               "Bodies of all requests at once: what passes it is refused with 503")
      ->capture_default_str()
      ->check(integer_in(1, int64_t{1} << 46))
      ->group("Network");
  c.add_option("--idle-timeout", o.idle_s, "Seconds a connection may wait between requests")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
  c.add_option("--header-timeout", o.header_s, "Seconds in which a request's head must arrive")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
  c.add_option("--body-timeout", o.body_s,
               "Seconds in which its body must arrive (and one more for each 64 KiB that came)")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
  c.add_option("--write-timeout", o.write_s, "Seconds after which a client that reads nothing is dropped")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
}

void add_security_options(CLI::App& c, Options& o) {
  http::ServerOptions& h = o.app.http;
  c.add_option("--api-key-file", o.app.api_key_file, "Keys that clients must send, one a line; read again on change")
      ->group("Security");
  c.add_flag("--allow-priority", o.app.clients_may_hurry, "Clients may run ahead of others (a priority below 0)")
      ->group("Security");
  c.add_flag(
       "--shared-memory", o.app.shared_memory,
       "Clients on this machine may pass tensors in POSIX shared memory. Whoever may call can then read and write "
       "every such object of the server's user")
      ->group("Security");
  c.add_option("--cors-origin", h.cors_origins, "Web origin that may call (repeatable); * for any")->group("Security");
  c.add_option("--tls-cert", h.tls_certificate, "Certificate chain (PEM); with --tls-key: HTTPS")->group("Security");
  c.add_option("--tls-key", h.tls_key, "Its private key (PEM)")->group("Security");
}

void add_engine_options(CLI::App& c, Options& o) {
  c.add_option("--kv-tokens", o.kv_tokens, "Room of the KV cache over all sequences, in tokens; 0: one full context")
      ->capture_default_str()
      ->check(integer_in(0, int64_t{1} << 34))
      ->group("Engine");
  c.add_option("--max-sequences", o.engine.sequences_max, "Sequences that run at once")
      ->capture_default_str()
      ->check(integer_in(1, limits::kSequencesMax))
      ->group("Engine");
  c.add_option("--batch-tokens", o.engine.batch_tokens, "Tokens of one step, prompts and answers together")
      ->capture_default_str()
      ->check(integer_in(1, limits::kBatchTokensMax))
      ->group("Engine");
  c.add_option("--max-queue", o.engine.queue_requests_max, "Requests that may wait; more are refused with 429")
      ->capture_default_str()
      ->check(integer_in(1, 1 << 24))
      ->group("Engine");
  c.add_flag("--no-prefix-cache", o.no_prefix_cache, "Compute every prompt anew")->group("Engine");
  c.add_option("--chat-template", o.chat_template, "A Jinja file in place of the model's own template")
      ->check(CLI::ExistingFile)
      ->group("Engine");
  std::vector<std::string> formats{"auto"};
  for (const std::string_view name : tools::tool_format_names()) formats.emplace_back(name);
  c.add_option("--tool-format", o.tool_format, "How the model writes tool calls; auto: as its chat template shows")
      ->capture_default_str()
      ->check(CLI::IsMember(formats))
      ->group("Engine");
  c.add_option("--reasoning-format", o.reasoning_format,
               "auto: what stands in <think> is told apart, if the chat template knows it; none: it stays in the text")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "none"}))
      ->group("Engine");
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("serve", "Serve models over HTTP (OpenAI and KServe interfaces) and gRPC (KServe)");
  c->add_option("MODEL", o->models, "Models as PATH or NAME=PATH: GGUF, a Hugging Face folder, ONNX, hf:org/repo");
  add_repository_options(*c, *o);
  add_runner_options(*c, o->model);
  add_network_options(*c, *o);
  add_security_options(*c, *o);
  add_engine_options(*c, *o);
  c->add_option("--access-log", o->app.access_log, "JSON lines: a file, - for standard output, none")
      ->capture_default_str();
  c->add_option("--drain-timeout", o->drain_s, "Seconds that accepted requests get after SIGTERM")
      ->capture_default_str()
      ->check(integer_in(0, 86400));
  c->add_option("--shutdown-delay", o->delay_s, "Seconds after SIGTERM in which new requests are still answered")
      ->capture_default_str()
      ->check(integer_in(0, 86400));
  c->add_flag("--keep-going", o->app.keep_going, "Serve what loads, where a model does not");
  c->footer(
      "\nExamples:\n"
      "  ingot serve model.gguf\n"
      "  ingot serve chat=./Qwen3-0.6B vision=resnet.onnx --http-port 9000\n"
      "  ingot serve --model-repository ./models --host 0.0.0.0 --api-key-file keys.txt\n"
      "  curl localhost:8000/v1/completions -d '{\"prompt\": \"The capital of France is\"}'");
  c->callback([o, &action] { action = [o] { return serve(*o); }; });
}

}  // namespace ingot::cli
