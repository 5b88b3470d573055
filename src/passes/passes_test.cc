// Every pass: the graph as text before and after.
#include <gtest/gtest.h>

#include "ir/infer.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

Result<std::vector<Tensor>> multiply_only(const Graph&, const Node& node, std::span<const Tensor> in) {
  if (node.op != Op::kMul) return unimplemented("only Mul");
  Tensor out = Tensor::allocate(DType::kF32, in[0].shape());
  for (int64_t i = 0; i < out.shape().num_elements(); ++i)
    out.mutable_as<float>()[i] = in[0].as<float>()[i] * in[1].as<float>()[i];
  return std::vector{out};
}

// The nodes of the result, one a line, without types.
std::string after(Result<bool> (*pass)(Graph&, const PassContext&), std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message();
  if (!graph) return "";
  EXPECT_TRUE(verify(*graph)) << verify(*graph).error().message();
  const Evaluator evaluator = multiply_only;
  auto changed = pass(*graph, PassContext{evaluator});
  EXPECT_TRUE(changed) << changed.error().message();
  EXPECT_TRUE(verify(*graph)) << verify(*graph).error().message();
  std::string out;
  for (NodeId id : graph->order()) {
    const Node& n = graph->node(id);
    out += graph->value(n.outputs[0]).name + "=" + std::string(op_name(n.op)) + "(";
    for (size_t i = 0; i < n.inputs.size(); ++i)
      out += (i ? "," : "") + (n.inputs[i] == kNoValue ? "_" : graph->value(n.inputs[i]).name);
    out += ") ";
  }
  return out;
}

TEST(FoldConstants, evaluates_constants_and_shapes_that_inference_knows) {
  EXPECT_EQ(after(fold_constants, R"(graph "g" {
  input %x: f32[2,b]
  const %a: f32[2] = [2,3]
  const %zero: i64[1] = [0]
  %p: f32[2] = Mul(%a, %a)
  %s: i64[2] = Shape(%x)
  %d: i64[1] = Gather(%s, %zero)
  %y: f32[2] = Reshape(%p, %d)
  output %y
})"),
            "y=Reshape(p.folded,d.folded) ");
}

// The evaluator would say "folded" to anything: what is left was not asked of it.
TEST(FoldConstants, leaves_what_takes_many_steps) {
  const auto folded = [](std::string_view text) {
    auto graph = parse_graph(text);
    EXPECT_TRUE(graph) << graph.error().message();
    const Evaluator evaluator = [](const Graph& g, const Node& n, std::span<const Tensor>) {
      const Type& t = g.value(n.outputs[0]).type;
      return Result<std::vector<Tensor>>(std::vector{Tensor::allocate(t.dtype, *t.concrete())});
    };
    EXPECT_TRUE(fold_constants(*graph, PassContext{evaluator}));
    return graph->order().size() == 1;
  };
  EXPECT_FALSE(folded(R"(graph "g" {
  input %x: f32[]
  const %a: f32[400,400]
  %e: f32[] = Einsum(%a, %a, %a) {equation="ij,kl,mn->"}
  %y: f32[] = Add(%e, %x)
  output %y
})"));
  for (const int n : {32, 1024})
    EXPECT_EQ(folded(fmt::format(R"(graph "g" {{
  input %x: f32[]
  const %a: f32[{0},{0}]
  %e: f32[{0},{0}] = MatMul(%a, %a)
  %y: f32[{0},{0}] = Add(%e, %x)
  output %y
}})",
                                 n)),
              n == 32);
  EXPECT_FALSE(folded(R"(graph "g" {
  input %x: f32[]
  const %a: f32[1,1,500,500]
  %e: f32[1,1,500,500] = MaxPool(%a) {kernel_shape=[1001,1001], pads=[500,500,500,500]}
  %y: f32[1,1,500,500] = Add(%e, %x)
  output %y
})"));
}

TEST(Eliminate, drops_what_does_nothing_and_keeps_output_names) {
  EXPECT_EQ(after(eliminate, R"(graph "g" {
  input %x: f32[2,b,4]
  %i: f32[2,b,4] = Identity(%x)
  %t: f32[b,2,4] = Transpose(%i) {perm=[1,0,2]}
  %u: f32[2,b,4] = Transpose(%t) {perm=[1,0,2]}
  %c: f32[2,b,4] = Cast(%u) {to="f32"}
  %dead: f32[2,b,4] = Tanh(%c)
  %y: f32[2,b,4] = Identity(%c)
  output %y
})"),
            "y=Identity(x) ");
}

TEST(MergeCommon, computes_equal_nodes_once) {
  EXPECT_EQ(after(merge_common, R"(graph "g" {
  input %x: f32[4]
  const %a: f32[1] = [2]
  const %b: f32[1] = [2]
  %p: f32[4] = Mul(%x, %a)
  %q: f32[4] = Mul(%x, %b)
  %y: f32[4] = Add(%p, %q)
  output %y
})"),
            "p=Mul(x,a) y=Add(p,p) ");
}

