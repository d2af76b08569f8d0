// A site file as a tree with places, before anything is known about its keys. Aliases share nodes,
// so a node may stand in several places; its own place is that of the text it came from.
// Thread: any; owned by its Document, which lives as long as one load.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.hpp"

namespace portero::conf {

struct Node;

struct Entry {
  Node* key;  // always a scalar
  Node* value;
};

enum class NodeKind : std::uint8_t { empty, scalar, list, map };

struct Node {
  NodeKind kind = NodeKind::empty;
  bool quoted = false;     // a scalar in quotes, or a block scalar
  bool flow = false;       // a list in [] or a map in {}
  bool is_faulty = false;  // a scalar whose ${…} could not be filled in: reported, without text
  Where where;
  std::string text;            // of a scalar
  std::vector<Node*> items;    // of a list
  std::vector<Entry> entries;  // of a map, in file order
  unsigned depth = 1;          // levels below and including this one, aliases followed
  std::size_t weight = 1;      // nodes below and including this one, aliases counted each time

  bool is_empty() const { return kind == NodeKind::empty; }
  bool is_scalar() const { return kind == NodeKind::scalar; }
  bool is_list() const { return kind == NodeKind::list; }
  bool is_map() const { return kind == NodeKind::map; }

  const Entry* find_entry(std::string_view name) const {
    for (const Entry& entry : entries) {
      if (entry.key->text == name) return &entry;
    }
    return nullptr;
  }
  // The value of a map's key; nullptr when it is absent or this is no map.
  const Node* find(std::string_view name) const {
    const Entry* entry = find_entry(name);
    return entry == nullptr ? nullptr : entry->value;
  }
  bool has(std::string_view name) const { return find_entry(name) != nullptr; }
};

struct Document {
  std::string file;
  std::deque<Node> nodes;  // owns all of them; addresses are stable
  Node* root = nullptr;    // nullptr for a file without content
};

}  // namespace portero::conf
