// See report.h.
#include "cli/load/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <numeric>

#include "cli/table.h"

namespace ingot::cli::load {
namespace {

double ms(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

bool has_goals(const Goals& g) { return g.ttft || g.tpot || g.e2e; }

boost::json::object json_of(const Distribution& d) {
  return {{"mean", d.mean}, {"p50", d.p50}, {"p90", d.p90}, {"p99", d.p99}, {"max", d.max}};
}

}  // namespace

Distribution Distribution::of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto nearest = [&](double share) {  // the nearest rank
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<size_t>(rank, 1) - 1];
  };
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {sum / static_cast<double>(values.size()), nearest(0.5), nearest(0.9), nearest(0.99), values.back()};
}

Summary Summary::of(const std::vector<Record>& records, const Goals& goals) {
  Summary out;
  std::vector<double> ttft, tpot, itl, e2e;
  Clock::time_point first = Clock::time_point::max(), last = Clock::time_point::min();
  for (const Record& r : records) {
    first = std::min(first, r.sent);
    last = std::max(last, r.end);
    if (!r.error.empty()) {
      if (out.failed++ == 0) out.first_error = r.error;
      continue;
    }
    ++out.succeeded;
    out.prompt_tokens += r.prompt_tokens;
    out.output_tokens += r.output_tokens;
    out.cached_tokens += r.cached_tokens;
    e2e.push_back(ms(r.sent, r.end));
    bool good = !goals.e2e || e2e.back() <= *goals.e2e;
    if (!r.events.empty()) {
      ttft.push_back(ms(r.sent, r.events.front()));
      good &= !goals.ttft || ttft.back() <= *goals.ttft;
      for (size_t i = 1; i < r.events.size(); ++i) itl.push_back(ms(r.events[i - 1], r.events[i]));
    }
    if (r.output_tokens > 1 && !r.events.empty()) {
      tpot.push_back(ms(r.events.front(), r.events.back()) / static_cast<double>(r.output_tokens - 1));
      good &= !goals.tpot || tpot.back() <= *goals.tpot;
    }
    out.good += good;
  }
  if (!records.empty()) out.seconds = ms(first, last) / 1000;
  out.ttft = Distribution::of(std::move(ttft));
  out.tpot = Distribution::of(std::move(tpot));
  out.itl = Distribution::of(std::move(itl));
  out.e2e = Distribution::of(std::move(e2e));
  return out;
}

boost::json::value Summary::json(const Options& o) const {
  const double s = std::max(seconds, 1e-9);
  boost::json::object out{{"requests", succeeded + failed},
                          {"failed", failed},
                          {"seconds", seconds},
                          {"requests_per_s", static_cast<double>(succeeded) / s},
                          {"e2e_ms", json_of(e2e)}};
  if (!first_error.empty()) out["first_error"] = first_error;
  if (has_goals(o.goals)) {
    out["good"] = good;
    out["goodput_per_s"] = static_cast<double>(good) / s;
  }
  if (o.api == Api::kInfer) return out;
  out["prompt_tokens"] = prompt_tokens;
  out["cached_tokens"] = cached_tokens;
  out["output_tokens"] = output_tokens;
  out["output_tokens_per_s"] = static_cast<double>(output_tokens) / s;
  out["ttft_ms"] = json_of(ttft);
  out["tpot_ms"] = json_of(tpot);
  out["itl_ms"] = json_of(itl);
  return out;
}

std::string Summary::text(const Options& o) const {
  const double s = std::max(seconds, 1e-9);
  std::string out = fmt::format("{} requests in {:.2f} s, {} failed: {:.2f} a second\n", succeeded + failed, seconds,
                                failed, static_cast<double>(succeeded) / s);
  if (!first_error.empty()) out += fmt::format("first error: {}\n", first_error);
  if (has_goals(o.goals))
    out += fmt::format("{} within the goals: {:.2f} a second\n", good, static_cast<double>(good) / s);
  if (o.api != Api::kInfer)
    out += fmt::format("{} prompt tokens ({} from the prefix cache), {} output tokens: {:.1f} a second\n",
                       prompt_tokens, cached_tokens, output_tokens, static_cast<double>(output_tokens) / s);
  Table table({"ms", ">mean", ">p50", ">p90", ">p99", ">max"});
  const auto add = [&](const char* name, const Distribution& d) {
    table.add({name, fmt::format("{:.2f}", d.mean), fmt::format("{:.2f}", d.p50), fmt::format("{:.2f}", d.p90),
               fmt::format("{:.2f}", d.p99), fmt::format("{:.2f}", d.max)});
  };
  if (o.api != Api::kInfer) {
    add("time to first token", ttft);
    add("per output token", tpot);
    add("between events", itl);
  }
  add("to the end", e2e);
  return out + "\n" + table.text();
}

}  // namespace ingot::cli::load
