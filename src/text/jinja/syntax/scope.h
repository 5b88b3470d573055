// Which variable a name means: decided once per template, as Jinja's compiler does.
//
// A for loop, macro, call, filter, set, with and block opens a scope; if does not. A name that a scope
// stores anywhere is that scope's own, also in the lines before the store; at entry it starts as the
// outer variable of that name, if there is one. Every Name gets its slot, every scope its entry loads,
// and every filter and test its table index (an unknown one is an error, unless an if may skip it).
#pragma once

#include "text/jinja/syntax/ast.h"

namespace ingot::jinja {

// The template's own activation: its size, and where its outermost names are.
struct RootVariables {
  int slots = 0;
  std::vector<std::pair<std::string, int>> names;
};
RootVariables resolve_scopes(Body& body, Scope& scope, Constants& constants);

}  // namespace ingot::jinja
