#include <gtest/gtest.h>

#include <algorithm>

#include "ir/graph.h"
#include "ir/infer.h"

namespace ingot {
namespace {

std::string simplified(std::string_view text) {
  auto d = Dim::parse(text);
  return d ? d->to_string() : "error: " + d.error().message();
}

TEST(Dim, has_one_spelling_for_equal_expressions) {
  EXPECT_EQ(simplified("2*seq+1+seq"), "3*seq+1");
  EXPECT_EQ(simplified("batch*seq-seq*batch"), "0");
  EXPECT_EQ(simplified("(a+1)*(a-1)"), "a*a-1");
  EXPECT_EQ(simplified("floor((h+1)/2)"), "floor((h+1)/2)");
  EXPECT_EQ(simplified("floor((4*h+8)/4)"), "h+2");
  EXPECT_EQ(simplified("floor((batch*seq*768)/(batch*seq))"), "768");
  EXPECT_EQ(simplified("floor(7/2)"), "3");
  EXPECT_EQ(simplified("max(n,n)"), "n");
  EXPECT_EQ(simplified("?+1"), "?");
  EXPECT_FALSE(Dim::parse("a+*b"));
  EXPECT_FALSE(Dim::parse("floor(a/b"));
  EXPECT_FALSE(Dim::unknown() == Dim::unknown());
}

constexpr std::string_view kText = R"(graph "g" {
  input %x: f32[batch,4]
  state %kv: f16[pages,16,2,8]
  const %shape: i64[2] = [-1,2]
  const %w: f32[31,4]
  %a: f32[batch,31] = ingot.linear(%x, %w) @"proj"
  %b: f32[floor((31*batch)/2),2] = Reshape(%a, %shape) {allowzero=0}
  %c: f32[batch,2], %d: f32[batch,2] = Split(%x) {axis=-1}
  output %b, %c
}
)";

TEST(GraphText, prints_what_it_parsed) {
  auto g = parse_graph(kText);
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(print(*g), kText);
  EXPECT_TRUE(verify(*g)) << verify(*g).error().message();
}

TEST(GraphText, names_the_line_of_an_error) {
  auto g = parse_graph("graph \"g\" {\n  input %x: f99[2]\n}");
  ASSERT_FALSE(g);
  EXPECT_NE(g.error().message().find("line 2"), std::string::npos) << g.error().message();
  for (size_t cut = 0; cut + 2 < kText.size(); ++cut) EXPECT_FALSE(parse_graph(kText.substr(0, cut)));
}

TEST(Infer, follows_shapes_with_symbols) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {Dim::symbol("b"), 4, Dim::symbol("s")}));
  const ValueId y = g.add_input("y", Type::of(DType::kF32, {Dim::symbol("b"), Dim::symbol("s"), 5}));
  auto z = g.add(Op::kMatMul, {x, y});
  ASSERT_TRUE(z);
  EXPECT_EQ(g.value(*z).type.to_string(), "f32[b,4,5]");
  auto bad = g.add(Op::kMatMul, {y, y}, {}, "bad");
  EXPECT_TRUE(bad);  // s and 5 may be equal when it runs
  auto worse = g.add(Op::kMatMul, {*z, *z}, {}, "worse");
  ASSERT_FALSE(worse);
  EXPECT_NE(worse.error().message().find("worse"), std::string::npos);
}

// What inference says against an op over operands of these types; empty if it has nothing against it.
std::string refusal(Op op, const std::vector<Type>& operands, Attributes attributes = {}, int num_outputs = 1) {
  Graph g;
  Node n{.op = op, .name = "n", .attributes = std::move(attributes)};
  for (const Type& t : operands) n.inputs.push_back(g.add_input("", t));
  const auto types = infer_types(g, n, num_outputs);
  return types ? "" : types.error().message();
}
Type f32(Dims dims) { return Type::of(DType::kF32, std::move(dims)); }
Type i64(Dims dims) { return Type::of(DType::kI64, std::move(dims)); }

