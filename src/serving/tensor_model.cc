#include "serving/tensor_model.h"

#include <algorithm>
#include <utility>

#include "base/guarded.h"
#include "formats/printable.h"
#include "serving/tensor_rows.h"

namespace ingot::serving {
namespace {

constexpr std::chrono::milliseconds kCancelLookEvery{50};  // while a batch waits for more: nobody is woken for it

TensorPort port_of(const Value& value) {
  TensorPort port{.name = value.name, .dtype = value.type.dtype, .ranked = value.type.ranked()};
  if (port.ranked)
    for (const Dim& d : *value.type.dims) port.shape.push_back(d.is_const() ? d.value() : -1);
  return port;
}

// What an output that is not copied keeps alive; freed in the order of need. An output may be an input unchanged.
struct Held {
  Held(std::vector<Tensor> i, std::shared_ptr<Session> s, Session::Outputs o)
      : inputs(std::move(i)), session(std::move(s)), outputs(std::move(o)) {}
  std::vector<Tensor> inputs;
  std::shared_ptr<Session> session;
  Session::Outputs outputs;
};

size_t bytes_of(const TensorView& t) {
  size_t bytes = t.num_bytes();
  if (t.dtype == DType::kString)
    for (int64_t i = 0; i < t.num_elements(); ++i) bytes += t.as<std::string>()[i].size();
  return bytes;
}

int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t d : shape) text += fmt::format("{}{}", text.size() > 1 ? "," : "", d);
  return text + "]";
}

std::string names_of(const std::vector<TensorPort>& ports) {
  std::string names;
  for (const TensorPort& p : ports) names += (names.empty() ? "" : ", ") + printable(p.name);
  return names;
}

Result<std::shared_ptr<TensorModel>> TensorModel::create(std::unique_ptr<Session> session, BatchOptions options) {
  std::shared_ptr<TensorModel> model(new TensorModel(std::move(session), std::move(options)));
  const Graph& graph = model->session_->graph();
  for (const auto* ids : {&graph.inputs(), &graph.outputs()})
    for (const ValueId id : *ids)
      if (const Value& v = graph.value(id); v.type.is_container())
        return unimplemented("[serve] '{}' is {}: only models of tensors are served", printable(v.name),
                             v.type.to_string());
  for (const ValueId id : graph.inputs()) model->inputs_.push_back(port_of(graph.value(id)));
  for (const ValueId id : graph.outputs()) model->outputs_.push_back(port_of(graph.value(id)));
  if (model->options_.batch_max > 0 && model->inputs_.empty())
    return invalid("[serve] a model without inputs has nothing to batch");
  if (model->options_.batch_max > 0)
    for (const auto* ports : {&model->inputs_, &model->outputs_})
      for (const TensorPort& p : *ports)
        if (!p.ranked || p.shape.empty() || p.shape.front() != -1)
          return invalid("[serve] tensor '{}' has shape {}: a model that batches needs a first dimension of any size",
                         printable(p.name), shape_text(p.shape));
  for (int i = 0; i < std::max(1, model->options_.instances); ++i)
    model->threads_.emplace_back([m = model.get()] { m->run(); });
  return model;
}

TensorModel::~TensorModel() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& t : threads_) t.join();
  for (Waiting& w : queue_) finish(w, error(Code::kUnavailable, "[serve] the model is being unloaded"));
}

Result<void> TensorModel::check_input(const TensorPort& port, const Tensor& tensor) const {
  if (tensor.dtype() != port.dtype)
    return invalid("[serve] input '{}' is {}, the model expects {}", printable(port.name), dtype_name(tensor.dtype()),
                   dtype_name(port.dtype));
  if (!port.ranked) return {};
  bool fits = tensor.shape().rank() == static_cast<int>(port.shape.size());
  for (int i = 0; fits && i < tensor.shape().rank(); ++i)
    fits = port.shape[static_cast<size_t>(i)] == -1 || port.shape[static_cast<size_t>(i)] == tensor.shape()[i];
  if (!fits)
    return invalid("[serve] input '{}' has shape {}, the model expects {}", printable(port.name),
                   tensor.shape().to_string(), shape_text(port.shape));
  return {};
}

Result<std::vector<Tensor>> TensorModel::check(TensorRequest& request) const {
  std::vector<Tensor> ordered(inputs_.size());
  for (NamedTensor& given : request.inputs) {
    const auto port = std::ranges::find(inputs_, given.name, &TensorPort::name);
    if (port == inputs_.end())
      return invalid("[serve] unexpected inference input '{}', allowed inputs are: {}", printable(given.name),
                     names_of(inputs_));
    Tensor& place = ordered[static_cast<size_t>(port - inputs_.begin())];
    if (place.defined()) return invalid("[serve] input '{}' is given twice", printable(given.name));
    INGOT_TRY(check_input(*port, given.tensor));
    place = std::move(given.tensor);
  }
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (!ordered[i].defined())
      return invalid("[serve] expected {} inputs but got {}: input '{}' is missing", inputs_.size(),
                     request.inputs.size(), printable(inputs_[i].name));
  for (const std::string& name : request.outputs)
    if (std::ranges::find(outputs_, name, &TensorPort::name) == outputs_.end())
      return invalid("[serve] unexpected inference output '{}', the model has: {}", printable(name),
                     names_of(outputs_));
  return ordered;
}

