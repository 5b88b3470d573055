// How many prompt tokens may stand beside decodes.
#include "llm/engine/step_cost.h"

#include <gtest/gtest.h>

namespace ingot::llm {
namespace {

TEST(StepCost, without_decodes_prompts_get_all) { EXPECT_EQ(StepCost(2, 16, 512).prompt_budget(0), 512); }

TEST(StepCost, starts_carefully) { EXPECT_EQ(StepCost(2, 16, 512).prompt_budget(3), 64); }

TEST(StepCost, a_step_with_prompts_takes_at_most_stall_times_the_decodes) {
  StepCost cost(2, 16, 512);
  for (int i = 0; i < 50; ++i) {
    cost.observe(8, 0, 40);
    cost.observe(8, 100, 40 + 100 * 0.5);
  }
  EXPECT_NEAR(static_cast<double>(cost.prompt_budget(8)), 80, 2);
  EXPECT_EQ(StepCost(1, 16, 512).prompt_budget(8), 512) << "no limit";
}

TEST(StepCost, prompts_always_advance) {
  StepCost cost(2, 16, 512);
  cost.observe(8, 0, 1);
  cost.observe(0, 100, 1000);
  EXPECT_EQ(cost.prompt_budget(8), 16);
}

TEST(StepCost, an_unseen_number_of_decodes_counts_like_the_next_smaller_one) {
  StepCost cost(2, 1, 512);
  cost.observe(4, 0, 40);
  cost.observe(0, 100, 100);
  EXPECT_EQ(cost.prompt_budget(64), 40);
  EXPECT_EQ(cost.prompt_budget(1), 40);
}

}  // namespace
}  // namespace ingot::llm