TEST(Infer, takes_indices_and_sizes_only_as_i64_or_i32) {
  const Type x = f32({2, 3}), bytes = Type::of(DType::kI8, {1});
  for (Op op : {Op::kReduceSum, Op::kReshape, Op::kExpand, Op::kTile, Op::kPad, Op::kGather, Op::kGatherND, Op::kSplit,
                Op::kSqueeze, Op::kUnsqueeze, Op::kTrilu})
    EXPECT_NE(refusal(op, {x, bytes}).find("not i64 or i32"), std::string::npos) << op_name(op);
  EXPECT_NE(refusal(Op::kTopK, {x, bytes}, {}, 2), "");
  EXPECT_NE(refusal(Op::kConstantOfShape, {bytes}), "");
  for (size_t i = 1; i < 5; ++i) {
    std::vector<Type> operands(5, i64({1}));
    operands[0] = x;
    EXPECT_EQ(refusal(Op::kSlice, operands), "");
    operands[i] = bytes;
    EXPECT_NE(refusal(Op::kSlice, operands), "") << i;
  }
  for (Op op : {Op::kGatherElements, Op::kScatterElements, Op::kScatterND}) {
    std::vector<Type> operands{x, Type::of(DType::kI16, {2, 3}), x};
    if (op == Op::kGatherElements) operands.pop_back();
    EXPECT_NE(refusal(op, operands), "") << op_name(op);
    operands[1] = i64({2, 3});
    EXPECT_EQ(refusal(op, operands), "") << op_name(op);
  }
  EXPECT_EQ(refusal(Op::kReduceSum, {x, i64({1})}), "");
  EXPECT_NE(refusal(Op::kReduceSum, {x, i64({1, 1})}), "");
  EXPECT_NE(refusal(Op::kReduceSum, {f32({}), i64({2000})}), "");
}

TEST(Infer, checks_the_axis_of_every_op_that_has_one) {
  const Type x = f32({2, 3});
  for (Op op : {Op::kSoftmax, Op::kLogSoftmax, Op::kHardmax}) {
    EXPECT_EQ(refusal(op, {x}, {{"axis", int64_t{-2}}}), "");
    EXPECT_NE(refusal(op, {x}, {{"axis", int64_t{2}}}), "") << op_name(op);
    EXPECT_NE(refusal(op, {f32({})}), "") << op_name(op);
  }
  for (Op op : {Op::kLayerNormalization, Op::kRMSNormalization})
    EXPECT_NE(refusal(op, {x, f32({3})}, {{"axis", int64_t{99}}}), "") << op_name(op);
  EXPECT_NE(refusal(Op::kScatterElements, {x, i64({2, 3}), x}, {{"axis", int64_t{-3}}}), "");
  EXPECT_NE(refusal(Op::kGatherElements, {x, i64({2, 3})}, {{"axis", int64_t{2}}}), "");
}

TEST(Infer, wants_operands_that_broadcast_into_the_input) {
  const Type x = f32({2, 3});
  for (Op op : {Op::kLayerNormalization, Op::kRMSNormalization}) {
    EXPECT_EQ(refusal(op, {x, f32({3})}), "") << op_name(op);
    EXPECT_EQ(refusal(op, {x, f32({1})}), "") << op_name(op);
    EXPECT_NE(refusal(op, {x, f32({4})}), "") << op_name(op);
    EXPECT_NE(refusal(op, {x, f32({1, 3})}), "") << op_name(op);
  }
  EXPECT_NE(refusal(Op::kLayerNormalization, {x, f32({3}), f32({2, 2, 3})}), "");
  EXPECT_EQ(refusal(Op::kPRelu, {x, f32({2, 1})}), "");
  EXPECT_NE(refusal(Op::kPRelu, {x, f32({1, 1, 1})}), "");
  EXPECT_NE(refusal(Op::kPRelu, {x, f32({2})}), "");
}

