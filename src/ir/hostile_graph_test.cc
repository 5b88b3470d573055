// Graphs that no builder makes, as an engine file may hold them: refused before a kernel sees them.
#include "ir/refused_check.h"

namespace ingot {
namespace {

const std::string kAttention = R"(
  input %q: f32[t,32]  input %k: f32[t,16]  input %v: f32[t,16]
  input %start: i32[b+1]  input %length: i32[b]  input %table: i32[b,m]
  const %sinks: f32[4] = [1,2,3,4]
  state %kc: f16[pages,16,2,8]  state %vc: f16[pages,16,2,8]
  %y: f32[t,32] = ingot.paged_attention(%q, %k, %v, %kc, %vc, %start, %length, %table, %sinks) {head_dim=8, heads=4, kv_heads=2, window=0, scale=1f}
  output %y)";

TEST(HostileGraph, attention_fits_its_operands) {
  expect_refused(kAttention, {{"heads=4", "heads=64"},
                              {"heads=4", "heads=0"},
                              {"heads=4", "heads=-4"},
                              {"kv_heads=2", "kv_heads=0"},
                              {"kv_heads=2", "kv_heads=3"},
                              {"head_dim=8", "head_dim=0"},
                              {"head_dim=8", "head_dim=4611686018427387904"},
                              {"window=0", "window=-5"},
                              {"%k: f32[t,16]", "%k: f32[t,8]"},
                              {"%v: f32[t,16]", "%v: f16[t,16]"},
                              {"%v: f32[t,16]", "%v: f32[u,16]"},
                              {"%kc: f16[pages,16,2,8]", "%kc: f16[*]"},
                              {"%kc: f16[pages,16,2,8]", "%kc: f16[pages,0,2,8]"},
                              {"%vc: f16[pages,16,2,8]", "%vc: f16[pages,16,2,4]"},
                              {"%vc: f16[pages,16,2,8]", "%vc: f32[pages,16,2,8]"},
                              {"%start: i32[b+1]", "%start: i32[b]"},
                              {"%length: i32[b]", "%length: f32[b]"},
                              {"%table: i32[b,m]", "%table: i32[m,b]"},
                              {"%sinks: f32[4] = [1,2,3,4]", "%sinks: f32[2] = [1,2]"}});
}

TEST(HostileGraph, attention_writes_nothing_but_states) {
  expect_refused(kAttention,
                 {{"state %kc: f16[pages", "input %kc: f16[pages"}, {"%kc, %vc, %start", "%kc, %kc, %start"}});
}

TEST(HostileGraph, rope_stays_within_a_head) {
  expect_refused(R"(
  input %x: f32[t,32]  input %r: f32[t,8]
  %y: f32[t,32] = ingot.rope(%x, %r) {head_dim=8, interleaved=0}
  output %y)",
                 {{"head_dim=8", "head_dim=0"},
                  {"head_dim=8", "head_dim=4"},
                  {"head_dim=8", "head_dim=24"},
                  {"head_dim=8, ", ""},
                  {"%r: f32[t,8]", "%r: f32[t,7]"},
                  {"%r: f32[t,8]", "%r: f32[u,8]"},
                  {"%r: f32[t,8]", "%r: f16[t,8]"},
                  {"%r: f32[t,8]", "%r: f32[t,n]"}});
}

