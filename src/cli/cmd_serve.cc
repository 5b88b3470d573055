// `ingot serve [MODEL …]`: the OpenAI and KServe interfaces over language and tensor models, in one process.
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <memory>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "formats/onnx/onnx_import.h"
#include "llm/engine/engine.h"
#include "server/app.h"
#include "serving/config/apply_settings.h"
#include "text/chat/chat_template.h"

namespace ingot::cli {
namespace {

// Rows of a tensor model's batch where its graph allows batches.
constexpr int64_t kBatchMax = 32;

struct Options {
  ModelOptions model;
  std::vector<std::string> models;  // PATH or NAME=PATH
  std::string repository, chat_template;
  int64_t kv_tokens = 0;
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

Result<serving::Servable> load_language(const Options& o, const serving::ModelSpec& spec,
                                        const serving::ModelVersion& version) {
  ModelOptions m = o.model;
  m.model = version.path;
  llm::LoadedModel loaded = INGOT_TRY(load(m, o.kv_tokens, /*quiet=*/true));
  if (!o.chat_template.empty())
    loaded.chat_template =
        INGOT_TRY(ChatTemplate::parse(INGOT_TRY(read_text(o.chat_template)), special_token_texts(*loaded.tokenizer)));
  std::shared_ptr<llm::Engine> engine = INGOT_TRY(llm::Engine::create(std::move(loaded), o.engine));
  return serving::Servable{.name = spec.name, .version = version.number, .language = std::move(engine)};
}

Result<serving::Servable> load_tensor(const std::shared_ptr<ThreadPool>& pool, const serving::ModelSpec& spec,
                                      const serving::ModelVersion& version) {
  Graph graph = INGOT_TRY(import_onnx(version.path));
  serving::BatchOptions batch = serving::batch_options(spec.settings.get(), graph, kBatchMax);
  auto session =
      INGOT_TRY(Session::create(std::move(graph), {.pool = pool, .backends = {&cpu_backend(), &ref_backend()}}));
  auto model = INGOT_TRY(serving::TensorModel::create(std::move(session), std::move(batch)));
  if (spec.settings) {
    INGOT_TRY(serving::check_ports(*spec.settings, *model));
    INGOT_TRY(serving::warm_up(*spec.settings, *model));
  }
  return serving::Servable{.name = spec.name, .version = version.number, .tensor = std::move(model)};
}

// "NAME=PATH" or "PATH"; a path may hold '=' if a file of that name exists.
Result<serving::ModelSpec> model_argument(const std::string& text) {
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos && text.find('/') > equals && !std::filesystem::exists(text);
  const std::string name = named ? text.substr(0, equals) : "";
  return serving::model_at(INGOT_TRY(resolve_model(named ? text.substr(equals + 1) : text)), name);
}

Result<void> serve(Options& o) {
  for (const std::string& text : o.models) o.app.models.push_back(INGOT_TRY(model_argument(text)));
  o.app.repository.folder = o.repository;
  if (!o.repository.empty())
    for (serving::ModelSpec& spec : INGOT_TRY(serving::scan_models(o.repository)))
      o.app.models.push_back(std::move(spec));
  if (o.app.models.empty() && o.app.repository.mode != server::ControlMode::kPoll &&
      o.app.repository.mode != server::ControlMode::kExplicit)
    return invalid("[serve] there is nothing to serve: name a model, or a folder of models with --model-repository");
  o.engine.prefix_cache = !o.no_prefix_cache;
  o.app.metrics = !o.no_metrics;
  o.app.http.idle_timeout = std::chrono::seconds(o.idle_s);
  o.app.http.header_timeout = std::chrono::seconds(o.header_s);
  o.app.http.body_timeout = std::chrono::seconds(o.body_s);
  o.app.http.write_timeout = std::chrono::seconds(o.write_s);
  o.app.repository.poll = std::chrono::seconds(o.poll_s);
  o.app.drain_timeout = std::chrono::seconds(o.drain_s);
  o.app.shutdown_delay = std::chrono::seconds(o.delay_s);
  const int threads = o.model.threads > 0 ? o.model.threads : ThreadPool::default_threads();
  o.app.loader = [&o, threads, pool = std::shared_ptr<ThreadPool>()](const serving::ModelSpec& spec,
                                                                     const serving::ModelVersion& version) mutable {
    if (spec.kind == serving::ModelKind::kLanguage) return load_language(o, spec, version);
    if (!pool) pool = std::make_shared<ThreadPool>(threads);
    return load_tensor(pool, spec, version);
  };
  return server::run_app(std::move(o.app));
}

void add_repository_options(CLI::App& c, Options& o) {
  using server::ControlMode;
  const std::map<std::string, ControlMode> modes = {{"open", ControlMode::kOpen},
                                                    {"none", ControlMode::kNone},
                                                    {"poll", ControlMode::kPoll},
                                                    {"explicit", ControlMode::kExplicit}};
  server::RepositoryOptions& r = o.app.repository;
  c.add_option("--model-control-mode", r.mode,
               "open: all models are loaded, clients may load and unload; none: all are loaded, and that is all; poll: "
               "the repository is followed; explicit: only what --load-model or a client names is loaded")
      ->transform(CLI::CheckedTransformer(modes, CLI::ignore_case))
      ->option_text("open|none|poll|explicit [open]")
      ->group("Repository");
  c.add_option("--repository-poll-secs", o.poll_s, "Seconds between two looks at the repository, in mode poll")
      ->capture_default_str()
      ->check(CLI::Range(1, 86400))
      ->group("Repository");
  c.add_option("--load-model", r.load, "In mode explicit: a model to load at start (repeatable); * for all")
      ->group("Repository");
}

void add_network_options(CLI::App& c, Options& o) {
  http::ServerOptions& h = o.app.http;
  const auto seconds = CLI::Range(1, 86400);
  c.add_option("--host", h.host, "Address to listen on; 0.0.0.0 or :: opens it to the network")
      ->capture_default_str()
      ->group("Network");
  c.add_option("--http-port", h.port, "Port of HTTP; 0: any free one")->capture_default_str()->group("Network");
  c.add_option("--grpc-port", o.app.grpc.port, "Port of gRPC; 0: no gRPC; -1: any free one")
      ->capture_default_str()
      ->check(CLI::Range(-1, 65535))
      ->group("Network");
  c.add_option("--metrics-port", o.app.metrics_port, "Port of /metrics; 0: any free one")
      ->capture_default_str()
      ->group("Network");
  c.add_flag("--no-metrics", o.no_metrics, "No port for metrics (/metrics of the HTTP port stays)")->group("Network");
  c.add_option("--http-threads", h.threads, "Threads of the network")
      ->capture_default_str()
      ->check(CLI::Range(1, 256))
      ->group("Network");
  c.add_option("--max-connections", h.connections_max, "More are refused with 503")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20))
      ->group("Network");
  c.add_option("--max-body-bytes", h.body_bytes_max, "Larger bodies are refused with 413")
      ->capture_default_str()
      ->group("Network");
  c.add_option("--idle-timeout", o.idle_s, "Seconds a connection may wait between requests")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
  c.add_option("--header-timeout", o.header_s, "Seconds in which a request's head must arrive")
      ->capture_default_str()
      ->check(seconds)
      ->group("Network");
  c.add_option("--body-timeout", o.body_s, "Seconds in which its body must arrive (and one more for each 64 KiB)")
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
  c.add_option("--cors-origin", h.cors_origins, "Web origin that may call (repeatable); * for any")->group("Security");
  c.add_option("--tls-cert", h.tls_certificate, "Certificate chain (PEM); with --tls-key: HTTPS")->group("Security");
  c.add_option("--tls-key", h.tls_key, "Its private key (PEM)")->group("Security");
}

void add_engine_options(CLI::App& c, Options& o) {
  c.add_option("--kv-tokens", o.kv_tokens, "Room of the KV cache over all sequences, in tokens; 0: one full context")
      ->capture_default_str()
      ->group("Engine");
  c.add_option("--max-sequences", o.engine.sequences_max, "Sequences that run at once")
      ->capture_default_str()
      ->group("Engine");
  c.add_option("--batch-tokens", o.engine.batch_tokens, "Tokens of one step, prompts and answers together")
      ->capture_default_str()
      ->group("Engine");
  c.add_option("--max-queue", o.engine.queue_requests_max, "Requests that may wait; more are refused with 429")
      ->capture_default_str()
      ->group("Engine");
  c.add_flag("--no-prefix-cache", o.no_prefix_cache, "Compute every prompt anew")->group("Engine");
  c.add_option("--chat-template", o.chat_template, "A Jinja file in place of the model's own template")
      ->check(CLI::ExistingFile)
      ->group("Engine");
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("serve", "Serve models over HTTP (OpenAI and KServe interfaces) and gRPC (KServe)");
  c->add_option("MODEL", o->models, "Models as PATH or NAME=PATH: GGUF, a Hugging Face folder, ONNX, hf:org/repo");
  c->add_option("--model-repository", o->repository, "A folder of models: all of them are served");
  add_repository_options(*c, *o);
  add_runner_options(*c, o->model);
  add_network_options(*c, *o);
  add_security_options(*c, *o);
  add_engine_options(*c, *o);
  c->add_option("--access-log", o->app.access_log, "JSON lines: a file, - for standard output, none")
      ->capture_default_str();
  c->add_option("--drain-timeout", o->drain_s, "Seconds that accepted requests get after SIGTERM")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  c->add_option("--shutdown-delay", o->delay_s, "Seconds after SIGTERM in which new requests are still answered")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
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
