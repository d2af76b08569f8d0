#include "conf/load.hpp"

#include <algorithm>
#include <deque>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "conf/build.hpp"
#include "conf/build_values.hpp"
#include "conf/check.hpp"
#include "conf/load_yaml.hpp"
#include "conf/tree.hpp"
#include "conf/validate.hpp"

namespace portero::conf {
namespace {

class Loader {
 public:
  explicit Loader(const LoadOptions& options)
      : files_(options.files == nullptr ? disk_files() : *options.files),
        environment_(options.environment) {}

  LoadResult load(const std::string& path) {
    load_file(path, environment_, Origin{{path, 0, 0}, ""});
    BuildContext context{scopes_, files_, problems_, {}, {}, true};
    context.config.files = read_files_;
    // A file that could not be read may hold what the others miss.
    context.is_complete = is_complete_;
    build_config(context);
    if (is_complete_) validate(context);
    LoadResult result;
    result.files = read_files_;
    result.errors = problems_.take_errors();
    result.warnings = problems_.take_warnings();
    if (result.errors.empty()) {
      result.config = std::make_shared<const Config>(std::move(context.config));
    }
    return result;
  }

 private:
  // Who asked for a file, for the message when it cannot be read.
  struct Origin {
    Where where;
    std::string key_path;
  };

  void load_file(const std::string& path, const Environment& outer, const Origin& origin) {
    const Parsed<std::string> text = read(path, origin);
    if (!text) return;
    problems_.add_file(path, *text);
    Document& document = documents_.emplace_back();
    document.file = path;
    if (!parse_yaml(*text, document, problems_)) {
      is_complete_ = false;
      return;
    }
    Environment environment = outer;
    load_env_files(document, environment);
    expand(document, environment);
    resolve_tree(document, problems_);
    check_tree(*document.root, problems_);
    if (!document.root->is_map()) return;
    scopes_.push_back({path, document.root, environment});
    stack_.push_back(path);
    load_imports(document, environment);
    stack_.pop_back();
  }

  Parsed<std::string> read(const std::string& path, const Origin& origin) {
    note_file(path);
    Parsed<std::string> text = files_.read(path);
    if (!text) {
      const std::string name = origin.where.line == 0 ? "" : path + ": ";
      problems_.error({origin.where, origin.key_path, name + text.error().message, "", "", ""});
      is_complete_ = false;
    }
    return text;
  }

  void note_file(const std::string& path) {
    if (std::find(read_files_.begin(), read_files_.end(), path) == read_files_.end()) {
      read_files_.push_back(path);
    }
  }

  // The scalars of a key of the root, filled in with what is known so far. Faults are left to
  // expand(), which sees the same text later.
  static std::vector<std::pair<const Node*, std::string>> root_texts(const Document& document,
                                                                     std::string_view key,
                                                                     const Environment& known) {
    std::vector<std::pair<const Node*, std::string>> texts;
    const Node* node = document.root->find(key);
    if (node == nullptr) return texts;
    Expander expander(known);
    const auto add = [&](const Node& scalar) {
      std::string text;
      if (scalar.is_scalar() && !expander.expand(scalar.text, text) && !text.empty()) {
        texts.emplace_back(&scalar, std::move(text));
      }
    };
    add(*node);
    for (const Node* item : node->items) add(*item);
    return texts;
  }

  void load_env_files(const Document& document, Environment& environment) {
    for (const auto& [node, name] : root_texts(document, "env_file", environment)) {
      const std::string path = resolve_path(document.file, name);
      const Parsed<std::string> text = read(path, {node->where, "env_file"});
      if (!text) continue;
      problems_.add_file(path, {});  // its lines are secrets
      environment.add_file(path, parse_dotenv(*text, path, environment, problems_));
    }
  }

  void expand(Document& document, const Environment& environment) {
    Expander expander(environment);
    std::set<const Node*> done;  // aliases share nodes
    expand_below(*document.root, KeyPath{}, expander, done);
  }

  void expand_below(Node& node, const KeyPath& path, Expander& expander,
                    std::set<const Node*>& done) {
    if (!done.insert(&node).second) return;
    expand_scalar(node, path, expander);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      expand_below(*node.items[i], path.item(i), expander, done);
    }
    for (const Entry& entry : node.entries) {
      const std::string name = entry.key->text;
      if (done.insert(entry.key).second) expand_scalar(*entry.key, path.key(name), expander);
      expand_below(*entry.value, path.key(entry.key->text), expander, done);
    }
  }

  void expand_scalar(Node& node, const KeyPath& path, Expander& expander) {
    if (!node.is_scalar() || node.text.find("${") == std::string::npos) return;
    std::string text;
    const std::optional<Expander::Failure> failure = expander.expand(node.text, text);
    if (failure) {
      problems_.error({node.where, path.text(), failure->message, failure->expected, "", ""});
      node.is_faulty = true;
      text.clear();
    }
    node.text = std::move(text);
  }

  void load_imports(const Document& document, const Environment& environment) {
    const Node* list = document.root->find("import");
    if (list == nullptr) return;
    std::vector<const Node*> nodes =
        list->items.empty() ? std::vector<const Node*>{list}
                            : std::vector<const Node*>(list->items.begin(), list->items.end());
    for (const Node* node : nodes) {
      if (node->is_scalar() && !node->text.empty()) import(document, *node, environment);
    }
  }

  void import(const Document& document, const Node& node, const Environment& environment) {
    const std::string pattern = resolve_path(document.file, node.text);
    if (pattern.find_first_of("*?[") == std::string::npos) {
      import_file(pattern, node, environment);
      return;
    }
    for (const std::string& path : files_.glob(pattern)) {
      // `import: "*.yaml"` means the other files.
      if (path != document.file) import_file(path, node, environment);
    }
  }

  void import_file(const std::string& path, const Node& node, const Environment& environment) {
    const Origin origin{node.where, "import"};
    const auto report = [&](std::string message) {
      problems_.error({origin.where, origin.key_path, std::move(message), "", "", ""});
    };
    if (std::find(stack_.begin(), stack_.end(), path) != stack_.end()) {
      report(fmt::format("the files import each other: {} → {}", fmt::join(stack_, " → "), path));
      return;
    }
    const auto is_loaded = [&](const Document& document) { return document.file == path; };
    if (std::any_of(documents_.begin(), documents_.end(), is_loaded)) return;
    if (stack_.size() >= import_depth_max || documents_.size() >= import_files_max) {
      report("too many imports: at most 1000 files, 16 within each other");
      return;
    }
    load_file(path, environment, origin);
  }

  const FileSource& files_;
  Environment environment_;
  Problems problems_;
  std::deque<Document> documents_;  // nodes point into them
  std::vector<FileScope> scopes_;
  std::vector<std::string> stack_;  // the files that import each other right now
  std::vector<std::string> read_files_;
  bool is_complete_ = true;
};

}  // namespace

LoadResult load_config(const std::string& path, const LoadOptions& options) {
  return Loader(options).load(path);
}

}  // namespace portero::conf
