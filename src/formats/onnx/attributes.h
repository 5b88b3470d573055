// AttributeProto -> Attribute. Every operator has its own list of names with their types, which the rest of Ingot
// relies on: what is not in the list would be dropped unseen, and is refused.
#pragma once

#include "formats/onnx/functions.h"
#include "formats/onnx/tensors.h"
#include "ir/attributes.h"

namespace ingot::onnx {

// The node's attributes, without graphs; those that refer to attributes of the function whose call is `expansion` (or
// null) have their values. Errors: kInvalidArgument for an unknown name or a wrong type.
Result<Attributes> read_attributes(const pb::NodeDef& node, const Expansion* expansion, TensorReader& tensors);

}  // namespace ingot::onnx
