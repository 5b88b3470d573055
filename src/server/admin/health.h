// /live, /ready, /health: answered from the first second, open to all.
// Ownership: borrows the repository. Thread-safety: any.
#pragma once

#include <atomic>
#include <string>

#include "server/http/router.h"
#include "serving/model_repository.h"

namespace ingot::admin {

struct Health {
  const serving::ModelRepository& models;
  std::atomic<bool> starting{true};  // the models' loads have not been asked for yet
  std::atomic<bool> draining{false};

  bool ready() const { return !starting.load() && !draining.load() && models.ready(); }
  // {"status": "ready"|"loading"|"draining", "models": [{name, kind, state, seconds, progress, reason}]}
  std::string json() const;
};

// /live is 200 as long as the process answers; /ready and /health are 503 until every model is ready, and while the
// server drains.
void add_health_routes(http::Router& router, const Health& health);

}  // namespace ingot::admin