TEST(Canonicalize, joins_gates_and_simplifies_powers) {
  EXPECT_EQ(after(canonicalize, R"(graph "g" {
  input %x: f32[4]
  const %two: f32[] = [2]
  %s: f32[4] = Sigmoid(%x)
  %g: f32[4] = Mul(%s, %x)
  %y: f32[4] = Pow(%g, %two)
  output %y
})"),
            "g=Swish(x) y=Mul(g,g) ");
  EXPECT_EQ(after(canonicalize, R"(graph "g" {
  input %x: f32[4]
  const %three: f32[] = [3]
  const %zero: f32[] = [0]
  const %six: f32[] = [6]
  %a: f32[4] = Add(%x, %three)
  %c: f32[4] = Clip(%a, %zero, %six)
  %m: f32[4] = Mul(%x, %c)
  %y: f32[4] = Div(%m, %six)
  output %y
})"),
            "y=HardSwish(x) ");
}

// onnxruntime: Pow(-inf, 0.5) = inf and Pow(-0, 0.5) = 0; Sqrt has NaN and -0.
TEST(Canonicalize, keeps_a_power_of_one_half) {
  EXPECT_EQ(after(canonicalize, R"(graph "g" {
  input %x: f32[4]
  const %half: f32[] = [0.5]
  %y: f32[4] = Pow(%x, %half)
  output %y
})"),
            "y=Pow(x,half) ");
}

constexpr std::string_view kLayerNorm = R"(graph "g" {
  input %x: f32[b,4]
  const %axes: i64[1] = [-1]
  const %two: f32[] = [2]
  const %eps: f32[] = [1e-05]
  const %w: f32[4] = [1,2,3,4]
  const %b: f32[4] = [1,2,3,4]
  %m: f32[b,1] = ReduceMean(%x, %axes)
  %d: f32[b,4] = Sub(%x, %m)
  %p: f32[b,4] = Pow(%d, %two)
  %v: f32[b,1] = ReduceMean(%p, %axes)
  %e: f32[b,1] = Add(%v, %eps)
  %r: f32[b,1] = Sqrt(%e)
  %n: f32[b,4] = Div(%d, %r)
  %s: f32[b,4] = Mul(%n, %w)
  %y: f32[b,4] = Add(%s, %b)
  output %y
})";

TEST(FuseLayerNorm, finds_the_exporters_pattern) {
  EXPECT_EQ(after(fuse_layer_norm, kLayerNorm), "y=LayerNormalization(x,w,b) ");
}

TEST(FuseLayerNorm, takes_the_root_written_as_a_power) {
  std::string text(kLayerNorm);
  text.replace(text.find("Sqrt(%e)"), 8, "Pow(%e, %h)");
  text.replace(text.find("  const %eps"), 0, "  const %h: f32[] = [0.5]\n");
  EXPECT_EQ(after(fuse_layer_norm, text), "y=LayerNormalization(x,w,b) ");
}

TEST(FuseLayerNorm, leaves_another_reduction) {
  std::string text(kLayerNorm);
  text.replace(text.find("ReduceMean"), 10, "ReduceMax");
  EXPECT_FALSE(after(fuse_layer_norm, text).starts_with("y=Layer"));
}

// Constants of a higher rank than x widen the result: Gelu(x), Swish(x) and HardSwish(x) would not.
TEST(Fusion, keeps_patterns_whose_result_is_wider_than_their_input) {
  EXPECT_EQ(after(fuse_gelu, R"(graph "g" {
  input %x: f32[b,8]
  const %r: f32[] = [1.4142135]
  const %one: f32[] = [1]
  const %half: f32[1,1,1] = [0.5]
  %a: f32[b,8] = Div(%x, %r)
  %e: f32[b,8] = Erf(%a)
  %s: f32[b,8] = Add(%e, %one)
  %m: f32[b,8] = Mul(%x, %s)
  %y: f32[1,b,8] = Mul(%m, %half)
  output %y
})"),
            "a=Div(x,r) e=Erf(a) s=Add(e,one) m=Mul(x,s) y=Mul(m,half) ");
  EXPECT_EQ(after(canonicalize, R"(graph "g" {
  input %x: f32[b,8]
  const %three: f32[1,1,1] = [3]
  const %zero: f32[] = [0]
  const %six: f32[] = [6]
  %a: f32[1,b,8] = Add(%x, %three)
  %c: f32[1,b,8] = Clip(%a, %zero, %six)
  %d: f32[1,b,8] = Div(%c, %six)
  %y: f32[1,b,8] = Mul(%x, %d)
  output %y
})"),
            "a=Add(x,three) c=Clip(a,zero,six) d=Div(c,six) y=Mul(x,d) ");
}

