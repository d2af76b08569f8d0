// Reads YAML into a Document. The only file that knows yaml-cpp is load_yaml.cpp.
// Thread: any.
#pragma once

#include <string_view>

#include "conf/node.hpp"
#include "conf/problem.hpp"

namespace portero::conf {

// Parses `text` as the content of `document.file`. A file without content has an empty map as
// root. Gives false, and no root, after an error of the syntax.
// Errors: bad syntax (with a hint for the usual mistakes), text that is not UTF-8, a second
// document, tags, keys that are not text, more than tree_depth_max levels or tree_nodes_max nodes.
bool parse_yaml(std::string_view text, Document& document, Problems& problems);

}  // namespace portero::conf
