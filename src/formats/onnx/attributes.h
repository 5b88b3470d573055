// AttributeProto -> Attribute. Every name has one type (two for `value`), which the rest of Ingot relies on.
#pragma once

#include "formats/onnx/tensors.h"
#include "ir/attributes.h"

namespace ingot::onnx {

// The node's attributes, without graphs. Errors: kInvalidArgument for an unknown name or a wrong type.
Result<Attributes> read_attributes(const pb::NodeDef& node, TensorReader& tensors);

}  // namespace ingot::onnx