// 0.5 * x * (1 + Erf(x / divisor))
std::string erf_form(std::string_view divisor) {
  return fmt::format(R"(graph "g" {{
  input %x: f32[4]
  const %r: f32[] = [{}]
  const %one: f32[] = [1]
  const %half: f32[] = [0.5]
  %a: f32[4] = Div(%x, %r)
  %e: f32[4] = Erf(%a)
  %s: f32[4] = Add(%e, %one)
  %p: f32[4] = Mul(%x, %s)
  %y: f32[4] = Mul(%p, %half)
  output %y
}})",
                     divisor);
}

TEST(FuseGelu, takes_constants_as_exporters_truncate_them_and_no_others) {
  for (std::string_view divisor : {"1.41421356", "1.4142099618911743", "1.4142"})
    EXPECT_EQ(after(fuse_gelu, erf_form(divisor)), "y=Gelu(x) ") << divisor;
  for (std::string_view divisor : {"1.4156", "1.4144", "1.413"})
    EXPECT_FALSE(after(fuse_gelu, erf_form(divisor)).starts_with("y=Gelu")) << divisor;
}

TEST(FuseGelu, looks_at_squares_of_squares_once) {
  std::string text = "graph \"g\" {\n  input %t0: f32[4]\n";
  for (int i = 1; i <= 64; ++i) text += fmt::format("  %t{}: f32[4] = Mul(%t{}, %t{})\n", i, i - 1, i - 1);
  EXPECT_TRUE(after(fuse_gelu, text + "  output %t64\n}").ends_with("t64=Mul(t63,t63) "));
}

TEST(FuseGelu, finds_erf_and_tanh_forms) {
  EXPECT_EQ(after(fuse_gelu, erf_form("1.41421356")), "y=Gelu(x) ");
  EXPECT_EQ(after(fuse_gelu, R"(graph "g" {
  input %x: f32[4]
  const %k: f32[] = [0.044715]
  const %q: f32[] = [0.79788456]
  const %three: f32[] = [3]
  const %one: f32[] = [1]
  const %half: f32[] = [0.5]
  %h: f32[4] = Mul(%half, %x)
  %c: f32[4] = Pow(%x, %three)
  %kc: f32[4] = Mul(%k, %c)
  %i: f32[4] = Add(%x, %kc)
  %j: f32[4] = Mul(%q, %i)
  %t: f32[4] = Tanh(%j)
  %s: f32[4] = Add(%one, %t)
  %y: f32[4] = Mul(%h, %s)
  output %y
})"),
            "y=Gelu(x) ");
}

TEST(FuseConv, takes_batch_norm_residual_and_activation) {
  EXPECT_EQ(after(fuse_conv, R"(graph "g" {
  input %x: f32[b,2,8,8]
  const %w: f32[2,2,1,1] = [1,2,3,4]
  const %p: f32[2] = [1,2]
  %c: f32[b,2,8,8] = Conv(%x, %w)
  %n: f32[b,2,8,8] = BatchNormalization(%c, %p, %p, %p, %p)
  %s: f32[b,2,8,8] = Add(%n, %x)
  %y: f32[b,2,8,8] = Relu(%s)
  output %y
})"),
            "y=ingot.conv(x,w.fused,w.bias,x) ");
}

TEST(FuseConv, leaves_a_convolution_that_others_read) {
  EXPECT_EQ(after(fuse_conv, R"(graph "g" {
  input %x: f32[b,2,8,8]
  const %w: f32[2,2,1,1] = [1,2,3,4]
  %c: f32[b,2,8,8] = Conv(%x, %w)
  %y: f32[b,2,8,8] = Relu(%c)
  output %y, %c
})"),
            "c=Conv(x,w) y=Relu(c) ");
}

TEST(FuseMatMul, takes_transpose_scale_bias_and_activation) {
  EXPECT_EQ(after(fuse_matmul, R"(graph "g" {
  input %x: f32[b,3,4]
  input %k: f32[b,5,4]
  const %c: f32[] = [2]
  const %bias: f32[5] = [1,2,3,4,5]
  %t: f32[b,4,5] = Transpose(%k) {perm=[0,2,1]}
  %m: f32[b,3,5] = MatMul(%x, %t)
  %d: f32[b,3,5] = Div(%m, %c)
  %a: f32[b,3,5] = Add(%bias, %d)
  %y: f32[b,3,5] = Relu(%a)
  output %y
})"),
            "y=ingot.matmul(x,k,bias) ");
}

TEST(RunPasses, runs_all_and_knows_its_names) {
  auto graph = parse_graph(kLayerNorm);
  auto report = run_passes(*graph);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->entries.size(), all_passes().size());
  EXPECT_EQ(graph->order().size(), 1u);
  graph = parse_graph(kLayerNorm);
  report = run_passes(*graph, {.disabled = {"fuse_layer_norm"}, .evaluator = {}});
  ASSERT_TRUE(report);
  EXPECT_GT(graph->order().size(), 1u);
  EXPECT_FALSE(run_passes(*graph, {.disabled = {"fuse_everything"}, .evaluator = {}}));
}

}  // namespace
}  // namespace ingot
