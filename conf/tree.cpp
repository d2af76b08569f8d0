#include "conf/tree.hpp"

#include <map>
#include <set>

#include <fmt/format.h>

namespace portero::conf {
namespace {

constexpr std::string_view merge_key = "<<";

class Resolver {
 public:
  explicit Resolver(Problems& problems) : problems_(problems) {}

  // Depth first, so that what a map merges is complete when it is copied. A node that aliases
  // share is visited once.
  void resolve(Node& node, const KeyPath& path) {
    if (!done_.insert(&node).second) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) resolve(*node.items[i], path.item(i));
    for (const Entry& entry : node.entries) resolve(*entry.value, path.key(entry.key->text));
    if (!node.is_map()) return;
    std::vector<Entry> entries;
    std::vector<const Node*> sources;
    for (const Entry& entry : node.entries) {
      if (entry.key->text == merge_key && !entry.key->quoted) {
        collect_sources(*entry.value, path.key(merge_key), sources);
      } else {
        entries.push_back(entry);
      }
    }
    node.entries = without_repeats(entries, path);
    for (const Node* source : sources) merge(*source, node);
  }

 private:
  // A merge key names a map or a list of maps; the earlier one wins.
  void collect_sources(const Node& value, const KeyPath& path, std::vector<const Node*>& sources) {
    if (value.is_map()) {
      sources.push_back(&value);
      return;
    }
    bool valid = value.is_list();
    for (const Node* item : value.items) {
      valid = valid && item->is_map();
      if (item->is_map()) sources.push_back(item);
    }
    if (valid) return;
    problems_.error({value.where, path.text(), "there is nothing to merge",
                     "an alias of a map, or a list of them", "", ""});
  }

  std::vector<Entry> without_repeats(const std::vector<Entry>& entries, const KeyPath& path) {
    std::map<std::string_view, const Node*> seen;
    std::vector<Entry> kept;
    for (const Entry& entry : entries) {
      const auto [first, is_new] = seen.emplace(entry.key->text, entry.key);
      if (is_new) {
        kept.push_back(entry);
        continue;
      }
      const int line = first->second->where.line;
      problems_.error({entry.key->where, path.key(entry.key->text).text(),
                       fmt::format("this key stands in line {} already", line), "", "", ""});
    }
    return kept;
  }

  static void merge(const Node& source, Node& into) {
    std::set<std::string_view> own;
    for (const Entry& entry : into.entries) own.insert(entry.key->text);
    for (const Entry& entry : source.entries) {
      if (own.insert(entry.key->text).second) into.entries.push_back(entry);
    }
  }

  Problems& problems_;
  std::set<const Node*> done_;
};

}  // namespace

void resolve_tree(Document& document, Problems& problems) {
  if (document.root == nullptr) return;
  Resolver(problems).resolve(*document.root, KeyPath{});
}

}  // namespace portero::conf
