// Checks a tree against the schema table: unknown keys, values of the wrong shape, keys that this
// version does not honour, keys that are missing.
// Thread: any (pure).
#pragma once

#include "conf/node.hpp"
#include "conf/problem.hpp"
#include "conf/schema.hpp"

namespace portero::conf {

// Checks a whole file. Keys at the left margin that start with "x-" are left alone: they hold
// anchors for merge keys.
void check_tree(const Node& root, Problems& problems);

}  // namespace portero::conf
