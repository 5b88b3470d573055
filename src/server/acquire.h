// A model for a request that uses it: what was put away for others is loaded first, and the request waits for it.
//
// Feeds every face. Thread-safety: a coroutine on its caller's strand. Limits: kAcquireWaitMax.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "serving/model_repository.h"

namespace ingot::server {

inline constexpr std::chrono::seconds kAcquireWaitMax{120};

// version 0: the highest that is ready. Errors: those of ModelRepository::acquire; kUnavailable (not loaded in time).
boost::asio::awaitable<Result<std::shared_ptr<serving::Servable>>> acquire(serving::ModelRepository& models,
                                                                           std::string name, int64_t version);

}  // namespace ingot::server
