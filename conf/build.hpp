// Turns checked trees into the Config. What check_tree refused is left out here without a second
// message; what needs more than one key to be judged is judged here (one action per route, files
// of `tls`), and what needs the whole file in validate.hpp.
// Thread: any; belongs to one load.
#pragma once

#include <string>
#include <vector>

#include "conf/environment.hpp"
#include "conf/files.hpp"
#include "conf/node.hpp"
#include "conf/problem.hpp"

namespace portero::conf {

// One file that was read: the site file or an import.
struct FileScope {
  std::string file;
  const Node* root;  // a map; owned by the load
  Environment environment;
};

// Where the hub is used, for checks that need all applications.
struct HubUse {
  Where where;
  std::string key_path;
  HubRef hub;
  const FileScope* scope;
};

struct BuildContext {
  const std::vector<FileScope>& scopes;
  const FileSource& files;
  Problems& problems;
  Config config;
  std::vector<HubUse> hub_uses;
  bool is_complete = true;  // every file could be read
};

// Builds everything, in this order: the top level first, because sites depend on its ports.
void build_config(BuildContext& context);

void build_global(BuildContext& context);
void build_sites(BuildContext& context, const FileScope& scope);
// The applications of `hub.apps`, or the one of the environment.
void build_hub(BuildContext& context);

}  // namespace portero::conf
