#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/onnx_import.h"
#include "formats/onnx/test_models.h"
#include "formats/test_files.h"

namespace ingot {
namespace {

// x [batch,seq,768] -> Reshape to [batch, seq, 12, 64], the shape computed by the model.
ModelMaker reshaping_model() {
  ModelMaker m(13);
  m.input("x", {"batch size", "seq", "768"});
  m.ints("zero", {0});
  m.ints("one", {1});
  m.ints("tail", {12, 64});
  m.node("Shape", {"x"}, {"s"});
  m.node("Gather", {"s", "zero"}, {"b"});
  m.node("Gather", {"s", "one"}, {"q"});
  set_int(m.node("Concat", {"b", "q", "tail"}, {"shape"}), "axis", 0);
  m.node("Reshape", {"x", "shape"}, {"y"});
  m.output("y");
  return m;
}

TEST(OnnxImport, follows_computed_shapes_as_symbols) {
  auto g = reshaping_model().import();
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->value(g->outputs()[0]).type.to_string(), "f32[batch_size,seq,12,64]");
  EXPECT_TRUE(verify(*g));
}

TEST(OnnxImport, converts_the_forms_of_opset_1) {
  ModelMaker m(1);
  m.model.set_ir_version(3);
  m.input("x", {"2", "2", "3"});
  m.input("c", {"2"});
  set_ints(m.node("Reshape", {"x"}, {"r"}), "shape", {2, 6});
  auto& add = m.node("Add", {"r", "c"}, {"s"});
  set_int(add, "broadcast", 1);
  set_int(add, "axis", 0);
  auto* to = m.node("Cast", {"s"}, {"i"}).add_attribute();
  to->set_name("to");
  to->set_type(pb::AttributeDef::STRING);
  to->set_s("DOUBLE");
  m.node("Concat", {"i", "i"}, {"y"});
  m.node("Selu", {"r"}, {"z"});
  m.output("y");
  m.output("z");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  ASSERT_TRUE(verify(*g));
  EXPECT_EQ(g->value(g->outputs()[0]).type.to_string(), "f64[2,12]");
  EXPECT_NE(print(*g).find("alpha=1.6732f"), std::string::npos);
  to->set_s("DUBBLE");
  EXPECT_NE(m.error().find("'DUBBLE' is not known"), std::string::npos);
}

TEST(OnnxImport, converts_old_forms) {
  ModelMaker m(11);
  m.input("x", {"2", "1", "5"});
  set_ints(m.node("Squeeze", {"x"}, {"a"}), "axes", {1});
  set_ints(m.node("ReduceMean", {"a"}, {"b"}), "axes", {1});
  set_int(m.node("Softmax", {"x"}, {"c"}), "axis", 1);
  m.output("b");
  m.output("c");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  const std::string text = print(*g);
  EXPECT_NE(text.find("Squeeze(%x, %Squeeze_node_list)"), std::string::npos) << text;
  EXPECT_NE(text.find("Flatten(%x) {axis=1}"), std::string::npos) << text;
  EXPECT_EQ(g->value(g->outputs()[1]).type.to_string(), "f32[2,1,5]");
}

TEST(OnnxImport, closes_the_branches_of_if) {
  ModelMaker m(16);
  m.input("x", {"n"});
  m.input("k", {}, 9);
  pb::NodeDef& n = m.node("If", {"k"}, {"y"});
  for (const char* name : {"then_branch", "else_branch"}) {
    auto* a = n.add_attribute();
    a->set_name(name);
    a->set_type(pb::AttributeDef::GRAPH);
    a->mutable_g()->set_name(name);
    m.node(name[0] == 't' ? "Relu" : "Neg", {"h"}, {"r"}, a->mutable_g());
    m.output("r", a->mutable_g());
  }
  m.node("Tanh", {"x"}, {"h"});  // after its reader in the file
  m.output("y");
  auto g = m.import();
  ASSERT_TRUE(g) << g.error().message();
  const Node& last = g->node(g->order().back());
  EXPECT_EQ(last.op, Op::kIf);
  EXPECT_EQ(last.inputs.size(), 2u);
  EXPECT_EQ(g->value(last.outputs[0]).type.to_string(), "f32[n]");
}

TEST(OnnxImport, refuses_axes_that_are_bytes) {
  ModelMaker m(13);
  m.input("x", {"2", "3"});
  pb::TensorDef& axes = *m.graph().add_initializer();
  axes.set_name("axes");
  axes.set_data_type(3);  // i8: eight of them would be read as one index
  axes.add_dims(8);
  axes.set_raw_data(std::string(8, '\x7f'));
  m.node("ReduceSum", {"x", "axes"}, {"y"});
  m.output("y");
  EXPECT_NE(m.error().find("not i64 or i32"), std::string::npos) << m.error();
}

TEST(OnnxImport, refuses_the_attributes_of_other_operators) {
  // Each would be dropped unseen; the last ones belong to other opsets.
  for (const auto& [op, name, opset] : {std::tuple{"Relu", "transA", 17},
                                        {"Relu", "axis", 17},
                                        {"Softmax", "keepdims", 17},
                                        {"Shape", "precision", 17},
                                        {"QuantizeLinear", "precision", 23},
                                        {"Dropout", "mask", 17},
                                        {"Tile", "repeats", 17},
                                        {"Add", "broadcast", 17}}) {
    ModelMaker m(opset);
    m.input("x", {"2", "3"});
    set_int(m.node(op, {"x", "x"}, {"y"}), name, 1);
    m.output("y");
    EXPECT_NE(m.error().find(op), std::string::npos) << m.error();
    EXPECT_NE(m.error().find(name), std::string::npos) << m.error();
  }
  for (const char* op : {"Slice", "Pad"}) {
    ModelMaker m(17);
    m.input("x", {"2", "3"});
    m.ints("list", {0, 0, 1, 1});
    set_ints(m.node(op, {"x", "list", "list"}, {"y"}), *op == 'S' ? "starts" : "pads", {0});
    m.output("y");
    EXPECT_NE(m.error().find("as attribute"), std::string::npos) << m.error();
  }
}

TEST(OnnxImport, limits_the_depth_of_nested_graphs) {
  const auto nested = [](int depth) {
    ModelMaker m(16);
    m.input("x", {"n"});
    m.input("k", {}, 9);
    pb::GraphDef* g = &m.graph();
    for (int i = 0; i < depth; ++i) {
      pb::NodeDef& n = m.node("If", {"k"}, {"y"}, g);
      m.output("y", g);
      pb::GraphDef* inner = nullptr;
      for (const char* name : {"then_branch", "else_branch"}) {
        auto* a = n.add_attribute();
        a->set_name(name);
        a->set_type(pb::AttributeDef::GRAPH);
        inner = a->mutable_g();
        if (name[0] == 't') m.node("Relu", {"x"}, {"y"}, inner), m.output("y", inner);
      }
      g = inner;
    }
    m.node("Neg", {"x"}, {"y"}, g);
    m.output("y", g);
    return m.error();
  };
  EXPECT_EQ(nested(8), "");
  EXPECT_NE(nested(40), "");
}

TEST(OnnxImport, lists_every_operator_that_is_not_built) {
  ModelMaker m(13);
  m.input("x", {"2"});
  m.node("Foo", {"x"}, {"a"});
  m.node("Bar", {"a"}, {"y"});
  m.output("y");
  const std::string e = m.error();
  EXPECT_NE(e.find("Foo ('Foo_node')"), std::string::npos) << e;
  EXPECT_NE(e.find("Bar ('Bar_node')"), std::string::npos) << e;
}

TEST(OnnxImport, names_what_is_wrong) {
  ModelMaker cycle(13);
  cycle.input("x", {"2"});
  cycle.node("Add", {"x", "b"}, {"a"});
  cycle.node("Neg", {"a"}, {"b"});
  cycle.output("b");
  EXPECT_NE(cycle.error().find("cycle"), std::string::npos) << cycle.error();

  ModelMaker missing(13);
  missing.input("x", {"2"});
  missing.node("Add", {"x", "nowhere"}, {"a"});
  missing.output("a");
  EXPECT_NE(missing.error().find("'nowhere' is defined nowhere"), std::string::npos) << missing.error();

  ModelMaker twice(13);
  twice.input("x", {"2"});
  twice.node("Neg", {"x"}, {"x"});
  twice.output("x");
  EXPECT_NE(twice.error().find("second time"), std::string::npos) << twice.error();

  ModelMaker types(13);
  types.input("x", {"2"});
  types.input("k", {"2"}, 7);
  types.node("Add", {"x", "k"}, {"y"});
  types.output("y");
  EXPECT_NE(types.error().find("Add_node"), std::string::npos) << types.error();

  ModelMaker wrong(13);
  wrong.input("x", {"2"});
  set_ints(wrong.node("Softmax", {"x"}, {"y"}), "axis", {1});
  wrong.output("y");
  EXPECT_NE(wrong.error().find("'axis' has the wrong type"), std::string::npos) << wrong.error();

  EXPECT_NE(ModelMaker(99).error().find("opset 99"), std::string::npos);
}

// External data: read in place, and never from outside the folder.
TEST(OnnxImport, keeps_external_data_inside_the_folder) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "ingot_onnx_test";
  fs::remove_all(folder);
  fs::create_directories(folder / "model");
  const float numbers[4] = {1, 2, 3, 4};
  for (const fs::path& p : {folder / "model" / "w.bin", folder / "secret.bin"})
    std::ofstream(p, std::ios::binary).write(reinterpret_cast<const char*>(numbers), sizeof numbers);
  fs::create_symlink(folder / "secret.bin", folder / "model" / "link.bin");
  const auto import = [&](const std::string& location, const std::string& offset) {
    ModelMaker m(13);
    auto* t = m.graph().add_initializer();
    t->set_name("w");
    t->set_data_type(1);
    t->add_dims(2);
    t->set_data_location(1);
    const std::pair<std::string, std::string> entries[] = {{"location", location}, {"offset", offset}};
    for (const auto& [key, value] : entries) {
      auto* e = t->add_external_data();
      e->set_key(key);
      e->set_value(value);
    }
    m.node("Neg", {"w"}, {"y"});
    m.output("y");
    std::ofstream(folder / "model" / "m.onnx", std::ios::binary) << m.bytes();
    return import_onnx((folder / "model" / "m.onnx").string());
  };
  auto good = import("w.bin", "8");
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ(good->constant(good->find_value("w"))->as<float>()[1], 4);
  EXPECT_TRUE(good->value(good->find_value("w")).file_backed);
  EXPECT_EQ(import("w.bin", "12").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(import("../secret.bin", "0").error().code(), Code::kPermissionDenied);
  EXPECT_EQ(import((folder / "secret.bin").string(), "0").error().code(), Code::kPermissionDenied);
  EXPECT_EQ(import("link.bin", "0").error().code(), Code::kPermissionDenied);
  EXPECT_EQ(import("absent.bin", "0").error().code(), Code::kNotFound);
  fs::remove_all(folder);
}

TEST(OnnxImport, limits_the_number_of_nodes) {
  // A model's graph of empty nodes: field 1 of GraphProto, two bytes each.
  std::string graph;
  for (int64_t i = 0; i <= limits::kGraphNodesMax; ++i) graph += std::string("\x0a\x00", 2);
  std::string model = "\x08\x08\x3a";  // ir_version 8, then the graph
  for (size_t n = graph.size(); n || model.size() == 3; n >>= 7)
    model += static_cast<char>((n & 127) | (n >> 7 ? 128 : 0));
  model += graph;
  const auto result = import_onnx_bytes(std::as_bytes(std::span(model)));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find(std::to_string(limits::kGraphNodesMax)), std::string::npos)
      << result.error().message();
}

TEST(OnnxImport, survives_damage_at_1000_places) {
  const std::string whole = reshaping_model().bytes();
  int imported = 0;
  for_each_damage(whole, 7, [&](const std::string& bytes) {
    auto g = import_onnx_bytes(std::as_bytes(std::span(bytes)));
    imported += g.has_value();
    if (!g) {
      EXPECT_FALSE(g.error().message().empty());
    }
  });
  EXPECT_LT(imported, 1000);
}

}  // namespace
}  // namespace ingot
