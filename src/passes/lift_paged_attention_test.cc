// A small decoder as text, with one thing changed at a time: what becomes of it, and what is refused.
#include "passes/lift_paged_attention.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ingot {
namespace {

constexpr std::string_view kDecoder = R"(graph "g" {
  input %ids: i64[b,s]
  input %pos: i64[b,s]
  input %mask: i64[b,m]
  input %last: i32[b]
  input %total: i32[]
  input %pk: f32[b,1,p,2]
  input %pv: f32[b,1,p,2]
  const %table: f32[5,4]
  const %wq: f32[4,4]
  const %wk: f32[4,2]
  const %norm: f32[4]
  const %cos: f32[9,1]
  const %sin: f32[9,1]
  const %head: f32[4,5]
  const %axis: i64[1] = [1]
  const %cap: f32[] = [3]
  %x: f32[b,s,4] = Gather(%table, %ids)
  %n: f32[b,s,4] = RMSNormalization(%x, %norm) {axis=-1, epsilon=1e-06f}
  %q: f32[b,s,4] = MatMul(%n, %wq)
  %k: f32[b,s,2] = MatMul(%n, %wk)
  %a: f32[b,s,4], %pk2: f32[b,1,?,2], %pv2: f32[b,1,?,2] = ATTENTION
  %y: f32[b,s,4] = Add(%x, %a)
  %l: f32[b,s,5] = MatMul(%y, %head)
  %logits: f32[b,s,5] = Mul(%l, %cap)
  output %logits, %pk2, %pv2
})";
constexpr std::string_view kGroupQuery =
    "ingot.group_query_attention(%q, %k, %k, %pk, %pv, %last, %total, %cos, %sin) {interleaved=0, kv_num_heads=1, "
    "num_heads=2, softcap=0f, window=3} @\"attn\"";
constexpr std::string_view kStandard =
    "Attention(%q, %k, %k, _, %pk, %pv) {is_causal=1, kv_num_heads=1, q_num_heads=2} @\"attn\"";

struct Change {
  std::string_view from, to;
};

Result<LiftedDecoder> lift(std::string_view attention, std::initializer_list<Change> changes = {},
                           int64_t context = 8) {
  std::string text(kDecoder);
  text.replace(text.find("ATTENTION"), 9, attention);
  for (const Change& c : changes) {
    EXPECT_NE(text.find(c.from), text.npos) << c.from;
    text.replace(text.find(c.from), c.from.size(), c.to);
  }
  const auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message();
  if (!graph) return std::unexpected(graph.error());
  LiftOptions options{.token_ids = "ids", .position_ids = "pos", .logits = "logits", .context = context};
  options.layers = {{"pk", "pv", "pk2", "pv2"}};
  return lift_paged_attention(*graph, options);
}

// The ops of the result in order; the error's message if there is none.
std::string ops(const Result<LiftedDecoder>& lifted) {
  if (!lifted) return lifted.error().message();
  std::string out;
  for (NodeId n : lifted->graph.order()) out += std::string(op_name(lifted->graph.node(n).op)) + " ";
  return out;
}

void expect_refused(const Result<LiftedDecoder>& lifted, std::string_view part) {
  ASSERT_FALSE(lifted) << "not refused: " << part;
  EXPECT_NE(lifted.error().message().find(part), std::string::npos)
      << "'" << lifted.error().message() << "' has no '" << part << "'";
}

