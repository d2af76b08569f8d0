#include "conf/check.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/placeholders.hpp"
#include "conf/describe.hpp"
#include "conf/forms.hpp"

namespace portero::conf {
namespace {

// What people who come from other servers write.
struct Habit {
  std::string_view written;
  std::string_view meant;
};
constexpr std::array<Habit, 26> habits = {{
    {"reverse_proxy", "proxy"},
    {"proxy_pass", "proxy"},
    {"backend", "proxy"},
    {"upstream", "to"},
    {"upstreams", "to"},
    {"servers", "to"},
    {"lb_policy", "balance"},
    {"redir", "redirect"},
    {"return", "respond"},
    {"response", "respond"},
    {"file_server", "files"},
    {"php_fastcgi", "php"},
    {"fastcgi_pass", "php"},
    {"header", "headers"},
    {"request_header", "headers_up"},
    {"header_up", "headers_up"},
    {"header_down", "headers_down"},
    {"handle", "routes"},
    {"locations", "routes"},
    {"uri", "rewrite"},
    {"gzip", "encode"},
    {"access_log", "log"},
    {"certificate", "cert"},
    {"app_id", "apps"},
    {"cert_file", "cert"},
    {"key_file", "key"},
}};

class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void check_root(const Node& root) {
    if (!root.is_map()) {
      problems_.error({root.where, "", misread_scalar(root, "the file holds no keys"),
                       "a map such as sites: …", "", ""});
      return;
    }
    check_object(root, {&root_object(), nullptr, Form::text}, KeyPath{});
  }

 private:
  // A map's keys, and what other names may stand for.
  struct MapShape {
    const Object* object;
    const Value* entries;
    Form names;
  };

  // A fault of a value. Inside a key that is not available only typos are told.
  void report(const Node& node, const KeyPath& path, std::string message, std::string expected = {},
              std::string suggestion = {}) {
    if (inside_unavailable_) return;
    report_key(node, path, std::move(message), std::move(expected), std::move(suggestion));
  }

  void report_key(const Node& node, const KeyPath& path, std::string message, std::string expected,
                  std::string suggestion) {
    problems_.error({node.where, path.text(), std::move(message), std::move(expected),
                     std::move(suggestion), ""});
  }

  void check_object(const Node& map, const MapShape& shape, const KeyPath& path) {
    for (const Entry& entry : map.entries) {
      const std::string_view name = entry.key->text;
      const KeyPath here = path.key(name);
      if (entry.key->is_faulty) continue;
      const Key* key = shape.object == nullptr ? nullptr : shape.object->find(name);
      if (key != nullptr) {
        check_key(entry, *key, here);
      } else if (shape.entries != nullptr) {
        check_name(*entry.key, shape, here);
        check_value(*entry.value, *shape.entries, here);
      } else if (shape.object != &root_object() || !name.starts_with("x-")) {
        report_unknown(entry, *shape.object, here);
      }
    }
    if (shape.object != nullptr) check_required(map, *shape.object, path);
  }

  void check_required(const Node& map, const Object& object, const KeyPath& path) {
    const auto is_meant = [&](const Entry& entry, std::string_view name) {
      return object.find(entry.key->text) == nullptr && guess(entry.key->text, object) == name;
    };
    for (const Key& key : object.keys) {
      if (!key.required || map.has(key.name)) continue;
      // One with a typo is reported as such.
      if (std::any_of(map.entries.begin(), map.entries.end(),
                      [&](const Entry& entry) { return is_meant(entry, key.name); })) {
        continue;
      }
      report(map, path, fmt::format("`{}` is missing", key.name));
    }
  }

  void check_key(const Entry& entry, const Key& key, const KeyPath& path) {
    if (key.available || inside_unavailable_) {
      check_value(*entry.value, key.value, path);
      return;
    }
    report_unavailable(*entry.key, path, fmt::format("`{}`", key.name), key.instead);
    // Its content is still checked for typos, but its keys are not reported one by one.
    inside_unavailable_ = true;
    check_value(*entry.value, key.value, path);
    inside_unavailable_ = false;
  }

  void check_name(const Node& key, const MapShape& shape, const KeyPath& path) {
    report_form(key, {.scalar = shape.names}, path);
  }

  void check_value(const Node& node, const Value& value, const KeyPath& path) {
    switch (node.kind) {
      case NodeKind::empty:
        if (!value.may_be_empty) report(node, path, "this key has no value", describe(value));
        return;
      case NodeKind::scalar: return check_scalar(node, value, path);
      case NodeKind::list: return check_list(node, value, path);
      case NodeKind::map: return check_map(node, value, path);
    }
  }

  void check_scalar(const Node& node, const Value& value, const KeyPath& path) {
    if (node.is_faulty) return;
    if (value.lists == Lists::only) {
      report(node, path, misread_scalar(node, "this is a text"), describe(value));
      return;
    }
    for (const Word& word : value.words) {
      if (word.text != node.text) continue;
      if (!word.available && !inside_unavailable_) {
        report_unavailable(node, path, fmt::format("\"{}\"", word.text), {},
                           describe_scalar(value));
      }
      return;
    }
    if (value.may_be_empty && node.text.empty()) return;
    if (value.scalar == Form::none) {
      report(node, path, misread_scalar(node, fmt::format("\"{}\" does not fit", node.text)),
             describe(value), near_word(node.text, value));
      return;
    }
    report_form(node, value, path);
  }

