#include <gtest/gtest.h>

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