TEST(LiftPagedAttention, of_a_rotated_group_query_attention_leaves_no_cache_in_inputs_and_outputs) {
  const auto lifted = lift(kGroupQuery);
  EXPECT_EQ(
      ops(lifted),
      "ingot.embedding Unsqueeze ingot.rms_norm ingot.linear ingot.linear ingot.embedding Reshape Reshape "
      "Reshape ingot.rope ingot.rope ingot.paged_attention Unsqueeze Add Reshape Gather Gather ingot.linear Mul ");
  ASSERT_TRUE(lifted);
  EXPECT_EQ(lifted->graph.inputs().size(), 7U);
  EXPECT_EQ(lifted->graph.states().size(), 2U);
  ASSERT_EQ(lifted->graph.outputs().size(), 2U);
  EXPECT_EQ(lifted->graph.value(lifted->graph.outputs()[0]).type.to_string(), "f32[rows,5]");
  EXPECT_EQ(lifted->graph.value(lifted->graph.outputs()[1]).type.to_string(), "f32[hidden,4]");
  EXPECT_EQ(lifted->vocab, 5);
  EXPECT_EQ(lifted->width, 4);
  EXPECT_EQ(lifted->positions_max, 9);
  EXPECT_EQ(lifted->layers.front(), (LiftedDecoder::Heads{2, 1, 2}));
  for (NodeId n : lifted->graph.order())
    if (const Node& node = lifted->graph.node(n); node.op == Op::kPagedAttention) {
      EXPECT_EQ(node.attributes.get_int("window"), 3);
      EXPECT_FLOAT_EQ(node.attributes.get_float("scale"), 1 / std::sqrt(2.0F));
    }
}

TEST(LiftPagedAttention, of_the_standard_attention) {
  EXPECT_EQ(ops(lift(kStandard)),
            "ingot.embedding Unsqueeze ingot.rms_norm ingot.linear ingot.linear Reshape Reshape Reshape "
            "ingot.paged_attention Unsqueeze Add Reshape Gather Gather ingot.linear Mul ");
}

TEST(LiftPagedAttention, takes_rotations_before_attention_and_learned_positions) {
  EXPECT_EQ(ops(lift(kStandard, {{"%k: f32[b,s,2] = MatMul(%n, %wk)",
                                  "%k0: f32[b,s,2] = MatMul(%n, %wk)\n"
                                  "%k: f32[b,s,2] = RotaryEmbedding(%k0, %cos, %sin, %pos) {num_heads=1}"}})),
            "ingot.embedding Unsqueeze ingot.rms_norm ingot.linear ingot.linear ingot.embedding Reshape ingot.rope "
            "Unsqueeze Reshape Reshape Reshape ingot.paged_attention Unsqueeze Add Reshape Gather Gather ingot.linear "
            "Mul ");
  const auto learned = lift(kStandard, {{"%n: f32[b,s,4] = RMSNormalization(%x,",
                                         "%p: f32[b,s,4] = Gather(%table, %pos)\n%x2: f32[b,s,4] = Add(%x, %p)\n"
                                         "%n: f32[b,s,4] = RMSNormalization(%x2,"}});
  ASSERT_TRUE(learned) << learned.error().message();
  EXPECT_EQ(learned->positions_max, 5);
}

TEST(LiftPagedAttention, writes_gated_activations_in_one_node) {
  EXPECT_EQ(ops(lift(kStandard, {{"Add(%x, %a)",
                                  "Add(%x, %a)\n%e: f32[b,s,4] = Sigmoid(%y)\n%f: f32[b,s,4] = Mul(%y, %e)\n"
                                  "%z: f32[b,s,4] = Mul(%x, %f)"},
                                 {"MatMul(%y, %head)", "MatMul(%z, %head)"}})),
            "ingot.embedding Unsqueeze ingot.rms_norm ingot.linear ingot.linear Reshape Reshape Reshape "
            "ingot.paged_attention Unsqueeze Add ingot.gated_activation Reshape Gather Gather ingot.linear Mul ");
}

TEST(LiftPagedAttention, chooses_the_rotation_of_the_longest_sequence) {
  constexpr std::string_view kBranch = R"(const %bound: i32[] = [6]
  %long: bool[] = Greater(%total, %bound)
  %c: f32[?,1], %d: f32[?,1] = If(%long) {
    then_branch=graph "long" {
      const %u: f32[9,1]
      output %u, %u
    },
    else_branch=graph "short" {
      const %w: f32[6,1]
      output %w, %w
    }
  }
  %x: f32[b,s,4])";
  std::string attention(kGroupQuery);
  attention.replace(attention.find("%cos, %sin"), 10, "%c, %d");
  const auto far = lift(attention, {{"%x: f32[b,s,4]", kBranch}}, 8);
  ASSERT_TRUE(far) << far.error().message();
  EXPECT_EQ(far->positions_max, 9);
  const auto near = lift(attention, {{"%x: f32[b,s,4]", kBranch}}, 6);
  ASSERT_TRUE(near) << near.error().message();
  EXPECT_EQ(near->positions_max, 6);
}

