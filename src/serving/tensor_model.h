// A tensor model that answers: named tensors in, named tensors out, batched with others where that is asked for.
//
// Requests wait in a bounded queue; a thread for each instance takes them, joins those of equal shapes along the first
// dimension, runs the session and hands each its rows. No graph says whether its rows are independent (a mean over the
// first dimension would mix strangers' data), so nothing is joined unless BatchOptions says so. A batch that fails is
// run again one by one, so one bad request fails alone. Feeds the KServe faces. Ownership: owns session and threads.
// Thread-safety: every member from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/session.h"
#include "serving/queue_policy.h"
#include "tensor/tensor.h"

namespace ingot::serving {

using Clock = std::chrono::steady_clock;

struct TensorPort {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // whole, the batch included; -1: any size
  bool ranked = true;          // false: not even the rank is known
};

std::string shape_text(const std::vector<int64_t>& shape);   // "[-1,3]"
std::string names_of(const std::vector<TensorPort>& ports);  // "x, y"

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct TensorAnswer {
  std::vector<NamedTensor> outputs;
};

struct TensorRequest {
  std::vector<NamedTensor> inputs;   // each of the model's once, in any order
  std::vector<std::string> outputs;  // wanted, in this order; empty: all
  std::optional<Clock::time_point> deadline;
  std::chrono::microseconds timeout{0};  // in the queue, where the model's policy lets it count; 0: the policy's
  bool at_once = false;                  // no batch is waited for, and no time in the queue counts
  uint64_t priority = 0;                 // 1 is the first served; 0: the model's default
  // Set from any thread when nobody wants the answer any more: what has not begun then ends with kCancelled. May be
  // null.
  std::shared_ptr<const std::atomic<bool>> cancelled;
  // Called once, on a thread of the model: it must neither block nor throw.
  std::function<void(Result<TensorAnswer>)> on_done;
};

struct BatchOptions {
  // Rows of a batch; 0: requests run one by one. Only for a model whose rows do not depend on each other: its owner
  // says so, nothing checks it.
  int64_t batch_max = 0;
  bool refuse_larger = false;      // a request of more rows is refused; otherwise it runs alone
  std::vector<int64_t> preferred;  // sizes that are not waited beyond
  std::chrono::microseconds delay_max{0};
  size_t queue_max = 1024;                     // requests
  size_t queue_bytes_max = size_t{512} << 20;  // of their inputs; one request is always taken
  int instances = 1;                           // batches that run at once
  QueuePolicies queue;
};

struct Duration {
  uint64_t count = 0, ns = 0;
  void add(Clock::duration d, uint64_t n = 1) {
    count += n;
    ns += static_cast<uint64_t>(std::chrono::nanoseconds(d).count()) * n;
  }
};

struct BatchStats {
  Duration input, infer, output;
};

// Triton's statistics. Requests count once, inferences by their rows, executions by runs of the session.
struct TensorStats {
  uint64_t inferences = 0, executions = 0, pending = 0, refused = 0;
  int64_t last_inference_ms = 0;  // Unix time
  Duration success, fail, queue, input, infer, output;
  std::map<int64_t, BatchStats> batches;  // by rows
};

class TensorModel {
 public:
  // Where options.batch_max is not 0, every input and output must have a first dimension of any size.
  // Errors: kInvalidArgument.
  static Result<std::shared_ptr<TensorModel>> create(std::unique_ptr<Session> session, BatchOptions options);
  ~TensorModel();  // what still waits fails with kUnavailable
  TensorModel(const TensorModel&) = delete;
  TensorModel& operator=(const TensorModel&) = delete;

  const std::vector<TensorPort>& inputs() const { return inputs_; }
  const std::vector<TensorPort>& outputs() const { return outputs_; }
  const BatchOptions& options() const { return options_; }

  // Checks and queues. After an error on_done is not called.
  // Errors: kInvalidArgument (names, types, shapes), kResourceExhausted (queue full), kUnavailable (ending).
  Result<void> submit(TensorRequest request);
  TensorStats stats() const;

 private:
  struct Waiting {
    TensorRequest request;
    uint64_t level = 0;                       // of priority
    std::optional<Clock::time_point> expiry;  // of its time in the queue
    bool late = false;                        // it waited too long, and goes behind the others
    std::vector<Tensor> inputs;               // in the graph's order
    int64_t rows = 1;
    size_t bytes = 0;
    Clock::time_point arrived, started;
  };
  using Batch = std::vector<Waiting>;

  TensorModel(std::unique_ptr<Session> session, BatchOptions options)
      : session_(std::move(session)), options_(std::move(options)) {}
  Result<std::vector<Tensor>> check(TensorRequest& request) const;
  Result<void> check_input(const TensorPort& port, const Tensor& tensor) const;
  void run();
  Result<void> enqueue(Waiting w);
  void drop_waiting(std::unique_lock<std::mutex>& lock);
  Batch take_batch(std::unique_lock<std::mutex>& lock);
  bool fits(const Waiting& first, const Waiting& next) const;
  bool is_full(int64_t rows) const;
  void execute(Batch batch);
  Result<void> try_execute(Batch& batch);
  void finish(Waiting& w, Result<TensorAnswer> answer);

  std::shared_ptr<Session> session_;  // outputs that are not copied keep it
  BatchOptions options_;
  std::vector<TensorPort> inputs_, outputs_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> queue_;
  size_t queue_bytes_ = 0;
  TensorStats stats_;
  bool stop_ = false;
  std::vector<std::thread> threads_;  // one for each instance
};

}  // namespace ingot::serving
