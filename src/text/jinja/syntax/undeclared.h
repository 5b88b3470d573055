// Which of some special names ("loop", "caller", ...) a body reads before it stores them itself.
//
// Unlike scope resolution this looks into nested loops and macros too, as Jinja's compiler does. Stateless.
#pragma once

#include <set>
#include <string>

#include "text/jinja/syntax/ast.h"

namespace ingot::jinja {

struct Undeclared {
  std::set<std::string> names;  // still of interest
  std::set<std::string> found;
};
void find_undeclared(Undeclared& u, const Body& body);

}  // namespace ingot::jinja
