#include "llm/model_runner.h"

#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "llm/engine_source.h"

namespace ingot {
namespace {

// Block tables grow in these steps, so that a decoding sequence keeps its shape signature for long.
constexpr int64_t kTableStep = 64;

TensorView vector_view(const std::vector<int32_t>& v) {
  return {DType::kI32, {static_cast<int64_t>(v.size())}, v.data()};
}

double page_bytes(const Graph& graph) {
  double bytes = 0;
  for (ValueId v : graph.states()) {
    const Type& t = graph.value(v).type;
    Shape page;
    for (const Dim& d : *t.dims) page.push_back(d.is_const() ? d.value() : 1);
    bytes += static_cast<double>(TensorView{t.dtype, page, nullptr}.num_bytes());
  }
  return bytes;
}

// A source without tensors has its weights in the graph; those that are not in its file are in memory already.
double weight_bytes(const Source& source, const Graph& graph) {
  double bytes = 0;
  for (const SourceTensor& t : source.tensors()) bytes += static_cast<double>(t.view.num_bytes());
  if (!source.tensors().empty()) return bytes;
  for (size_t i = 0; i < graph.num_values(); ++i)
    if (const Value& v = graph.value(static_cast<ValueId>(i)); v.file_backed)
      bytes += static_cast<double>(v.constant.view().num_bytes());
  return bytes;
}

// How many tokens the caches of a graph may hold in half of the memory that the weights leave.
int64_t tokens_that_fit(const Graph& graph, int64_t page_tokens, double weights_bytes) {
  const double page = page_bytes(graph);
  const double free = std::max(0.0, static_cast<double>(memory_bytes_available()) - weights_bytes);
  const double pages = page > 0 ? free / 2 / page : 1e18;
  return pages > 1e12 ? int64_t{1} << 40 : std::max<int64_t>(static_cast<int64_t>(pages), 1) * page_tokens;
}

// The graph of an engine file takes and gives what run() counts on; see ModelBuilder for both.
Result<void> check_graph(const Graph& graph, const ModelConfig& config, int64_t page_tokens, std::string_view path) {
  const auto fail = [&](std::string_view what) {
    return error(Code::kDataLoss, "[engine] '{}': its graph {}: make it again with `ingot compile`", path, what);
  };
  constexpr std::pair<std::string_view, int> kInputs[] = {{"token_ids", 1},   {"positions", 1},   {"query_start", 1},
                                                          {"context_len", 1}, {"block_table", 2}, {"logit_rows", 1},
                                                          {"hidden_rows", 1}};
  if (graph.inputs().size() != std::size(kInputs)) return fail(fmt::format("has {} inputs", graph.inputs().size()));
  for (size_t i = 0; i < std::size(kInputs); ++i) {
    const Value& v = graph.value(graph.inputs()[i]);
    if (v.name != kInputs[i].first || v.type.dtype != DType::kI32 || !v.type.ranked() ||
        v.type.rank() != kInputs[i].second)
      return fail(fmt::format("has '{}' {} for input {}", v.name, v.type.to_string(), i));
  }
  const int64_t widths[] = {config.vocab, config.width};
  if (graph.outputs().size() != 2) return fail(fmt::format("has {} outputs", graph.outputs().size()));
  for (size_t i : {0, 1}) {
    const Type& t = graph.value(graph.outputs()[i]).type;
    if (t.dtype != DType::kF32 || !t.ranked() || t.rank() != 2 || !(*t.dims)[1].is_const(widths[i]))
      return fail(fmt::format("gives {} for output {}", t.to_string(), i));
  }
  const Dim pages = Dim::symbol("pages");
  for (ValueId v : graph.states()) {
    const Type& t = graph.value(v).type;
    if (!t.ranked() || t.rank() != 4 || !((*t.dims)[0] == pages) || !(*t.dims)[1].is_const(page_tokens))
      return fail(fmt::format("has a cache {}", t.to_string()));
  }
  return {};
}

// Before anything is packed: what is refused late has thrown others out of memory.
Result<void> check_room(const LanguageModel& model, double weights_bytes, const RunnerOptions& o) {
  const int64_t context = o.context > 0 ? o.context : model.config.context;
  const auto tokens = static_cast<double>(o.kv_tokens > 0 ? o.kv_tokens : context);
  const double kv_bytes = tokens / static_cast<double>(o.page_tokens) * page_bytes(model.graph);
  constexpr double kMib = 1 << 20;
  return check_memory(
      fmt::format("this model ({:.0f} MiB of weights, {:.0f} MiB of KV cache)", weights_bytes / kMib, kv_bytes / kMib),
      weights_bytes + kv_bytes, "choose a smaller --ctx, --kv-tokens or --kv-type q8_0, or a smaller model");
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> ModelRunner::create(std::shared_ptr<const Source> source, const RunnerOptions& o) {
  LanguageModel model = INGOT_TRY(build_model(source, {o.kv_dtype, o.page_tokens, o.context}));
  if (o.context == 0) {
    // Nobody asked for this much: take what the machine has room for.
    const int64_t fits = tokens_that_fit(model.graph, o.page_tokens, weight_bytes(*source, model.graph));
    if (fits < model.config.context) {
      RunnerOptions smaller = o;
      smaller.context = fits;
      model = {};  // its weights may be copies
      return create(std::move(source), smaller);
    }
  }
  INGOT_TRY(check_room(model, weight_bytes(*source, model.graph), o));
  return create(std::move(model), o, {.store = o.recorder});
}

Result<std::unique_ptr<ModelRunner>> ModelRunner::create(LanguageModel model, const RunnerOptions& o,
                                                         SessionOptions session_options) {
  const int64_t context = o.context > 0 ? o.context : model.config.context;
  const int64_t tokens = std::max(o.kv_tokens > 0 ? o.kv_tokens : context, o.page_tokens);
  const int64_t num_pages = (tokens + o.page_tokens - 1) / o.page_tokens;
  if (num_pages > (int64_t{1} << 30)) return invalid("[llm] a KV cache of {} tokens is too large", tokens);
  session_options.pool = o.pool;
  session_options.backends = o.backends;
  session_options.state_symbols = {{"pages", num_pages}};
  session_options.state_advice = "choose a smaller --ctx or --kv-type q8_0";
  session_options.on_progress = o.on_progress;
  auto session = INGOT_TRY(Session::create(std::move(model.graph), std::move(session_options)));
  return std::unique_ptr<ModelRunner>(new ModelRunner(std::move(model.config), std::move(session), o, num_pages));
}

Result<std::unique_ptr<ModelRunner>> ModelRunner::create(EngineFile engine, const RunnerOptions& o) {
  const auto source = make_engine_source(engine.map);
  if (!source || engine.graph.states().empty())
    return error(Code::kFailedPrecondition, "[engine] '{}' holds no language model", engine.path);
  const DType kv_dtype = engine.graph.value(engine.graph.states()[0]).type.dtype;
  const int64_t made_for = INGOT_TRY(engine.number("context")), page_tokens = INGOT_TRY(engine.number("page_tokens"));
  if (kv_dtype != o.kv_dtype || page_tokens != o.page_tokens)
    return error(Code::kFailedPrecondition,
                 "[engine] '{}' has a {} KV cache in pages of {}, {} in pages of {} is asked for: make it again with "
                 "`ingot compile --kv-type {}`",
                 engine.path, dtype_name(kv_dtype), page_tokens, dtype_name(o.kv_dtype), o.page_tokens,
                 dtype_name(o.kv_dtype));
  if (o.context > made_for)
    return error(
        Code::kFailedPrecondition,
        "[engine] '{}' was made for a context of {}, {} is asked for: make it again with `ingot compile --ctx {}`",
        engine.path, made_for, o.context, o.context);
  LanguageModel model{std::move(engine.graph), {}};
  model.config = INGOT_TRY(read_config(*source, INGOT_TRY(read_architecture(*source))));
  model.config.vocab = INGOT_TRY(engine.number("vocab"));
  model.config.context = INGOT_TRY(engine.number("trained_context"));
  INGOT_TRY(check_graph(model.graph, model.config, page_tokens, engine.path));
  RunnerOptions options = o;
  if (o.context <= 0) options.context = std::min(made_for, tokens_that_fit(model.graph, o.page_tokens, 0));
  auto runner = INGOT_TRY(create(std::move(model), options, {.store = engine.store, .optimized = true}));
  INGOT_TRY(check_engine_kernels(engine, runner->session().plan()));
  return runner;
}

Result<void> ModelRunner::write_engine_file(const std::string& path, const Source& source,
                                            const PackedRecorder& recorder) const {
  return write_engine(path, {.plan = session_->plan(),
                             .packed = recorder,
                             .numbers = {{"context", context_},
                                         {"trained_context", config_.context},
                                         {"vocab", config_.vocab},
                                         {"page_tokens", pages_.page_tokens()}},
                             .describe = [&](GgufWriter& writer) { add_engine_source(writer, source); }});
}

ModelRunner::ModelRunner(ModelConfig config, std::unique_ptr<Session> session, const RunnerOptions& o,
                         int64_t num_pages)
    : config_(std::move(config)),
      session_(std::move(session)),
      pages_(num_pages, o.page_tokens),
      context_(o.context > 0 ? o.context : config_.context) {}

SeqId ModelRunner::add_sequence() {
  for (size_t i = 0; i < sequences_.size(); ++i)
    if (!sequences_[i].live) {
      sequences_[i] = {.live = true};
      return SeqId{static_cast<int32_t>(i)};
    }
  sequences_.push_back({.live = true});
  return SeqId{static_cast<int32_t>(sequences_.size() - 1)};
}

void ModelRunner::remove_sequence(SeqId seq) {
  truncate(seq, 0);
  at(seq).live = false;
}

void ModelRunner::truncate(SeqId seq, int64_t length) {
  Sequence& s = at(seq);
  INGOT_CHECK(s.live && length <= s.length);
  const size_t keep = static_cast<size_t>((length + pages_.page_tokens() - 1) / pages_.page_tokens());
  while (s.pages.size() > keep) {
    pages_.release(s.pages.back());
    s.pages.pop_back();
  }
  s.length = length;
}

Result<void> ModelRunner::check(std::span<const Slice> slices) const {
  for (const Slice& s : slices) {
    INGOT_CHECK(!s.tokens.empty());
    const int64_t end = s.start + static_cast<int64_t>(s.tokens.size());
    if (end > context_)
      return error(Code::kOutOfRange,
                   "[llm] a sequence of {} tokens passes the context of {}: shorten it or raise --ctx", end, context_);
    for (int32_t t : s.tokens)
      if (t < 0 || t >= config_.vocab)
        return invalid("[llm] token id {} is not in [0, {}): the tokenizer does not belong to these weights", t,
                       config_.vocab);
  }
  return {};
}

Result<void> ModelRunner::reserve(std::span<const Chunk> chunks) {
  int64_t needed = 0;
  auto missing = [&](const Chunk& c) {
    const int64_t end = at(c.seq).length + static_cast<int64_t>(c.tokens.size());
    return std::max<int64_t>(
        0, (end + pages_.page_tokens() - 1) / pages_.page_tokens() - static_cast<int64_t>(at(c.seq).pages.size()));
  };
  for (const Chunk& c : chunks) needed += missing(c);
  if (needed > pages_.num_free())
    return error(Code::kResourceExhausted, "[llm] the step needs {} pages of the KV cache, {} of {} are free", needed,
                 pages_.num_free(), pages_.num_pages());
  for (const Chunk& c : chunks)
    for (int64_t i = missing(c); i > 0; --i) at(c.seq).pages.push_back(INGOT_TRY(pages_.allocate()));
  return {};
}

void ModelRunner::fill_inputs(std::span<const Slice> slices) {
  token_ids_.clear();
  positions_.clear();
  query_start_.assign(1, 0);
  context_len_.clear();
  logit_rows_.clear();
  hidden_rows_.clear();
  size_t widest = 1;
  for (const Slice& s : slices) widest = std::max(widest, s.pages.size());
  table_width_ = (static_cast<int64_t>(widest) + kTableStep - 1) / kTableStep * kTableStep;
  block_table_.assign(slices.size() * static_cast<size_t>(table_width_), 0);
  for (size_t b = 0; b < slices.size(); ++b) {
    const Slice& s = slices[b];
    const auto count = static_cast<int64_t>(s.tokens.size());
    INGOT_CHECK(static_cast<int64_t>(s.pages.size()) * pages_.page_tokens() >= s.start + count);
    for (int64_t i = 0; i < count; ++i) positions_.push_back(static_cast<int32_t>(s.start + i));
    token_ids_.insert(token_ids_.end(), s.tokens.begin(), s.tokens.end());
    const auto end = static_cast<int32_t>(token_ids_.size());
    for (auto i = static_cast<int32_t>(std::min(s.logits, count)); i > 0; --i) logit_rows_.push_back(end - i);
    if (s.hidden)
      for (auto i = static_cast<int32_t>(count); i > 0; --i) hidden_rows_.push_back(end - i);
    query_start_.push_back(end);
    context_len_.push_back(static_cast<int32_t>(s.start + count));
    std::ranges::copy(s.pages, block_table_.begin() + static_cast<int64_t>(b) * table_width_);
  }
}

Result<StepOutput> ModelRunner::run(std::span<const Slice> slices, Profile* profile) {
  INGOT_TRY(check(slices));
  fill_inputs(slices);
  const TensorView table{DType::kI32, {static_cast<int64_t>(slices.size()), table_width_}, block_table_.data()};
  const TensorView inputs[] = {
      vector_view(token_ids_),  vector_view(positions_),  vector_view(query_start_), vector_view(context_len_), table,
      vector_view(logit_rows_), vector_view(hidden_rows_)};
  outputs_.reset();
  outputs_ = std::make_unique<Session::Outputs>(INGOT_TRY(session_->run(inputs, profile)));
  return StepOutput{(*outputs_)[0], (*outputs_)[1]};
}

Result<TensorView> ModelRunner::step(std::span<const Chunk> chunks, Profile* profile) {
  for (const Chunk& c : chunks) {
    INGOT_CHECK(at(c.seq).live);
    INGOT_CHECK(std::ranges::count(chunks, c.seq, &Chunk::seq) == 1);
    if (at(c.seq).length + static_cast<int64_t>(c.tokens.size()) <= context_) continue;
    const Slice too_long{.tokens = c.tokens, .start = at(c.seq).length};
    INGOT_TRY(check(std::span(&too_long, 1)));
  }
  INGOT_TRY(reserve(chunks));
  slices_.clear();
  for (const Chunk& c : chunks)
    slices_.push_back({.tokens = c.tokens, .start = at(c.seq).length, .pages = at(c.seq).pages, .logits = c.logits});
  const StepOutput out = INGOT_TRY(run(slices_, profile));
  for (const Chunk& c : chunks) at(c.seq).length += static_cast<int64_t>(c.tokens.size());
  return out.logits;
}

void ModelRunner::copy_page(int32_t from, int32_t to) {
  for (const TensorRef& state : session_->states()) {
    const size_t bytes = state.num_bytes() / static_cast<size_t>(pages_.num_pages());
    auto* base = static_cast<std::byte*>(state.data);
    std::memcpy(base + static_cast<size_t>(to) * bytes, base + static_cast<size_t>(from) * bytes, bytes);
  }
}

}  // namespace ingot
