/* Ingot's C interface: tensor models (session.h) and language models (llm.h) in one shared library, libingot.so.
 *
 * C99 and any later C or C++; ingot.hpp has C++ classes over it. The rules of ownership, errors and threads stand in
 * types.h. Plain functions and not a table of pointers: the linker then checks that a program and the library fit, any
 * language's foreign functions can call them, and a function that is added changes nothing for those that were built
 * before. What must stay open for change is text by name (settings) or a struct that begins with its size.
 */
#ifndef INGOT_INGOT_H_
#define INGOT_INGOT_H_

#include "ingot/llm.h"
#include "ingot/session.h"
#include "ingot/types.h"

#endif
