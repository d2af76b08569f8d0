// What happens to a site file's tree between reading and checking: `<<` merge keys are resolved
// and keys that are written twice are found.
// Thread: any (pure).
#pragma once

#include "conf/node.hpp"
#include "conf/problem.hpp"

namespace portero::conf {

// Limits of a tree, against files that grow when their aliases are followed.
constexpr unsigned tree_depth_max = 64;
constexpr std::size_t tree_nodes_max = 100'000;

// Call once per document, after ${…} has been filled in, because names may come from there.
// Errors: a key written twice (the first one is kept); a `<<` that names no map.
void resolve_tree(Document& document, Problems& problems);

}  // namespace portero::conf
