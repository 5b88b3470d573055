// The steps that shrink or reshape the candidates by their own logits alone.
//
// Each does nothing at the value that its parameter calls "off". Meaning as in llama.cpp, with two
// differences that only show in combinations: a token removed by top_n_sigma or barred before is
// gone (there it stays with probability 0, which counts for dynamic temperature's number of
// candidates), and equal logits are ordered by token id.
// Cost: no allocation in steady state. Thread-safety: pure functions of their arguments.
#pragma once

#include "llm/sampling/candidates.h"

namespace ingot::llm {

void top_k(Candidates& candidates, int32_t k);

// Holtzman et al. 2019: the likeliest whose mass reaches p.
void top_p(Candidates& candidates, float p, size_t min_keep);

// Nguyen et al. 2024: those at least p times as likely as the likeliest.
void min_p(Candidates& candidates, float p, size_t min_keep);

// Meister et al. 2022: those whose surprise is nearest to the entropy, until their mass passes p.
void typical_p(Candidates& candidates, float p, size_t min_keep);

// Tang et al. 2024: those within n standard deviations of the greatest logit.
void top_n_sigma(Candidates& candidates, float n);

// Exclude top choices: of several tokens at least `threshold` likely, only the least likely stays.
// The caller has thrown the dice for xtc_probability.
void xtc(Candidates& candidates, float threshold, size_t min_keep);

// Divides the logits; temperature below kGreedyTemperature keeps only the likeliest.
inline constexpr float kGreedyTemperature = 1e-5f;
void temperature(Candidates& candidates, float temperature);

// Temperature from max(0, t - range) to t + range by the normalized entropy ^ exponent.
void dynamic_temperature(Candidates& candidates, float t, float range, float exponent);

}  // namespace ingot::llm
