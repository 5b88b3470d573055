// Loops, scans, sequences and functions as files hold them; what hostile files make of them.
#include <gtest/gtest.h>

#include "formats/onnx/test_models.h"

namespace ingot {
namespace {

pb::GraphDef& add_graph(pb::NodeDef& n, const std::string& name) {
  auto* a = n.add_attribute();
  a->set_name(name);
  a->set_type(pb::AttributeDef::GRAPH);
  return *a->mutable_g();
}

void add_value(pb::ValueInfo* v, const std::string& name, int type = 1) {
  v->set_name(name);
  v->mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

void set_ref(pb::NodeDef& n, const std::string& name, pb::AttributeDef::Kind type, const std::string& to) {
  auto* a = n.add_attribute();
  a->set_name(name);
  a->set_type(type);
  a->set_ref_attr_name(to);
}

pb::Function& add_function(ModelMaker& m, const std::string& name, std::vector<std::string> in,
                           std::vector<std::string> out) {
  pb::Function& f = *m.model.add_functions();
  f.set_name(name);
  f.set_domain("local");
  for (const auto& i : in) f.add_input(i);
  for (const auto& o : out) f.add_output(o);
  f.add_opset_import()->set_version(17);
  return f;
}

pb::NodeDef& add_node(pb::Function& f, const std::string& op, std::vector<std::string> in, std::vector<std::string> out,
                      const std::string& domain = "") {
  pb::NodeDef& n = *f.add_node();
  n.set_op_type(op);
  n.set_domain(domain);
  n.set_name(op + "_inside");
  for (const auto& i : in) n.add_input(i);
  for (const auto& o : out) n.add_output(o);
  return n;
}

ModelMaker model_of(int64_t opset = 17) {
  ModelMaker m(opset);
  m.model.add_opset_import()->set_domain("local");
  m.model.mutable_opset_import(1)->set_version(1);
  return m;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// Loop(n, "", x) with one carried value: body_node(carried, x) -> next.
ModelMaker loop_model(const std::string& op, std::vector<std::string> in) {
  ModelMaker m = model_of();
  m.input("n", {}, 7);
  m.input("x", {"batch", "3"});
  pb::NodeDef& loop = m.node("Loop", {"n", "", "x"}, {"y"});
  pb::GraphDef& body = add_graph(loop, "body");
  add_value(body.add_input(), "i", 7);
  add_value(body.add_input(), "c", 9);
  add_value(body.add_input(), "s");
  pb::NodeDef& n = m.node(op, std::move(in), {"t"}, &body);
  if (op == "Concat") set_int(n, "axis", 0);
  add_value(body.add_output(), "c", 9);
  add_value(body.add_output(), "t");
  m.output("y");
  return m;
}

TEST(OnnxNested, a_loop_keeps_the_shapes_that_all_iterations_have) {
  auto same = loop_model("Add", {"s", "x"}).import();
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_TRUE(verify(*same));
  EXPECT_EQ(same->value(same->outputs()[0]).type.to_string(), "f32[batch,3]");
  auto grows = loop_model("Concat", {"s", "x"}).import();
  ASSERT_TRUE(grows) << grows.error().message();
  EXPECT_TRUE(verify(*grows));
  EXPECT_EQ(grows->value(grows->outputs()[0]).type.to_string(), "f32[?,3]");
  EXPECT_TRUE(contains(loop_model("Shape", {"s"}).error(), "carried value 's' is f32[batch,3] and then i64[2]"));
}

TEST(OnnxNested, loops_that_do_not_fit_are_refused) {
  ModelMaker m = loop_model("Add", {"s", "x"});
  m.graph().mutable_node(0)->mutable_attribute(0)->mutable_g()->mutable_input()->RemoveLast();
  EXPECT_TRUE(contains(m.error(), "input 's' is defined nowhere")) << m.error();
  m = loop_model("Add", {"s", "x"});
  m.graph().mutable_node(0)->add_input("x");
  EXPECT_TRUE(contains(m.error(), "carries 2 values, its body has 3 inputs and 2 outputs")) << m.error();
  m.graph().mutable_node(0)->clear_attribute();
  EXPECT_TRUE(contains(m.error(), "needs one body"));
  EXPECT_TRUE(contains(loop_model("Add", {"s", "nowhere"}).error(), "input 'nowhere' is defined nowhere"))
      << loop_model("Add", {"s", "nowhere"}).error();
}

TEST(OnnxNested, a_scan_slices_some_of_its_operands) {
  for (const int64_t sliced : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{3}, INT64_MAX}) {
    ModelMaker m = model_of();
    m.input("x", {"3", "2"});
    pb::NodeDef& scan = m.node("Scan", {"x"}, {"y"});
    pb::GraphDef& body = add_graph(scan, "body");
    add_value(body.add_input(), "s");
    m.node("Neg", {"s"}, {"t"}, &body);
    add_value(body.add_output(), "t");
    set_int(scan, "num_scan_inputs", sliced);
    m.output("y");
    EXPECT_TRUE(contains(m.error(), "num_scan_inputs is")) << m.error();
  }
}

// A call costs its scope, too.
TEST(OnnxNested, calls_of_wide_functions_are_limited) {
  ModelMaker m = model_of();
  m.input("x", {"3"});
  std::vector<std::string> inputs;
  for (int i = 0; i < 2000; ++i) inputs.push_back(fmt::format("in{}", i));
  add_function(m, "wide", inputs, {"in0"});
  for (int i = 0; i < 2000; ++i) m.node("wide", {"x"}, {fmt::format("y{}", i)}).set_domain("local");
  m.output("y0");
  EXPECT_TRUE(contains(m.error(), "nodes, with its functions in place")) << m.error();
}

// Every level is built again for each guess of its carried types.
TEST(OnnxNested, loops_in_loops_are_limited) {
  const auto nested = [](int depth) {
    ModelMaker m = loop_model("Concat", {"s", "x"});
    pb::GraphDef* at = &m.graph();
    const pb::NodeDef loop = at->node(0);
    for (int i = 0; i < depth; ++i) {
      at = at->mutable_node(0)->mutable_attribute(0)->mutable_g();
      pb::NodeDef copy = loop;
      copy.clear_output();
      copy.add_output("t");
      copy.set_input(2, "s");
      *at->mutable_node(0) = copy;
    }
    return m;
  };
  auto graph = nested(3).import();
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(verify(*graph));
  EXPECT_EQ(nested(25).error(), "");
  EXPECT_NE(nested(40).error(), "");  // protobuf goes no deeper
}

TEST(OnnxNested, a_function_takes_the_place_of_its_call) {
  ModelMaker m = model_of();
  m.input("x", {"2", "3"});
  pb::Function& twice = add_function(m, "Twice", {"a", "unused"}, {"b", "c"});
  twice.add_attribute("axis");
  auto* slope = twice.add_attribute_proto();
  slope->set_name("slope");
  slope->set_type(pb::AttributeDef::FLOAT);
  slope->set_f(0.5f);
  set_ref(add_node(twice, "Softmax", {"a"}, {"b"}), "axis", pb::AttributeDef::INT, "axis");
  set_ref(add_node(twice, "LeakyRelu", {"y"}, {"c"}), "alpha", pb::AttributeDef::FLOAT, "slope");
  add_node(twice, "Neg", {"a"}, {"y"});
  pb::Function& outer = add_function(m, "Outer", {"a"}, {"z"});
  outer.add_attribute("along");
  pb::NodeDef& inner = add_node(outer, "Twice", {"a"}, {"p", "q"}, "local");
  set_ref(inner, "axis", pb::AttributeDef::INT, "along");
  add_node(outer, "Add", {"p", "q"}, {"z"});
  pb::NodeDef& call = m.node("Outer", {"x"}, {"y"});
  call.set_domain("local");
  set_int(call, "along", 0);
  m.output("y");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  ASSERT_TRUE(verify(*g));
  const std::string text = print(*g);
  EXPECT_TRUE(contains(text, "Softmax(%x) {axis=0} @\"Outer_node/Twice_inside/Softmax_inside\"")) << text;
  EXPECT_TRUE(contains(text, "{alpha=0.5f}")) << text;
  EXPECT_EQ(g->value(g->outputs()[0]).name, "y");
}

TEST(OnnxNested, functions_that_call_themselves_are_refused) {
  ModelMaker m = model_of();
  m.input("x", {"2"});
  for (const auto& [name, other] : {std::pair{"A", "B"}, std::pair{"B", "C"}, std::pair{"C", "A"}})
    add_node(add_function(m, name, {"a"}, {"b"}), other, {"a"}, {"b"}, "local");
  m.node("A", {"x"}, {"y"}).set_domain("local");
  m.output("y");
  EXPECT_TRUE(contains(m.error(), "calls itself: local.A -> local.B -> local.C -> local.A")) << m.error();
}

// 30 functions that each call the one before twice would be 2^30 nodes.
TEST(OnnxNested, calls_that_multiply_are_limited) {
  ModelMaker m = model_of();
  m.input("x", {"2"});
  add_node(add_function(m, "F0", {"a"}, {"b"}), "Neg", {"a"}, {"b"});
  for (int i = 1; i < 30; ++i) {
    pb::Function& f = add_function(m, fmt::format("F{}", i), {"a"}, {"b"});
    add_node(f, fmt::format("F{}", i - 1), {"a"}, {"c"}, "local");
    add_node(f, fmt::format("F{}", i - 1), {"c"}, {"b"}, "local");
  }
  m.node("F29", {"x"}, {"y"}).set_domain("local");
  m.output("y");
  EXPECT_TRUE(contains(m.error(), "nodes, with its functions in place")) << m.error();
}

TEST(OnnxNested, functions_name_what_is_wrong) {
  const auto error_of = [](auto&& change) {
    ModelMaker m = model_of();
    m.input("x", {"2"});
    pb::Function& f = add_function(m, "F", {"a"}, {"b"});
    add_node(f, "Neg", {"a"}, {"b"});
    pb::NodeDef& call = m.node("F", {"x"}, {"y"});
    call.set_domain("local");
    m.output("y");
    change(m, f, call);
    return m.error();
  };
  using F = pb::Function;
  using N = pb::NodeDef;
  EXPECT_EQ(error_of([](auto&, F&, N&) {}), "");
  EXPECT_TRUE(contains(error_of([](auto& m, F& f, N&) { *m.model.add_functions() = f; }), "a second time"));
  EXPECT_TRUE(contains(error_of([](auto&, F&, N& n) { n.add_input("x"); }), "2 inputs"));
  EXPECT_TRUE(contains(error_of([](auto&, F&, N& n) { set_int(n, "axis", 1); }), "unknown attribute 'axis'"));
  EXPECT_TRUE(contains(error_of([](auto&, F& f, N&) { f.set_output(0, "z"); }), "output 'z' is defined nowhere"));
  EXPECT_TRUE(contains(error_of([](auto&, F& f, N&) { f.mutable_node(0)->set_op_type("Nag"); }),
                       "not built: Nag ('function F: Neg_inside')"));
  EXPECT_TRUE(contains(error_of([](auto&, F& f, N&) { f.mutable_node(0)->set_input(0, "x"); }), "defined nowhere"));
  EXPECT_TRUE(
      contains(error_of([](auto&, F& f, N&) { set_ref(*f.mutable_node(0), "axis", pb::AttributeDef::INT, "none"); }),
               "attribute 'axis'"));
  EXPECT_TRUE(contains(error_of([](auto&, F& f, N&) { f.mutable_opset_import(0)->set_version(99); }), "opset 99"));
}

TEST(OnnxNested, sequences_have_types) {
  ModelMaker m = model_of();
  auto* in = m.graph().add_input();
  in->set_name("s");
  in->mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(1);
  m.ints("at", {0});
  m.node("SequenceAt", {"s", "at"}, {"y"});
  m.output("y");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->value(g->inputs()[0]).type.to_string(), "seq(f32[*])");
  EXPECT_EQ(g->value(g->outputs()[0]).type.to_string(), "f32[*]");
  pb::TypeDef deep = in->type();
  for (int i = 0; i < 20; ++i) {
    const pb::TypeDef before = deep;
    *deep.mutable_optional_type()->mutable_elem_type() = before;
  }
  *in->mutable_type() = deep;
  EXPECT_TRUE(contains(m.error(), "nested deeper than")) << m.error();
}

TEST(OnnxNested, a_tensor_operator_refuses_a_sequence) {
  ModelMaker m = model_of();
  auto* in = m.graph().add_input();
  in->set_name("s");
  in->mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(1);
  m.node("Neg", {"s"}, {"y"});
  m.output("y");
  EXPECT_TRUE(contains(m.error(), "operand 0 is seq(f32[*]), not a tensor")) << m.error();
}

TEST(OnnxNested, serialized_sequences_and_optionals_are_read) {
  pb::Sequence s;
  s.set_elem_type(1);
  auto* t = s.add_tensor_values();
  t->set_data_type(1);
  t->add_dims(2);
  t->add_float_data(1);
  t->add_float_data(2);
  const auto parse = [](const auto& proto, const Type& type) {
    const std::string bytes = proto.SerializeAsString();
    return parse_onnx_value(std::as_bytes(std::span(bytes)), type);
  };
  const Type type = Type::sequence(Type{DType::kF32, std::nullopt});
  auto read = parse(s, type);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->shape(), Shape{1});
  EXPECT_EQ(read->as<Tensor>()->as<float>()[1], 2);
  pb::OptionalValue o;
  EXPECT_EQ(parse(o, Type::optional(type))->shape(), Shape{0});
  *o.mutable_sequence_value() = s;
  EXPECT_EQ(parse(o, Type::optional(type))->as<Tensor>()->shape(), Shape{1});
  EXPECT_FALSE(parse(s, Type::sequence(Type{DType::kI64, std::nullopt})));
  EXPECT_FALSE(parse(s, Type::sequence(Type::of(DType::kF32, {3}))));
}

TEST(OnnxNested, sparse_initializers_become_dense) {
  ModelMaker m = model_of();
  auto* t = m.graph().add_sparse_initializer();
  t->mutable_values()->set_name("w");
  t->mutable_values()->set_data_type(1);
  t->mutable_values()->add_dims(2);
  t->mutable_values()->add_float_data(5);
  t->mutable_values()->add_float_data(7);
  t->mutable_indices()->set_data_type(7);
  t->mutable_indices()->add_dims(2);
  t->mutable_indices()->add_int64_data(1);
  t->mutable_indices()->add_int64_data(5);
  t->add_dims(2);
  t->add_dims(3);
  m.input("x", {"2", "3"});
  m.node("Add", {"x", "w"}, {"y"});
  m.output("y");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_TRUE(contains(print(*g), "%w: f32[2,3] = [0,5,0,0,0,7]")) << print(*g);
  t->mutable_indices()->set_int64_data(1, 6);
  EXPECT_TRUE(contains(m.error(), "index 6 is not in [0, 6)")) << m.error();
  t->set_dims(0, int64_t{1} << 40);
  EXPECT_TRUE(contains(m.error(), "has over")) << m.error();
}

}  // namespace
}  // namespace ingot