  void report_form(const Node& node, const Value& value, const KeyPath& path) {
    // A number in quotes is a text: `respond: "404"`.
    Value meant = value;
    if (node.quoted && value.scalar == Form::status_or_body) meant.scalar = Form::body;
    const std::optional<FormIssue> issue = check_form(meant, node.text);
    if (!issue || inside_unavailable_) return;
    Problem problem{node.where, path.text(), issue->message, "", issue->suggestion, ""};
    if (!issue->is_warning) problem.expected = describe_scalar(value);
    if (problem.suggestion.empty()) problem.suggestion = near_word(node.text, value);
    issue->is_warning ? problems_.warning(std::move(problem)) : problems_.error(std::move(problem));
  }

  void check_list(const Node& node, const Value& value, const KeyPath& path) {
    if (value.lists == Lists::no) {
      report(node, path, "this is a list", describe(value));
      return;
    }
    if (node.items.empty()) report(node, path, "this list is empty", describe(value));
    Value item = value;
    item.lists = Lists::no;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      check_value(*node.items[i], item, path.item(i));
    }
  }

  void check_map(const Node& node, const Value& value, const KeyPath& path) {
    if (const std::string_view name = unquoted_placeholder(node); !name.empty()) {
      report(node, path, fmt::format("{{{}}} is read as a map: put it in quotes", name), "",
             fmt::format("{{{}}}", name));
    } else if (value.lists == Lists::only) {
      report(node, path, "this is a map", describe(value));
    } else if (value.object != nullptr || value.entries != nullptr) {
      check_object(node, {value.object, value.entries, value.names}, path);
    } else {
      report(node, path, "this is a map", describe(value));
    }
  }

  // `redirect: {uri}` without quotes is the map {uri: null}.
  static std::string_view unquoted_placeholder(const Node& node) {
    if (!node.flow || node.entries.size() != 1 || !node.entries[0].value->is_empty()) return {};
    const std::string_view name = node.entries[0].key->text;
    return find_placeholder(name) != nullptr ? name : std::string_view();
  }

  // A text where a map belongs is often "key:value" without the space.
  static std::string misread_scalar(const Node& node, std::string message) {
    const std::size_t colon = node.text.find(':');
    if (node.is_scalar() && !node.quoted && colon != std::string::npos && colon > 0 &&
        node.text.find_first_of(" /.") > colon) {
      message += fmt::format("; a space is missing after `{}:`", node.text.substr(0, colon));
    }
    return message;
  }

  static std::string near_word(std::string_view text, const Value& value) {
    std::vector<std::string_view> words;
    for (const Word& word : value.words) {
      if (word.available) words.push_back(word.text);
    }
    return nearest(text, words);
  }

  void report_unavailable(const Node& node, const KeyPath& path, std::string what,
                          std::string_view instead, std::string expected = {}) {
    std::string message =
        fmt::format("{} is not available in this version of portero ({})", what, schema_version());
    if (!instead.empty()) message += fmt::format("; {}", instead);
    report(node, path, std::move(message), std::move(expected));
  }

  void report_unknown(const Entry& entry, const Object& object, const KeyPath& path) {
    std::vector<std::string_view> usable;
    for (const Key& key : object.keys) {
      if (key.available || inside_unavailable_) usable.push_back(key.name);
    }
    std::sort(usable.begin(), usable.end());
    std::string suggestion = guess(entry.key->text, object);
    std::string message = misread_scalar(*entry.key, "unknown key");
    if (suggestion.empty()) message += home_of(entry.key->text);
    report_key(*entry.key, path, std::move(message),
               fmt::format("one of {}", fmt::join(usable, ", ")), std::move(suggestion));
  }

  // The key of the object that was probably meant.
  static std::string guess(std::string_view written, const Object& object) {
    std::string meant = habit(written, object);
    if (!meant.empty()) return meant;
    std::vector<std::string_view> names;
    for (const Key& key : object.keys) names.push_back(key.name);
    return nearest(written, names);
  }

  static std::string habit(std::string_view written, const Object& object) {
    for (const Habit& habit : habits) {
      if (habit.written == written && object.find(habit.meant) != nullptr) {
        return std::string(habit.meant);
      }
    }
    return {};
  }

  // Where a key that is written in the wrong place belongs.
  static std::string home_of(std::string_view name) {
    std::vector<std::string> homes;
    for (const Object* object : all_objects()) {
      const Key* key = object->find(name);
      if (key == nullptr || !key->available || !is_available(*object)) continue;
      homes.push_back(object->path.empty() ? std::string("at the top level")
                                           : fmt::format("in `{}`", object->path));
    }
    if (homes.empty() || homes.size() > 4) return {};
    return fmt::format(" here; it belongs {}", fmt::join(homes, " or "));
  }

  Problems& problems_;
  bool inside_unavailable_ = false;
};

}  // namespace

void check_tree(const Node& root, Problems& problems) { Checker(problems).check_root(root); }

}  // namespace portero::conf
