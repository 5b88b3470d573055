#include <gtest/gtest.h>

#include "formats/onnx/onnx_import.h"
#include "onnx.pb.h"

namespace ingot {
namespace {

namespace pb = onnx::pb;

// A TreeEnsembleRegressor of one tree: node 0 asks, nodes 1 and 2 are leaves.
struct Ensemble {
  std::vector<int64_t> trees{0, 0, 0}, nodes{0, 1, 2}, features{0, 0, 0}, yes{1, 0, 0}, no{2, 0, 0};
  std::vector<std::string> modes{"BRANCH_LEQ", "LEAF", "LEAF"};
  std::vector<float> values{0.5f, 0, 0};
  std::vector<int64_t> weight_nodes{1, 2};

  Result<Graph> import() const {
    pb::Model model;
    model.set_ir_version(8);
    auto* opset = model.add_opset_import();
    opset->set_domain("ai.onnx.ml");
    opset->set_version(1);
    pb::GraphDef& g = *model.mutable_graph();
    g.set_name("g");
    auto* x = g.add_input();
    x->set_name("x");
    auto* type = x->mutable_type()->mutable_tensor_type();
    type->set_elem_type(1);
    type->mutable_shape()->add_dim()->set_dim_param("n");
    type->mutable_shape()->add_dim()->set_dim_value(1);
    g.add_output()->set_name("y");
    pb::NodeDef& n = *g.add_node();
    n.set_op_type("TreeEnsembleRegressor");
    n.set_domain("ai.onnx.ml");
    n.set_name("trees");
    n.add_input("x");
    n.add_output("y");
    const auto attribute = [&](const std::string& name, pb::AttributeDef::Kind kind) {
      pb::AttributeDef* a = n.add_attribute();
      a->set_name(name);
      a->set_type(kind);
      return a;
    };
    const auto ints = [&](const std::string& name, const std::vector<int64_t>& v) {
      *attribute(name, pb::AttributeDef::INTS)->mutable_ints() = {v.begin(), v.end()};
    };
    ints("nodes_treeids", trees);
    ints("nodes_nodeids", nodes);
    ints("nodes_featureids", features);
    ints("nodes_truenodeids", yes);
    ints("nodes_falsenodeids", no);
    *attribute("nodes_values", pb::AttributeDef::FLOATS)->mutable_floats() = {values.begin(), values.end()};
    *attribute("nodes_modes", pb::AttributeDef::STRINGS)->mutable_strings() = {modes.begin(), modes.end()};
    ints("target_treeids", std::vector<int64_t>(weight_nodes.size(), 0));
    ints("target_nodeids", weight_nodes);
    ints("target_ids", std::vector<int64_t>(weight_nodes.size(), 0));
    *attribute("target_weights", pb::AttributeDef::FLOATS)->mutable_floats() = {
        values.begin(), values.begin() + static_cast<int>(weight_nodes.size())};
    const std::string bytes = model.SerializeAsString();
    return import_onnx_bytes(std::as_bytes(std::span(bytes)));
  }
  std::string error() const {
    const auto graph = import();
    return graph ? "" : graph.error().message();
  }
};

TEST(ConvertTrees, names_of_nodes_become_indices) {
  const auto graph = Ensemble().import();
  ASSERT_TRUE(graph) << graph.error().message();
  const Node& n = graph->node(graph->order().back());
  EXPECT_EQ(n.op, Op::kTrees);
  const int32_t* links = graph->constant(n.inputs[2])->as<int32_t>();
  EXPECT_EQ(std::vector<int32_t>(links, links + 3), (std::vector<int32_t>{0, ~0, ~1}));
}

TEST(ConvertTrees, damaged_lists_are_refused_by_name) {
  Ensemble child;
  child.yes[0] = 9;
  EXPECT_NE(child.error().find("has no node 9 in tree 0"), std::string::npos) << child.error();
  Ensemble twice;
  twice.nodes[2] = 1;
  EXPECT_NE(twice.error().find("names node 1 of tree 0 twice"), std::string::npos) << twice.error();
  Ensemble circle;
  circle.yes[0] = circle.no[0] = 0;
  EXPECT_NE(circle.error().find("tree 0 has 2 roots"), std::string::npos) << circle.error();
  Ensemble lengths;
  lengths.values.pop_back();
  EXPECT_NE(lengths.error().find("differ in length"), std::string::npos) << lengths.error();
  Ensemble mode;
  mode.modes[0] = "BRANCH_MAYBE";
  EXPECT_NE(mode.error().find("BRANCH_MAYBE"), std::string::npos) << mode.error();
  Ensemble feature;
  feature.features[0] = -1;
  EXPECT_NE(feature.error().find("feature -1"), std::string::npos) << feature.error();
}

}  // namespace
}  // namespace ingot