TEST(Infer, wants_secondary_operands_of_the_right_type_and_size) {
  const Type x = f32({2, 3}), half = Type::of(DType::kF16, {}), halves = Type::of(DType::kF16, {2, 3});
  const Type image = f32({1, 2, 4, 4}), weight = f32({2, 2, 1, 1});
  EXPECT_EQ(refusal(Op::kConv, {image, weight, f32({2})}), "");
  EXPECT_NE(refusal(Op::kConv, {image, weight, Type::of(DType::kI8, {2})}), "");
  EXPECT_NE(refusal(Op::kConvTranspose, {image, weight, Type::of(DType::kI8, {2})}), "");
  EXPECT_EQ(refusal(Op::kFusedConv, {image, weight, f32({2}), image}), "");
  EXPECT_NE(refusal(Op::kFusedConv, {image, weight, f32({2}), Type::of(DType::kF16, {1, 2, 4, 4})}), "");
  EXPECT_NE(refusal(Op::kFusedConv, {image, weight, f32({2}), f32({1, 2, 4, 1})}), "");
  EXPECT_NE(refusal(Op::kScatterElements, {x, i64({2, 3}), halves}), "");
  EXPECT_NE(refusal(Op::kScatterND, {x, i64({2, 1}), halves}), "");
  EXPECT_NE(refusal(Op::kPad, {x, i64({4}), half}), "");
  EXPECT_EQ(refusal(Op::kClip, {x, f32({}), f32({})}), "");
  EXPECT_NE(refusal(Op::kClip, {x, half, f32({})}), "");
  EXPECT_NE(refusal(Op::kClip, {x, f32({}), f32({0})}), "");
  EXPECT_NE(refusal(Op::kPRelu, {x, half}), "");
  EXPECT_NE(refusal(Op::kGemm, {f32({2, 3}), f32({3, 2}), half}), "");
  EXPECT_NE(refusal(Op::kFusedMatMul, {f32({2, 3}), f32({3, 2}), half}), "");
  EXPECT_NE(refusal(Op::kFusedMatMul, {f32({2, 3}), f32({3, 2}), f32({3})}), "");
  EXPECT_EQ(refusal(Op::kOneHot, {i64({2}), i64({}), f32({2})}), "");
  EXPECT_NE(refusal(Op::kOneHot, {i64({2}), i64({}), f32({1})}), "");
  for (Op op : {Op::kMin, Op::kMax, Op::kSum, Op::kMean, Op::kConcat, Op::kEinsum})
    EXPECT_NE(refusal(op, {x, halves}, {{"equation", std::string("ij,ij->ij")}}), "") << op_name(op);
  EXPECT_NE(refusal(Op::kWhere, {Type::of(DType::kBool, {}), x, half}), "");
}

TEST(Infer, refuses_shapes_over_the_limits) {
  const auto shaped = [](std::vector<int64_t> dims) {
    Graph g;
    Tensor t = Tensor::allocate(DType::kI64, Shape{static_cast<int64_t>(dims.size())});
    std::copy(dims.begin(), dims.end(), t.mutable_as<int64_t>());
    auto v = g.add(Op::kConstantOfShape, {g.add_constant("shape", std::move(t))}, {}, "n");
    return v ? "" : v.error().message();
  };
  EXPECT_EQ(shaped({1 << 20, 1 << 20}), "");
  EXPECT_EQ(shaped({1 << 20, 0, 1 << 20, 1 << 20}), "");
  EXPECT_NE(shaped({1 << 30, 1 << 30}), "");
  EXPECT_NE(shaped({int64_t{1} << 32, int64_t{1} << 32}), "");
  EXPECT_NE(shaped({-1}), "");
  EXPECT_NE(refusal(Op::kMul, {f32({int64_t{1} << 40, 1}), f32({1, int64_t{1} << 40})}), "");
  EXPECT_NE(refusal(Op::kGatherElements, {f32({1}), i64({int64_t{1} << 50})}), "");
}

