// Runs a language model's graph over ragged batches of sequences with a paged KV cache.
//
// The runner owns the session, the pages and what each sequence has in the cache; it knows tokens, not text, and
// decides nothing: which sequences run in a step is the caller's choice. Thread-safety: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "llm/kv_pages.h"
#include "models/model.h"
#include "plan/engine_file.h"
#include "runtime/session.h"

namespace ingot {

enum class SeqId : int32_t {};

struct RunnerOptions {
  std::shared_ptr<ThreadPool> pool;
  std::vector<const Backend*> backends;  // best first
  DType kv_dtype = DType::kF16;
  int64_t page_tokens = 16;
  int64_t context = 0;    // longest sequence; 0 = what the model was trained for, or what half the free memory holds
  int64_t kv_tokens = 0;  // room in the cache over all sequences; 0 = one full context
  std::function<void(size_t bytes, size_t bytes_total)> on_progress;  // while weights are packed; may be empty
  std::shared_ptr<PackedRecorder> recorder;                           // keeps the packed weights for write_engine()
};

// One sequence's part of a step, of a sequence that the runner keeps.
struct Chunk {
  SeqId seq;
  std::span<const int32_t> tokens;  // appended to what the sequence has in the cache; at least one
  int logits = 1;                   // of how many last tokens logits are wanted (at most all), 0 = none
};

// The same of a sequence that the caller keeps: it says where keys and values are and go.
struct Slice {
  std::span<const int32_t> tokens;  // at positions start, start + 1, …; at least one
  int64_t start = 0;                // tokens of the sequence that are in its pages already
  std::span<const int32_t> pages;   // room for start + tokens.size() tokens at least
  int64_t logits = 1;               // of how many last tokens logits are wanted, 0 = none
  bool hidden = false;              // the final hidden states of all its tokens, too
};

// Views, valid until the next step.
struct StepOutput {
  TensorView logits;  // [rows, V] f32, in the order of the slices
  TensorView hidden;  // [tokens, E] f32, likewise
};

class ModelRunner {
 public:
  static Result<std::unique_ptr<ModelRunner>> create(std::shared_ptr<const Source> source,
                                                     const RunnerOptions& options);
  // From an engine file. Errors besides: kFailedPrecondition where an option differs from what the file was made with.
  static Result<std::unique_ptr<ModelRunner>> create(EngineFile engine, const RunnerOptions& options);
  // Writes what was created with options.recorder.
  Result<void> write_engine_file(const std::string& path, const Source& source, const PackedRecorder& recorder) const;

  SeqId add_sequence();
  void remove_sequence(SeqId seq);
  // Forgets what is past `length`. length <= length(seq).
  void truncate(SeqId seq, int64_t length);
  int64_t length(SeqId seq) const { return static_cast<int64_t>(at(seq).length); }

  // Runs one step. Returns the wanted logits, [rows, V], in the order of the chunks; valid until the next step.
  // Errors: kResourceExhausted when pages lack (nothing ran, nothing changed), kOutOfRange past the context,
  // kInvalidArgument for a token id outside the vocabulary.
  Result<TensorView> step(std::span<const Chunk> chunks, Profile* profile = nullptr);

  // The same for sequences that the caller keeps, in pages that it took from pages().
  // Errors: kOutOfRange past the context, kInvalidArgument for a token id outside the vocabulary.
  Result<StepOutput> run(std::span<const Slice> slices, Profile* profile = nullptr);
  // Copies a page's keys and values in every layer. Not during a step.
  void copy_page(int32_t from, int32_t to);

  const ModelConfig& config() const { return config_; }
  int64_t context() const { return context_; }
  int64_t vocab() const { return config_.vocab; }
  const Session& session() const { return *session_; }
  const KvPages& pages() const { return pages_; }
  KvPages& pages() { return pages_; }

 private:
  struct Sequence {
    bool live = false;
    int64_t length = 0;
    std::vector<int32_t> pages;
  };
  ModelRunner(ModelConfig config, std::unique_ptr<Session> session, const RunnerOptions& options, int64_t num_pages);
  const Sequence& at(SeqId s) const { return sequences_[static_cast<size_t>(s)]; }
  Sequence& at(SeqId s) { return sequences_[static_cast<size_t>(s)]; }
  static Result<std::unique_ptr<ModelRunner>> create(LanguageModel model, const RunnerOptions& options,
                                                     SessionOptions session_options);
  Result<void> check(std::span<const Slice> slices) const;
  Result<void> reserve(std::span<const Chunk> chunks);
  void fill_inputs(std::span<const Slice> slices);

  ModelConfig config_;
  std::unique_ptr<Session> session_;
  KvPages pages_;
  int64_t context_;
  std::vector<Sequence> sequences_;
  std::unique_ptr<Session::Outputs> outputs_;
  // The step's inputs, kept between steps.
  std::vector<int32_t> token_ids_, positions_, query_start_, context_len_, block_table_, logit_rows_, hidden_rows_;
  std::vector<Slice> slices_;
  int64_t table_width_ = 0;
};

}  // namespace ingot