Result<void> TensorModel::submit(TensorRequest request) {
  Waiting w;
  w.inputs = INGOT_TRY(check(request));
  w.request = std::move(request);
  w.arrived = Clock::now();
  for (const Tensor& t : w.inputs) w.bytes += bytes_of(t);
  if (options_.batch_max > 0) {
    w.rows = w.inputs.front().shape()[0];
    for (const Tensor& t : w.inputs)
      if (t.shape()[0] != w.rows)
        return invalid("[serve] the inputs' first dimensions differ: {} and {} (it is the batch)", w.rows,
                       t.shape()[0]);
    if (w.rows < 1 || (options_.refuse_larger && w.rows > options_.batch_max))
      return invalid("[serve] inference request batch-size must be from 1 to {}, it is {}", options_.batch_max, w.rows);
  }
  return enqueue(std::move(w));
}

Result<void> TensorModel::enqueue(Waiting w) {
  const QueuePolicies& policies = options_.queue;
  w.level = w.request.priority == 0 ? policies.level_default : w.request.priority;
  if (policies.levels > 0 && w.level > policies.levels)
    return invalid("[serve] priority {} is out of range: the model has {} levels", w.level, policies.levels);
  if (policies.levels == 0) w.level = 0;
  const QueuePolicy& policy = policies.of(w.level);
  auto timeout = policy.timeout;
  const auto own = w.request.timeout;
  if (own.count() > 0 && policy.allow_shorter && (timeout.count() == 0 || own < timeout)) timeout = own;
  if (timeout.count() > 0 && !w.request.at_once) w.expiry = w.arrived + timeout;
  const std::lock_guard lock(mutex_);
  if (stop_) return error(Code::kUnavailable, "[serve] the model is being unloaded");
  const auto of_level = [&] { return std::ranges::count(queue_, w.level, &Waiting::level); };
  const bool level_full = policy.waiting_max > 0 && static_cast<uint64_t>(of_level()) >= policy.waiting_max;
  const bool bytes_full = !queue_.empty() && queue_bytes_ + w.bytes > options_.queue_bytes_max;
  if (queue_.size() >= options_.queue_max || level_full || bytes_full) {
    ++stats_.refused;
    return error(Code::kResourceExhausted,
                 "[serve] {} requests of {} bytes wait for this model already: try again later", queue_.size(),
                 queue_bytes_);
  }
  queue_bytes_ += w.bytes;
  const auto behind = [](const Waiting& one, const Waiting& other) {
    return std::pair(one.late, one.level) < std::pair(other.late, other.level);
  };
  queue_.insert(std::upper_bound(queue_.begin(), queue_.end(), w, behind), std::move(w));
  changed_.notify_one();
  return {};
}

// Ends what was cancelled or waited too long, and moves those behind the others that a policy only delays. The lock is
// held, and given back held.
void TensorModel::drop_waiting(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  Batch dropped, late;
  std::erase_if(queue_, [&](Waiting& w) {
    const bool cancelled = w.request.cancelled && w.request.cancelled->load();
    const bool expired = w.expiry && now >= *w.expiry;
    const bool over = w.request.deadline && now >= *w.request.deadline;
    if (!cancelled && !expired && !over) return false;
    w.started = now;
    w.late = expired && !cancelled && !over && options_.queue.of(w.level).delay_late;
    if (w.late)
      w.expiry.reset();
    else
      queue_bytes_ -= w.bytes;
    (w.late ? late : dropped).push_back(std::move(w));
    return true;
  });
  for (Waiting& w : late) queue_.push_back(std::move(w));
  if (dropped.empty()) return;
  lock.unlock();
  for (Waiting& w : dropped)
    finish(w, w.request.cancelled && w.request.cancelled->load()
                  ? error(Code::kCancelled, "[serve] the client cancelled the request")
                  : error(Code::kDeadlineExceeded, "[serve] the request waited longer than its timeout"));
  lock.lock();
}

TensorStats TensorModel::stats() const {
  const std::lock_guard lock(mutex_);
  TensorStats s = stats_;
  s.pending = queue_.size();
  return s;
}

bool TensorModel::fits(const Waiting& first, const Waiting& next) const {
  for (size_t i = 0; i < first.inputs.size(); ++i)
    if (!same_rows(first.inputs[i], next.inputs[i])) return false;
  return true;
}

bool TensorModel::is_full(int64_t rows) const {
  return rows >= options_.batch_max || std::ranges::find(options_.preferred, rows) != options_.preferred.end();
}