TEST(HostileGraph, norms_and_activations_have_whole_rows) {
  const std::string norm = R"(
  input %x: f32[t,8]
  const %w: f32[4] = [1,2,3,4]
  %y: f32[t,8] = ingot.rms_norm(%x, %w) {eps=1e-05f}
  output %y)";
  expect_refused(norm, {{"%w: f32[4] = [1,2,3,4]", "%w: f32[3] = [1,2,3]"},
                        {"%w: f32[4] = [1,2,3,4]", "%w: f32[0]"},
                        {"%w: f32[4] = [1,2,3,4]", "%w: f32[2,4]"},
                        {"%w: f32[4] = [1,2,3,4]", "%w: f64[4] = [1,2,3,4]"},
                        {"%x: f32[t,8]", "%x: f32[t,n]"}});
  const std::string gated = R"(
  input %x: f32[t,8]  input %u: f32[t,8]
  %y: f32[t,8] = ingot.gated_activation(%x, %u) {activation="silu"}
  output %y)";
  expect_refused(gated, {{"\"silu\"", "\"zilu\""},
                         {" {activation=\"silu\"}", ""},
                         {"%u: f32[t,8]", "%u: f32[t,4]"},
                         {"%u: f32[t,8]", "%u: f32[*]"},
                         {"%u: f32[t,8]", "%u: f16[t,8]"}});
}

TEST(HostileGraph, attributes_have_their_kind) {
  const std::string softmax = R"(
  input %x: f32[t,8]
  %y: f32[t,8] = Softmax(%x) {axis=-1}
  output %y)";
  expect_refused(softmax,
                 {{"axis=-1", "axis=1f"}, {"axis=-1", "axis=\"1\""}, {"axis=-1", "axis=[1]"}, {"axis=-1", "axles=1"}});
  EXPECT_NE(refusal(with(kAttention, "heads=4", "heads=\"4\"")).find("'heads' is a string, not an integer"),
            std::string::npos);
}

TEST(HostileGraph, types_are_within_the_limits) {
  for (std::string_view type :
       {"f32[4294967296,4294967296]", "f32[-8]", "q8_0[3]", "q8_0[]", "f32[1,1,1,1,1,1,1,1,1]"}) {
    EXPECT_NE(refusal(fmt::format("const %c: {}  output %c", type)), "") << type;
    EXPECT_NE(refusal(fmt::format("state %c: {}  output %c", type)), "") << type;
  }
  for (std::string_view type : {"f32[*]", "string[4]"})
    EXPECT_NE(refusal(fmt::format("state %c: {}  output %c", type)), "") << type;
  // Elements that are not there take no memory.
  EXPECT_NE(refusal("const %c: f64[1073741823] = [1]  output %c"), "");
}

TEST(HostileGraph, subgraphs_take_what_they_are_given) {
  expect_refused(R"(
  input %c: bool[]  input %x: f32[4]
  %y: f32[4] = If(%c, %x) {then_branch=graph "t" { input %x: f32[4] %a: f32[4] = Tanh(%x) output %a }, else_branch=graph "e" { input %x: f32[4] output %x }}
  output %y)",
                 {{"(%c, %x)", "(%c)"},
                  {"(%c, %x)", "(%c, _)"},
                  {"input %x: f32[4] output", "input %x: f32[4] input %z: f32[4] output"},
                  {"input %x: f32[4] output", "input %x: f32[4] state %z: f32[4] output"},
                  {"{ input %x: f32[4] %a", "{ input %x: f32[8] %a"}});
}

TEST(Verify, compares_symbols) {
  const std::string text = R"(
  input %x: f32[tokens,64]
  %y: f32[tokens,64] = Tanh(%x)
  output %y)";
  EXPECT_EQ(refusal(text), "");
  EXPECT_NE(refusal(with(text, "%y: f32[tokens,64]", "%y: f32[rows,64]")), "");
  EXPECT_EQ(refusal(with(text, "%y: f32[tokens,64]", "%y: f32[?,64]")), "");
  EXPECT_EQ(refusal(with(text, "%y: f32[tokens,64]", "%y: f32[7,64]")), "");
}

TEST(Verify, finds_two_values_of_one_name) {
  auto g = parse_graph("graph \"g\" { input %x: f32[4] %y: f32[4] = Tanh(%x) output %y }");
  ASSERT_TRUE(g);
  g->value(g->find_value("y")).name = "x";
  EXPECT_FALSE(verify(*g));
}

}  // namespace
}  // namespace ingot