TEST(LiftPagedAttention, refuses_attention_that_is_not_a_decoders) {
  expect_refused(lift("Attention(%q, %k, %k, _, %pk, %pv) {is_causal=0, kv_num_heads=1, q_num_heads=2} @\"attn\""),
                 "node 'attn' (Attention): is_causal is 0");
  expect_refused(lift("Attention(%q, %k, %k, %cap, %pk, %pv) {is_causal=1, kv_num_heads=1, q_num_heads=2} @\"attn\""),
                 "has the mask 'cap'");
  expect_refused(lift("Attention(%q, %k, %k) {is_causal=1, kv_num_heads=1, q_num_heads=2} @\"attn\""),
                 "has no past or no present");
  expect_refused(lift("Attention(%q, %k, %k, _, %pv, %pk) {is_causal=1, kv_num_heads=1, q_num_heads=2} @\"attn\""),
                 "its past is 'pv' and 'pk'");
}

TEST(LiftPagedAttention, refuses_what_else_reads_cache_mask_or_positions) {
  expect_refused(lift(kStandard, {{"Add(%x, %a)",
                                   "Add(%x, %a)\n%m: f32[] = ReduceMean(%pk) {keepdims=0}\n"
                                   "%y2: f32[b,s,4] = Mul(%y, %m)"},
                                  {"MatMul(%y, %head)", "MatMul(%y2, %head)"}}),
                 "reads the input 'pk'");
  expect_refused(lift(kStandard, {{"Add(%x, %a)",
                                   "Add(%x, %a)\n%m: f32[] = ReduceMean(%pk2) {keepdims=0}\n"
                                   "%y2: f32[b,s,4] = Mul(%y, %m)"},
                                  {"MatMul(%y, %head)", "MatMul(%y2, %head)"}}),
                 "its present keys or values are read");
  std::string attention(kGroupQuery);
  attention.replace(attention.find("%sin)"), 5, "%sin, %ids)");
  expect_refused(lift(attention), "its positions are 'ids'");
}

TEST(LiftPagedAttention, refuses_nodes_that_mix_tokens) {
  const auto between = [](std::string_view node) {
    return lift(kStandard, {{"Add(%x, %a)", std::string("Add(%x, %a)\n") + std::string(node)},
                            {"MatMul(%y, %head)", "MatMul(%z, %head)"}});
  };
  expect_refused(between("%z: f32[b,s,4] = Softmax(%y) {axis=1} @\"mix\""), "node 'mix' (Softmax): works across");
  expect_refused(between("%m: f32[b,1,4] = ReduceMean(%y, %axis) @\"mix\"\n%z: f32[b,s,4] = Sub(%y, %m)"),
                 "node 'mix' (ReduceMean): works across");
  expect_refused(between("%z: f32[b,s,4] = CumSum(%y, %axis) @\"mix\""), "is not known to treat every token alone");
  expect_refused(between("const %i: i64[1] = [-1]\n%z: f32[b,1,4] = Gather(%y, %i) {axis=1} @\"mix\""),
                 "node 'mix' (Gather): works across");
  expect_refused(between("%t: f32[b,4,s] = Transpose(%y) {perm=[0,2,1]}\nconst %i: i64[3] = [1,-1,4]\n"
                         "%z: f32[1,s,4] = Reshape(%t, %i) @\"mix\""),
                 "does not keep each token's elements together");
  expect_refused(between("%s: i64[3] = Shape(%y)\nconst %i: i64[] = [1]\n%n1: i64[] = Gather(%s, %i)\n"
                         "%f: f32[] = Cast(%n1) {to=\"f32\"}\n%z: f32[b,s,4] = Mul(%y, %f) @\"mix\""),
                 "reads the number of tokens");
}

TEST(LiftPagedAttention, refuses_logits_of_unknown_form) {
  expect_refused(lift(kStandard, {{"Mul(%l, %cap)", "Softmax(%l) @\"soft\""}}),
                 "node 'soft' (Softmax): makes the logits");
  expect_refused(lift(kStandard, {{"Mul(%l, %cap)", "Mul(%l, %l) @\"square\""}}), "makes the logits");
}

}  // namespace
}  // namespace ingot
