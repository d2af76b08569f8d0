#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

const std::string* scalar(const Node& map, std::string_view name) {
  const Node* node = map.find(name);
  return node == nullptr || !node->is_scalar() ? nullptr : &node->text;
}

}  // namespace

std::vector<std::string> texts_of(const Node* node) {
  std::vector<std::string> texts;
  if (node == nullptr) return texts;
  if (node->is_scalar()) texts.push_back(node->text);
  for (const Node* item : node->items) {
    if (item->is_scalar()) texts.push_back(item->text);
  }
  return texts;
}

void read_text(const Node& map, std::string_view name, std::string& out) {
  if (const std::string* text = scalar(map, name); text != nullptr) out = *text;
}

void read_boolean(const Node& map, std::string_view name, bool& out) {
  if (const std::string* text = scalar(map, name); text != nullptr) out = *text == "true";
}

void read_duration(const Node& map, std::string_view name, Duration& out) {
  const std::string* text = scalar(map, name);
  if (text == nullptr) return;
  if (const Parsed<Duration> parsed = parse_duration(*text); parsed) out = *parsed;
}

void read_size(const Node& map, std::string_view name, std::size_t& out) {
  const std::string* text = scalar(map, name);
  if (text == nullptr) return;
  if (const Parsed<std::uint64_t> parsed = parse_size(*text); parsed) out = *parsed;
}

void read_unsigned(const Node& map, std::string_view name, unsigned& out) {
  const std::string* text = scalar(map, name);
  if (text == nullptr) return;
  const Parsed<std::int64_t> parsed = parse_integer(*text, {0, 0xFFFF'FFFF});
  if (parsed) out = static_cast<unsigned>(*parsed);
}

void read_port(const Node& map, std::string_view name, std::uint16_t& out) {
  unsigned port = out;
  read_unsigned(map, name, port);
  if (port > 0 && port < 65536) out = static_cast<std::uint16_t>(port);
}

void read_networks(const Node& map, std::string_view name, std::vector<std::string>& out) {
  const Node* node = map.find(name);
  if (node == nullptr) return;
  out.clear();
  for (const std::string& text : texts_of(node)) {
    const Parsed<std::vector<std::string>> networks = parse_networks(text);
    if (networks) out.insert(out.end(), networks->begin(), networks->end());
  }
}

void read_timeouts(const Node& map, Timeouts& out) {
  const Node* node = map.find("timeouts");
  if (node == nullptr) return;
  read_duration(*node, "header", out.header);
  read_duration(*node, "body", out.body);
  read_duration(*node, "idle", out.idle);
  read_duration(*node, "write", out.write);
}

std::vector<std::pair<std::string, std::string>> read_pairs(const Node* map) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (map == nullptr) return pairs;
  for (const Entry& entry : map->entries) {
    for (std::string& text : texts_of(entry.value)) {
      pairs.emplace_back(entry.key->text, std::move(text));
    }
  }
  return pairs;
}

HeaderEdit read_headers(const Node* map) {
  HeaderEdit edit;
  if (map == nullptr) return edit;
  edit.set = read_pairs(map->find("set"));
  edit.add = read_pairs(map->find("add"));
  edit.remove = texts_of(map->find("remove"));
  if (const Node* replace = map->find("replace"); replace != nullptr) {
    for (const Entry& entry : replace->entries) {
      Replacement change{entry.key->text, {}, {}};
      read_text(*entry.value, "from", change.from);
      read_text(*entry.value, "to", change.to);
      edit.replace.push_back(std::move(change));
    }
  }
  return edit;
}

}  // namespace portero::conf
