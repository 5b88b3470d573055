#include "llm/model_runner.h"

#include <algorithm>

#include "base/memory.h"

namespace ingot {
namespace {

// Block tables grow in these steps, so that a decoding sequence keeps its shape signature for long.
constexpr int64_t kTableStep = 64;

TensorView vector_view(const std::vector<int32_t>& v) {
  return {DType::kI32, {static_cast<int64_t>(v.size())}, v.data()};
}

// How many tokens the caches of a graph may hold in half of the memory that is free.
int64_t tokens_that_fit(const Graph& graph, int64_t page_tokens) {
  double page_bytes = 0;
  for (ValueId v : graph.states()) {
    const Type& t = graph.value(v).type;
    Shape page;
    for (const Dim& d : *t.dims) page.push_back(d.is_const() ? d.value() : 1);
    page_bytes += static_cast<double>(TensorView{t.dtype, page, nullptr}.num_bytes());
  }
  const double pages = page_bytes > 0 ? static_cast<double>(memory_bytes_available()) / 2 / page_bytes : 1e18;
  return pages > 1e12 ? int64_t{1} << 40 : std::max<int64_t>(static_cast<int64_t>(pages), 1) * page_tokens;
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> ModelRunner::create(std::shared_ptr<const Source> source, const RunnerOptions& o) {
  LanguageModel model = INGOT_TRY(build_model(source, {o.kv_dtype, o.page_tokens, o.context}));
  const int64_t context = o.context > 0 ? o.context : model.config.context;
  if (o.context == 0) {
    // Nobody asked for this much: take what the machine has room for.
    const int64_t fits = tokens_that_fit(model.graph, o.page_tokens);
    if (fits < context) {
      RunnerOptions smaller = o;
      smaller.context = fits;
      return create(std::move(source), smaller);
    }
  }
  const int64_t tokens = std::max(o.kv_tokens > 0 ? o.kv_tokens : context, o.page_tokens);
  const int64_t num_pages = (tokens + o.page_tokens - 1) / o.page_tokens;
  if (num_pages > (int64_t{1} << 30)) return invalid("[llm] a KV cache of {} tokens is too large", tokens);
  SessionOptions session_options{
      .pool = o.pool, .backends = o.backends, .state_symbols = {{"pages", num_pages}}, .on_progress = o.on_progress};
  auto session = INGOT_TRY(Session::create(std::move(model.graph), std::move(session_options)));
  return std::unique_ptr<ModelRunner>(new ModelRunner(std::move(model.config), std::move(session), o, num_pages));
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

Result<void> ModelRunner::check(std::span<const Chunk> chunks) const {
  for (const Chunk& c : chunks) {
    INGOT_CHECK(!c.tokens.empty() && at(c.seq).live);
    INGOT_CHECK(std::ranges::count(chunks, c.seq, &Chunk::seq) == 1);
    const int64_t end = at(c.seq).length + static_cast<int64_t>(c.tokens.size());
    if (end > context_)
      return error(Code::kOutOfRange,
                   "[llm] a sequence of {} tokens passes the context of {}: shorten it or raise --ctx", end, context_);
    for (int32_t t : c.tokens)
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

void ModelRunner::fill_inputs(std::span<const Chunk> chunks) {
  token_ids_.clear();
  positions_.clear();
  query_start_.assign(1, 0);
  context_len_.clear();
  logit_rows_.clear();
  size_t widest = 1;
  for (const Chunk& c : chunks) widest = std::max(widest, at(c.seq).pages.size());
  table_width_ = (static_cast<int64_t>(widest) + kTableStep - 1) / kTableStep * kTableStep;
  block_table_.assign(chunks.size() * static_cast<size_t>(table_width_), 0);
  for (size_t b = 0; b < chunks.size(); ++b) {
    const Chunk& c = chunks[b];
    const Sequence& s = at(c.seq);
    for (size_t i = 0; i < c.tokens.size(); ++i)
      positions_.push_back(static_cast<int32_t>(s.length + static_cast<int64_t>(i)));
    token_ids_.insert(token_ids_.end(), c.tokens.begin(), c.tokens.end());
    const int32_t end = static_cast<int32_t>(token_ids_.size());
    for (int i = std::min<int>(c.logits, static_cast<int>(c.tokens.size())); i > 0; --i) logit_rows_.push_back(end - i);
    query_start_.push_back(end);
    context_len_.push_back(static_cast<int32_t>(s.length + static_cast<int64_t>(c.tokens.size())));
    std::ranges::copy(s.pages, block_table_.begin() + static_cast<int64_t>(b) * table_width_);
  }
}

Result<TensorView> ModelRunner::step(std::span<const Chunk> chunks, Profile* profile) {
  INGOT_TRY(check(chunks));
  INGOT_TRY(reserve(chunks));
  fill_inputs(chunks);
  const TensorView table{DType::kI32, {static_cast<int64_t>(chunks.size()), table_width_}, block_table_.data()};
  const TensorView inputs[] = {
      vector_view(token_ids_), vector_view(positions_), vector_view(query_start_), vector_view(context_len_), table,
      vector_view(logit_rows_)};
  outputs_.reset();
  outputs_ = std::make_unique<Session::Outputs>(INGOT_TRY(session_->run(inputs, profile)));
  for (const Chunk& c : chunks) at(c.seq).length += static_cast<int64_t>(c.tokens.size());
  return (*outputs_)[0];
}

}  // namespace ingot
