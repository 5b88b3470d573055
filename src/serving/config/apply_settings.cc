#include "serving/config/apply_settings.h"

#include <algorithm>
#include <future>
#include <random>

#include "formats/printable.h"

namespace ingot::serving {
namespace {

Result<void> check_ports(const std::vector<PortSettings>& given, const std::vector<TensorPort>& ports, bool batched,
                         const char* kind) {
  for (const PortSettings& g : given) {
    const auto port = std::ranges::find(ports, g.name, &TensorPort::name);
    if (port == ports.end())
      return invalid("[config] unexpected inference {} '{}', allowed {}s are: {}", kind, printable(g.name), kind,
                     names_of(ports));
    if (port->dtype != g.dtype)
      return invalid("[config] {} '{}': 'data_type' is {}, the model's is {}", kind, printable(g.name),
                     dtype_name(g.dtype), dtype_name(port->dtype));
    if (!port->ranked) continue;
    std::vector<int64_t> dims = g.dims;
    if (batched) dims.insert(dims.begin(), -1);
    bool fits = dims.size() == port->shape.size();
    for (size_t i = 0; fits && i < dims.size(); ++i)
      fits = dims[i] == port->shape[i] || dims[i] == -1 || port->shape[i] == -1;
    if (!fits)
      return invalid(
          "[config] tensor '{}': the model expects {} dimensions (shape {}) but the model configuration specifies {} "
          "dimensions (shape {}{})",
          printable(g.name), port->shape.size(), shape_text(port->shape), dims.size(), shape_text(dims),
          batched ? ", the first is the batch of max_batch_size" : "");
  }
  return {};
}

TensorRequest request_of(const WarmupSettings& warmup, bool batched) {
  TensorRequest request;
  request.at_once = true;
  std::mt19937 bytes(1);
  for (const PortSettings& input : warmup.inputs) {
    std::vector<int64_t> dims = input.dims;
    if (batched) dims.insert(dims.begin(), warmup.rows);
    Tensor t = Tensor::allocate(input.dtype, Shape(dims));
    if (warmup.random && input.dtype == DType::kF32)
      for (int64_t i = 0; i < t.view().num_elements(); ++i)
        t.mutable_as<float>()[i] = static_cast<float>(bytes() % 1000) / 1000;
    request.inputs.push_back({input.name, std::move(t)});
  }
  return request;
}

}  // namespace

BatchOptions batch_options(const ModelSettings* settings, int64_t rows_asked) {
  BatchOptions batch;
  batch.batch_max = rows_asked;
  if (!settings) return batch;
  if (settings->batch_max > 0) batch.batch_max = settings->batch_max;
  batch.refuse_larger = settings->batch_max > 0;
  batch.preferred = settings->batch_preferred;
  batch.delay_max = settings->delay_max;
  batch.queue = settings->queue;
  batch.instances = settings->instances;
  return batch;
}

Result<void> check_ports(const ModelSettings& settings, const TensorModel& model) {
  const bool batched = settings.batch_max > 0;
  INGOT_TRY(check_ports(settings.inputs, model.inputs(), batched, "input"));
  return check_ports(settings.outputs, model.outputs(), batched, "output");
}

Result<void> warm_up(const ModelSettings& settings, TensorModel& model) {
  for (const WarmupSettings& warmup : settings.warmups)
    for (int i = 0; i < warmup.count; ++i) {
      std::promise<Result<TensorAnswer>> done;
      TensorRequest request = request_of(warmup, settings.batch_max > 0);
      request.on_done = [&](Result<TensorAnswer> answer) { done.set_value(std::move(answer)); };
      auto answer = done.get_future();
      Result<void> ran = model.submit(std::move(request));
      if (ran)
        if (const auto a = answer.get(); !a) ran = std::unexpected(a.error());
      if (!ran)
        return std::unexpected(Status(ran.error().code(), fmt::format("[config] model_warmup '{}': {}",
                                                                      printable(warmup.name), ran.error().message())));
    }
  return {};
}

}  // namespace ingot::serving
