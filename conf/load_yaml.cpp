#include "conf/load_yaml.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/bytes.hpp"
#include "conf/tree.hpp"
#include "conf/yaml_hints.hpp"

namespace portero::conf {
namespace {

// Builds the tree from yaml-cpp's events; a fault of the structure is thrown as yaml-cpp throws
// its own, and caught in parse_yaml.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Document& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(make(NodeKind::empty, mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto target = anchors_.find(anchor);
    if (target == anchors_.end()) {
      throw YAML::ParserException(mark, "this alias stands inside the value that it names");
    }
    attach(target->second, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node* node = make(NodeKind::scalar, mark);
    node->text = value;
    node->quoted = tag == "!";
    finish(node, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(NodeKind::list, mark, tag, {anchor, style});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(NodeKind::map, mark, tag, {anchor, style});
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Node* node;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    Node* key = nullptr;  // of a map: waits for its value
  };
  struct Look {
    YAML::anchor_t anchor;
    YAML::EmitterStyle::value style;
  };

  Node* make(NodeKind kind, const YAML::Mark& mark) {
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.where = {document_.file, mark.line + 1, mark.column + 1};
    return &node;
  }

  void open(NodeKind kind, const YAML::Mark& mark, const std::string& tag, Look look) {
    refuse_tag(mark, tag);
    if (levels_.size() >= tree_depth_max) refuse_depth(mark);
    Node* node = make(kind, mark);
    node->flow = look.style == YAML::EmitterStyle::Flow;
    levels_.push_back({node, look.anchor, mark, nullptr});
  }

  void close() {
    const Level level = levels_.back();
    levels_.pop_back();
    Node& node = *level.node;
    for (const Node* item : node.items) count(node, *item);
    for (const Entry& entry : node.entries) {
      count(node, *entry.key);
      count(node, *entry.value);
    }
    if (node.depth > tree_depth_max) refuse_depth(level.mark);
    if (node.weight > tree_nodes_max) {
      throw YAML::ParserException(
          level.mark,
          fmt::format("with its aliases this holds more than {} values", tree_nodes_max));
    }
    finish(&node, level.anchor);
  }

  static void count(Node& parent, const Node& child) {
    parent.depth = std::max(parent.depth, child.depth + 1);
    parent.weight = std::min(parent.weight + child.weight, 2 * tree_nodes_max);
  }

  void finish(Node* node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    attach(node, {});
  }

  // Hangs a complete node below the innermost open one. `mark` is that of an alias.
  void attach(Node* node, const YAML::Mark& mark) {
    if (levels_.empty()) {
      document_.root = node;
      return;
    }
    Level& level = levels_.back();
    if (level.node->is_list()) {
      level.node->items.push_back(node);
    } else if (level.key == nullptr) {
      if (!node->is_scalar()) refuse_key(*node, mark);
      level.key = node;
    } else {
      // yaml-cpp marks a missing value where the next token stands: far away.
      if (node->is_empty()) node->where = level.key->where;
      level.node->entries.push_back({level.key, node});
      level.key = nullptr;
    }
  }

  [[noreturn]] static void refuse_key(const Node& node, const YAML::Mark& alias) {
    YAML::Mark mark = alias;
    if (mark.line == 0 && mark.column == 0) {
      mark.line = node.where.line - 1;
      mark.column = node.where.column - 1;
    }
    throw YAML::ParserException(
        mark, node.is_empty() ? "a key is missing before the colon" : "a key is plain text");
  }

  [[noreturn]] static void refuse_depth(const YAML::Mark& mark) {
    throw YAML::ParserException(mark, fmt::format("more than {} levels", tree_depth_max));
  }

  // "!" marks a quoted scalar and "?" a plain one; the standard types change nothing here.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "!" || tag == "?" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw YAML::ParserException(mark, fmt::format("the tag {} means nothing here", tag));
  }

  Document& document_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Node*> anchors_;
};

std::string_view line_at(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find('\n'));
}

Problem syntax_problem(const YAML::Exception& error, std::string_view text,
                       const std::string& file) {
  int line = std::max(error.mark.line, 0);
  int column = std::max(error.mark.column, 0);
  std::string hint = yaml_hint(error.msg, line_at(text, line));
  // An unfinished line is noticed in the next one.
  if (hint.empty() && line > 0) {
    const std::string_view before = line_at(text, line - 1);
    hint = yaml_hint(error.msg, before);
    if (!hint.empty()) {
      --line;
      column = static_cast<int>(std::min(before.find_first_not_of(" \t"), before.size()));
    }
  }
  Problem problem;
  problem.where = {file, line + 1, column + 1};
  problem.message = plain_yaml_message(error.msg) + (hint.empty() ? "" : "; " + hint);
  return problem;
}

// yaml-cpp takes the end of the file for the end of a quoted text. Throws at the opening quote.
void check_quotes(std::string_view text, const Document& document) {
  std::vector<std::size_t> line_starts = {0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts.push_back(i + 1);
  }
  for (const Node& node : document.nodes) {
    if (!node.quoted) continue;
    const auto line = static_cast<std::size_t>(node.where.line - 1);
    if (line >= line_starts.size()) continue;
    const std::size_t at = line_starts[line] + static_cast<std::size_t>(node.where.column - 1);
    if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) continue;
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != text[at]) {
      end += text[at] == '"' && text[end] == '\\' ? 2 : 1;
    }
    if (end < text.size()) continue;
    YAML::Mark mark;
    mark.line = node.where.line - 1;
    mark.column = node.where.column - 1;
    throw YAML::ParserException(mark, "this text in quotes does not end");
  }
}

void parse_documents(std::string_view text, Document& document, Problems& problems) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder(document);
  parser.HandleNextDocument(builder);
  check_quotes(text, document);
  if (document.root == nullptr || document.root->is_empty()) {
    document.root = &document.nodes.emplace_back();
    document.root->kind = NodeKind::map;
    document.root->where = {document.file, 1, 1};
  }
  Node* const first = document.root;
  TreeBuilder next(document);
  if (!parser.HandleNextDocument(next)) return;
  problems.error(
      {document.root->where, "", "a second document starts here; a site file is one", "", "", ""});
  document.root = first;
}

bool check_utf8(std::string_view text, const std::string& file, Problems& problems) {
  if (is_utf8(text)) return true;
  int number = 1;
  while (is_utf8(line_at(text, 0))) {
    text.remove_prefix(text.find('\n') + 1);
    ++number;
  }
  problems.error({{file, number, 1}, "", "this line is not UTF-8", "", "", ""});
  return false;
}

}  // namespace

bool parse_yaml(std::string_view text, Document& document, Problems& problems) {
  if (!check_utf8(text, document.file, problems)) return false;
  try {
    parse_documents(text, document, problems);
    return true;
  } catch (const YAML::Exception& error) {
    problems.error(syntax_problem(error, text, document.file));
  } catch (const std::exception& error) {
    problems.error({{document.file, 1, 1}, "", error.what(), "", "", ""});
  }
  document.root = nullptr;
  return false;
}

}  // namespace portero::conf
