// Builds the top level, from the site file and its imports, and then everything else.

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "conf/build.hpp"
#include "conf/build_acme.hpp"
#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

// Keys that several files may have.
constexpr std::array<std::string_view, 4> shared_keys = {"sites", "hub", "import", "env_file"};

// One map of all the files' top-level keys, with the file that each came from.
class Globals {
 public:
  explicit Globals(BuildContext& context) {
    for (const FileScope& scope : context.scopes) {
      for (const Entry& entry : scope.root->entries) add(context.problems, scope, entry);
    }
  }

  // A map of the values, so that they are read as those of any other map.
  const Node& merged() const { return merged_; }
  std::string_view file_of(std::string_view key) const {
    const auto found = files_.find(key);
    return found == files_.end() ? std::string_view() : found->second;
  }

 private:
  void add(Problems& problems, const FileScope& scope, const Entry& entry) {
    const std::string_view name = entry.key->text;
    if (name.starts_with("x-") ||
        std::find(shared_keys.begin(), shared_keys.end(), name) != shared_keys.end()) {
      return;
    }
    if (!files_.emplace(name, scope.file).second) {
      const Where& first = merged_.find_entry(name)->key->where;
      problems.error({entry.key->where, entry.key->text,
                      fmt::format("this key stands in {}:{} already", first.file, first.line), "",
                      "", ""});
      return;
    }
    merged_.kind = NodeKind::map;
    merged_.entries.push_back(entry);
  }

  Node merged_;
  std::map<std::string_view, std::string_view> files_;
};

void build_log(const Node& log, Config& config) {
  read_text(log, "level", config.log_level);
  read_text(log, "format", config.log_format);
}

void build_protocols(BuildContext& context, const Node& node) {
  const std::vector<std::string> names = texts_of(&node);
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  context.config.http2 = has("h2");
  if (names.empty() || has("h1")) return;
  context.problems.error({node.where, "protocols",
                          "h1 cannot be left out: WebSockets and old clients need it", "", "", ""});
}

void build_public_authorities(BuildContext& context, const Globals& globals) {
  Acme& acme = context.config.acme;
  acme.issuers = default_issuers(context.config.email);
  const Node* const node = globals.merged().find("acme");
  if (node == nullptr) return;
  const KeyPath root;
  for (const FileScope& scope : context.scopes) {
    if (scope.file != globals.file_of("acme")) continue;
    build_acme({context, scope}, *node, root.key("acme"), acme);
  }
}

void build_bind(const Node& node, Config& config) {
  config.bind.clear();
  for (const std::string& text : texts_of(&node)) {
    if (Parsed<std::string> address = parse_bind(text)) config.bind.push_back(*address);
  }
}

}  // namespace

void build_global(BuildContext& context) {
  const Globals globals(context);
  const Node& map = globals.merged();
  Config& config = context.config;
  read_port(map, "http_port", config.http_port);
  read_port(map, "https_port", config.https_port);
  read_unsigned(map, "threads", config.threads);
  if (map.has("storage")) {
    read_text(map, "storage", config.storage);
    config.storage = resolve_path(globals.file_of("storage"), config.storage);
  }
  read_text(map, "admin", config.admin);
  if (const Node* node = map.find("metrics"); node != nullptr) {
    if (const Parsed<ListenAddress> at = parse_listen(node->text)) config.metrics = at->text();
  }
  read_text(map, "email", config.email);
  build_public_authorities(context, globals);
  read_duration(map, "grace_period", config.grace_period);
  read_networks(map, "trusted_proxies", config.trusted_proxies);
  read_networks(map, "proxy_protocol", config.proxy_protocol);
  if (const Node* log = map.find("log"); log != nullptr) build_log(*log, config);
  read_timeouts(map, config.timeouts);
  if (const Node* node = map.find("protocols"); node != nullptr) build_protocols(context, *node);
  if (const Node* node = map.find("bind"); node != nullptr) build_bind(*node, config);
}

void build_config(BuildContext& context) {
  build_global(context);
  for (const FileScope& scope : context.scopes) build_sites(context, scope);
  build_hub(context);
}

}  // namespace portero::conf
