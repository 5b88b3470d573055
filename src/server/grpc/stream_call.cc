#include "server/grpc/stream_call.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "formats/printable.h"
#include "server/grpc/infer_call.h"
#include "server/kserve/face.h"

namespace ingot::rpc {
namespace {

constexpr int kRequestsAtOnce = 64;  // of one stream; more are read when these end

}  // namespace

StreamCall::StreamCall(Face& face, grpc::CallbackServerContext& context)
    : face_(face),
      context_(context),
      scope_(face, context, "ModelStreamInfer"),
      deadline_(deadline_of(context)),
      errors_end_stream_(metadata_value(context, "triton_grpc_error") == "true"),
      strand_(boost::asio::make_strand(face.answers)),
      write_deadline_(strand_) {}

StreamCall* StreamCall::start(Face& face, grpc::CallbackServerContext& context) {
  const std::shared_ptr<StreamCall> call(new StreamCall(face, context));
  call->self_ = call;
  if (const auto admitted = call->scope_.admit(); !admitted) {
    call->scope_.note_end(admitted);
    call->over_ = call->finished_ = true;
    call->Finish(to_grpc(admitted));
    return call.get();
  }
  {
    const std::lock_guard lock(face.mutex);
    face.streams.insert(call.get());
  }
  if (face.draining.load()) call->drain();
  call->on_strand([](StreamCall& c) { c.read_next(); });
  return call.get();
}

// Runs f on the strand; what it throws ends the stream.
template <class F>
void StreamCall::on_strand(F f) {
  boost::asio::post(strand_, [self = shared_from_this(), f = std::move(f)]() mutable {
    const auto done = guarded("grpc", [&]() -> Result<void> {
      f(*self);
      return {};
    });
    if (!done) self->stop(done.error());
  });
}

void StreamCall::drain() {
  on_strand([](StreamCall& c) {
    c.draining_ = true;
    c.end_if_done();
  });
}

void StreamCall::OnReadDone(bool ok) {
  on_strand([ok](StreamCall& c) {
    c.reads_pending_ = false;
    if (!ok) c.reads_ended_ = true;
    if (ok && !c.over_) c.handle(std::move(c.reading_));
    c.read_next();
    c.end_if_done();
  });
}

void StreamCall::OnWriteDone(bool ok) {
  on_strand([ok](StreamCall& c) {
    c.writing_ = false;
    c.write_deadline_.disarm();
    c.out_bytes_ -= c.out_.front().bytes;
    c.scope_.note_bytes(0, c.out_.front().bytes);
    c.out_.pop_front();
    if (!ok && !c.over_) c.stop({Code::kCancelled, "[grpc] the client is gone"});
    c.write_next();
    c.read_next();
    c.end_if_done();
  });
}

void StreamCall::OnCancel() {
  cancelled_->store(true);
  on_strand([](StreamCall& c) {
    if (!c.finished_) c.stop({Code::kCancelled, "[grpc] the client cancelled the stream"});
  });
}

void StreamCall::OnDone() {
  {
    const std::lock_guard lock(face_.mutex);
    face_.streams.erase(this);
  }
  on_strand([](StreamCall& c) { c.self_.reset(); });
}

void StreamCall::read_next() {
  if (reads_pending_ || reads_ended_ || over_ || finished_ || active_ >= kRequestsAtOnce ||
      out_bytes_ > limits::kUnreadBytesMax)
    return;
  reads_pending_ = true;
  reading_ = std::make_unique<Request>();
  StartRead(reading_.get());
}

void StreamCall::handle(std::unique_ptr<Request> request) {
  const size_t bytes = request->ByteSizeLong();
  scope_.note_bytes(bytes, 0);
  ++active_;
  auto taken = std::make_shared<http::BodyCharge>(face_.messages);
  const auto room = charge(face_, *taken, bytes);
  if (draining_) {
    send_failure(request->id(), shutting_down());
    return request_ended();
  }
  const auto slot = std::make_shared<Slot>();  // now: answers come in the order of the requests
  slot->taken = taken;
  slots_.push_back(slot);
  if (!room) return fill(slot, failure_of(request->id(), room.error()));
  bool comes = false;
  auto model = kserve::use_model(face_.to.models, request->model_name(), request->model_version(), comes);
  if (!model && comes) {
    const std::shared_ptr<Request> waiting = std::move(request);
    return acquire(face_, waiting->model_name(), waiting->model_version(),
                   [self = shared_from_this(), waiting, slot](auto found) {
                     self->on_strand([waiting, slot, f = std::move(found)](StreamCall& c) mutable {
                       if (c.over_) return c.request_ended();
                       c.begin(std::make_unique<Request>(std::move(*waiting)), std::move(f), slot);
                     });
                   });
  }
  begin(std::move(request), std::move(model), slot);
}

void StreamCall::begin(std::unique_ptr<Request> request, Result<std::shared_ptr<serving::Servable>> model,
                       const std::shared_ptr<Slot>& slot) {
  if (!model) return fill(slot, failure_of(request->id(), model.error()));
  scope_.note_model((*model)->name);
  if ((*model)->language) {
    slot->free = true;
    send_filled();
    return generate(std::move(request), std::move(*model), std::move(slot->taken));
  }
  slot->model = std::move(*model);
  infer(*request, slot);
}

void StreamCall::generate(std::unique_ptr<Request> request, std::shared_ptr<serving::Servable> model,
                          std::shared_ptr<http::BodyCharge> taken) {
  const std::string id = request->id();
  boost::asio::co_spawn(strand_, generate_on(shared_from_this(), std::move(request), std::move(model)),
                        [self = shared_from_this(), id, taken = std::move(taken)](const std::exception_ptr& thrown) {
                          try {
                            if (thrown) std::rethrow_exception(thrown);
                          } catch (const std::exception& e) {
                            self->send_failure(id, {Code::kInternal, fmt::format("[grpc] {}", e.what())});
                          }
                          self->request_ended();
                        });
}

void StreamCall::infer(Request& message, const std::shared_ptr<Slot>& slot) {
  const std::string id = message.id();
  Result<void> begun;
  if (auto parsed = read_infer(message, face_.to.regions)) {
    serving::TensorRequest tensors = std::move(parsed->tensors);
    if (deadline_ && (!tensors.deadline || *deadline_ < *tensors.deadline)) tensors.deadline = deadline_;
    tensors.cancelled = cancelled_;
    auto request = std::make_shared<kserve::InferRequest>(std::move(*parsed));
    auto done = [self = shared_from_this(), request, slot](Result<serving::TensorAnswer> tensors_out) {
      self->on_strand([request, slot, out = std::move(tensors_out)](StreamCall& c) mutable {
        --c.in_model_;
        c.answer(*request, slot, std::move(out));
      });
    };
    ++in_model_;
    begun = submit(face_, *slot->model, std::move(tensors), std::move(done));
    if (!begun) --in_model_;
  } else {
    begun = std::unexpected(parsed.error());
  }
  if (!begun) fill(slot, failure_of(id, begun.error()));
}

void StreamCall::answer(const kserve::InferRequest& request, const std::shared_ptr<Slot>& slot,
                        Result<serving::TensorAnswer> answer) {
  Response response;
  Result<void> written;
  if (answer)
    written = write_infer(request, *answer, *slot->model, *response.mutable_infer_response());
  else
    written = std::unexpected(answer.error());
  (*response.mutable_infer_response()->mutable_parameters())["triton_final_response"].set_bool_param(true);
  slot->model.reset();
  fill(slot, written ? std::move(response) : failure_of(request.id, written.error()));
}

void StreamCall::fill(const std::shared_ptr<Slot>& slot, Response response) {
  (void)slot->taken->grow_to(response.ByteSizeLong());  // it is there already: only others are refused for it
  slot->response = std::move(response);
  send_filled();
  request_ended();
}

void StreamCall::send_filled() {
  while (!slots_.empty() && (slots_.front()->response || slots_.front()->free)) {
    const auto slot = std::move(slots_.front());
    slots_.pop_front();
    if (slot->response) send(std::move(*slot->response), std::move(slot->taken));
  }
}

StreamCall::Response StreamCall::failure_of(const std::string& id, const Status& failure) {
  if (errors_end_stream_) stop(failure);
  Response response;
  response.set_error_message(printable(failure.message(), kMessageBytesMax));
  response.mutable_infer_response()->set_id(id);
  return response;
}

void StreamCall::send_failure(const std::string& id, const Status& failure) { send(failure_of(id, failure)); }

void StreamCall::request_ended() {
  --active_;
  std::erase_if(running_, [](const auto& weak) { return weak.expired(); });
  read_next();
  end_if_done();
}

void StreamCall::send(Response response, std::shared_ptr<http::BodyCharge> taken) {
  if (over_) return;
  const size_t bytes = response.ByteSizeLong();
  if (!taken) taken = std::make_shared<http::BodyCharge>(face_.messages);
  (void)taken->grow_to(bytes);
  out_bytes_ += bytes;
  out_.push_back({std::move(response), bytes, std::move(taken)});
  write_next();
}

void StreamCall::write_next() {
  if (writing_ || finished_ || out_.empty()) return;
  writing_ = true;
  StartWrite(&out_.front().response);
  // Only a cancelled call lets go of what its client does not read.
  write_deadline_.arm(http::allowance(face_.options.write_timeout, out_.front().bytes), [weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->on_strand([](StreamCall& c) {
        c.stop({Code::kDeadlineExceeded, "[grpc] the client does not read its answers (--write-timeout)"});
        if (c.writing_) c.context_.TryCancel();
      });
  });
}

void StreamCall::stop(Status why) {
  if (over_) return;
  over_ = true;
  end_ = std::unexpected(std::move(why));
  cancelled_->store(true);
  for (const auto& weak : running_)
    if (const auto running = weak.lock()) running->cancel();
  slots_.clear();
  for (; out_.size() > (writing_ ? 1u : 0u); out_.pop_back()) out_bytes_ -= out_.back().bytes;
  end_if_done();
}

void StreamCall::end_if_done() {
  if (finished_ || writing_ || in_model_ > 0) return;
  const bool idle = active_ == 0 && out_.empty();
  if (draining_ && idle && !over_) {
    over_ = true;
    if (!reads_ended_) end_ = std::unexpected(shutting_down());
  }
  if (!over_ && !(reads_ended_ && idle)) return;
  finished_ = over_ = true;
  scope_.note_end(end_);
  Finish(to_grpc(end_));
}

}  // namespace ingot::rpc
