// What the requests of a load took, in numbers. Thread-safety: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "cli/load/client.h"

namespace ingot::cli::load {

// Milliseconds; all 0 if there were none.
struct Distribution {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
  static Distribution of(std::vector<double> values);
};

struct Summary {
  int64_t succeeded = 0, failed = 0;
  std::string first_error;
  double seconds = 0;  // from the first request to the last answer
  int64_t prompt_tokens = 0, output_tokens = 0, cached_tokens = 0;
  int64_t good = 0;  // those within the goals
  // Time to the first text; time per output token after it; between two events; to the end.
  Distribution ttft, tpot, itl, e2e;

  static Summary of(const std::vector<Record>& records, const Goals& goals);
  // Fields of requests without text (infer) and of goals that were not asked for are left out.
  boost::json::value json(const Options& options) const;
  std::string text(const Options& options) const;
};

}  // namespace ingot::cli::load