// Called and left with the lock held. Empty: the model ends.
TensorModel::Batch TensorModel::take_batch(std::unique_lock<std::mutex>& lock) {
  Batch batch;
  int64_t rows = 0;
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (stop_) return batch;
    drop_waiting(lock);
    if (stop_ || queue_.empty()) continue;
    if (options_.batch_max == 0) break;
    // From the oldest on: those that go with it. Others keep their turn.
    const auto until = queue_.front().arrived + options_.delay_max;
    auto wake = until;
    const auto now = Clock::now();
    rows = 0;
    for (const Waiting& w : queue_) {
      if (fits(queue_.front(), w) && rows + w.rows <= options_.batch_max) rows += w.rows;
      if (w.expiry) wake = std::min(wake, *w.expiry);
      if (w.request.deadline) wake = std::min(wake, *w.request.deadline);
      if (w.request.cancelled) wake = std::min(wake, now + kCancelLookEvery);
    }
    if (is_full(rows) || queue_.front().request.at_once || now >= until) break;
    changed_.wait_until(lock, wake);
  }
  batch.push_back(std::move(queue_.front()));
  queue_.pop_front();
  rows = batch.front().rows;
  for (auto at = queue_.begin(); options_.batch_max > 0 && at != queue_.end() && rows < options_.batch_max;) {
    if (!fits(batch.front(), *at) || rows + at->rows > options_.batch_max) {
      ++at;
      continue;
    }
    rows += at->rows;
    batch.push_back(std::move(*at));
    at = queue_.erase(at);
  }
  for (const Waiting& w : batch) queue_bytes_ -= w.bytes;
  if (!queue_.empty()) changed_.notify_one();  // for another instance
  return batch;
}

void TensorModel::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    Batch batch = take_batch(lock);
    lock.unlock();
    const auto now = Clock::now();
    for (Waiting& w : batch) w.started = now;
    if (!batch.empty()) execute(std::move(batch));
    lock.lock();
  }
}

void TensorModel::execute(Batch batch) {
  const auto attempt = [this](Batch& b) { return guarded("serve", [&] { return try_execute(b); }); };
  // Who was told already, before something was thrown, has no on_done left.
  const auto told = [](const Waiting& w) { return !w.request.on_done; };
  const auto done = attempt(batch);
  if (done) return;
  std::erase_if(batch, told);
  if (batch.empty()) return;
  if (batch.size() == 1) {
    finish(batch.front(), std::unexpected(done.error()));
    return;
  }
  for (Waiting& w : batch) {
    Batch alone;
    alone.push_back(std::move(w));
    const auto again = attempt(alone);
    if (!again && !told(alone.front())) finish(alone.front(), std::unexpected(again.error()));
  }
}

Result<void> TensorModel::try_execute(Batch& batch) {
  const auto start = Clock::now();
  std::vector<Tensor> joined;
  std::vector<TensorView> views;
  int64_t rows = 0;
  for (const Waiting& w : batch) rows += w.rows;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    std::vector<TensorView> parts;
    for (const Waiting& w : batch) parts.push_back(w.inputs[i]);
    joined.push_back(batch.size() == 1 ? batch.front().inputs[i] : join_rows(parts));
    views.push_back(joined.back());
  }
  const auto joined_at = Clock::now();
  Session::Outputs outputs = INGOT_TRY(session_->run(views));
  const auto held = std::make_shared<Held>(std::move(joined), session_, std::move(outputs));
  const auto ran_at = Clock::now();
  std::vector<TensorAnswer> answers(batch.size());
  for (size_t o = 0; o < outputs_.size(); ++o) {
    const TensorView whole = held->outputs[o];
    if (batch.size() > 1 && (whole.shape.rank() == 0 || whole.shape[0] != rows))
      return invalid("[serve] output '{}' of a batch of {} rows has shape {}", printable(outputs_[o].name), rows,
                     whole.shape.to_string());
    int64_t row = 0;
    for (size_t b = 0; b < batch.size(); ++b) {
      answers[b].outputs.push_back(
          {outputs_[o].name, batch.size() == 1 ? keep_or_copy(whole, held) : copy_rows(whole, row, batch[b].rows)});
      row += batch[b].rows;
    }
  }
  const auto end = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    BatchStats& b = stats_.batches[rows];
    ++stats_.executions;
    stats_.inferences += static_cast<uint64_t>(rows);
    stats_.last_inference_ms = unix_ms();
    b.input.add(joined_at - start);
    b.infer.add(ran_at - joined_at);
    b.output.add(end - ran_at);
    stats_.input.add(joined_at - start, batch.size());
    stats_.infer.add(ran_at - joined_at, batch.size());
    stats_.output.add(end - ran_at, batch.size());
  }
  for (size_t b = 0; b < batch.size(); ++b) finish(batch[b], std::move(answers[b]));
  return {};
}

void TensorModel::finish(Waiting& w, Result<TensorAnswer> answer) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    (answer ? stats_.success : stats_.fail).add(now - w.arrived);
    if (answer) stats_.queue.add(w.started - w.arrived);
  }
  if (answer && !w.request.outputs.empty()) {
    TensorAnswer wanted;
    for (const std::string& name : w.request.outputs)
      wanted.outputs.push_back(*std::ranges::find(answer->outputs, name, &NamedTensor::name));
    answer = std::move(wanted);
  }
  std::exchange(w.request.on_done, nullptr)(std::move(answer));
}

}  // namespace ingot::serving
