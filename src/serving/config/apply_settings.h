// A configuration against the model that it is for. Thread-safety: pure functions.
#pragma once

#include "serving/config/model_settings.h"
#include "serving/tensor_model.h"

namespace ingot::serving {

// How the model is to be batched: by its max_batch_size, else by rows_asked (0: not at all), for no graph says whether
// its rows may meet. settings may be null.
BatchOptions batch_options(const ModelSettings* settings, int64_t rows_asked);

// The inputs and outputs that the configuration names are the model's. Errors: kInvalidArgument naming the tensor.
Result<void> check_ports(const ModelSettings& settings, const TensorModel& model);

// Has the model answer each warm-up of its configuration, and waits. Errors: what the model says of one.
Result<void> warm_up(const ModelSettings& settings, TensorModel& model);

}  // namespace ingot::serving