TEST(Infer, refuses_an_axis_that_a_slice_names_twice) {
  for (int64_t second : {1, -2, 0}) {
    Graph g;
    const auto list = [&](std::vector<int64_t> values) {
      Tensor t = Tensor::allocate(DType::kI64, Shape{2});
      std::copy(values.begin(), values.end(), t.mutable_as<int64_t>());
      return g.add_constant("", std::move(t));
    };
    const ValueId x = g.add_input("x", f32({4, 4}));
    const auto y = g.add(Op::kSlice, {x, list({1, 1}), list({3, 3}), list({0, second})}, {}, "n");
    EXPECT_EQ(y.has_value(), second == 1) << second;
  }
}

TEST(Infer, limits_the_positions_of_a_window) {
  const auto pooled = [](std::vector<int64_t> kernel) {
    Attributes a{{"auto_pad", std::string("SAME_UPPER")}};
    a.set("kernel_shape", std::move(kernel));
    return refusal(Op::kMaxPool, {f32({1, 1, 4, 4})}, std::move(a));
  };
  EXPECT_EQ(pooled({1024, 1024}), "");
  EXPECT_NE(pooled({1025, 1024}), "");
  EXPECT_NE(pooled({int64_t{1} << 31, int64_t{1} << 31}), "");
  EXPECT_NE(pooled({0, 3}), "");
}

TEST(Infer, never_slices_less_than_nothing_from_a_symbolic_size) {
  struct Case {
    int64_t start, end, step;
    std::string_view size;
  };
  for (const Case c : {Case{0, INT64_MAX, 1, "n"},
                       {0, INT64_MAX, 2, "floor((n+1)/2)"},
                       {2, INT64_MAX, 1, "max(0,n-2)"},
                       {0, -1, 1, "max(0,n-1)"},
                       {0, 5, 1, "min(n,5)"},
                       {1, 5, 1, "max(0,min(n,5)-1)"},
                       {-3, INT64_MAX, 1, "min(n,3)"},
                       {-3, -1, 1, "max(0,n-max(0,n-3)-1)"}}) {
    Graph g;
    const auto one = [&](int64_t value) {
      Tensor t = Tensor::allocate(DType::kI64, Shape{1});
      *t.mutable_as<int64_t>() = value;
      return g.add_constant("", std::move(t));
    };
    const ValueId x = g.add_input("x", f32({Dim::symbol("n")}));
    const auto y = g.add(Op::kSlice, {x, one(c.start), one(c.end), one(0), one(c.step)});
    ASSERT_TRUE(y);
    EXPECT_EQ(simplified(c.size), (*g.value(*y).type.dims)[0].to_string()) << c.start << ":" << c.end;
  }
}

TEST(Graph, sorts_what_was_appended_late_and_finds_cycles) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {2}));
  const ValueId a = *g.add(Op::kTanh, {x}, {}, "a");
  const ValueId b = *g.add(Op::kTanh, {a}, {}, "b");
  g.add_output(b);
  const ValueId late = *g.add(Op::kTanh, {x}, {}, "late");
  g.node(g.value(b).producer).inputs[0] = late;
  EXPECT_FALSE(verify(g));
  ASSERT_TRUE(g.sort());
  EXPECT_TRUE(verify(g));
  EXPECT_EQ(g.remove_dead(), 1);
  g.node(g.value(late).producer).inputs[0] = b;
  EXPECT_FALSE(g.sort());
}

TEST(Verify, finds_a_wrong_record) {
  auto g = parse_graph(kText);
  g->value(g->find_value("a")).type = Type::of(DType::kF32, {7, 7, 7});
  EXPECT_FALSE(verify(*g));
}

}  // namespace
}  // namespace ingot
