// PORTERO_UPDATE=1 writes docs/config.md anew from the table.

#include "conf/schema.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "conf/check.hpp"
#include "conf/forms.hpp"
#include "conf/load.hpp"
#include "dump.hpp"

namespace portero::conf {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

LoadResult load(const std::string& text) {
  const MemoryFiles memory({{"f", text}});
  return load_config("f", {{}, &memory});
}

// Calls `visit(object, key)` for each key of each object.
template <class Visit>
void for_each_key(const Visit& visit) {
  for (const Object* object : all_objects()) {
    for (const Key& key : object->keys) visit(*object, key);
  }
}

void collect(const Value& value, std::set<const Object*>& objects) {
  if (value.object != nullptr) objects.insert(value.object);
  if (value.entries != nullptr) collect(*value.entries, objects);
}

// A site file with one line at the place that `path` names; {} stands for the key and its value.
std::string file_with(std::string_view object, const std::string& line) {
  const std::map<std::string_view, std::string_view> places = {
      {"root", "{}"},
      {"log", "log:\n  {}"},
      {"timeouts", "timeouts:\n  {}"},
      {"site", "sites:\n  a.test:\n    respond: ok\n    {}"},
      {"tls", "sites:\n  a.test:\n    respond: ok\n    tls:\n      {}"},
      {"access_log", "sites:\n  a.test:\n    respond: ok\n    log:\n      {}"},
      {"proxy", "sites:\n  a.test:\n    proxy:\n      to: a:80\n      {}"},
      {"proxy_timeouts",
       "sites:\n  a.test:\n    proxy:\n      to: a:80\n      timeouts:\n        {}"},
      {"proxy_tls", "sites:\n  a.test:\n    proxy:\n      to: a:80\n      tls:\n        {}"},
      {"respond", "sites:\n  a.test:\n    respond:\n      {}"},
      {"redirect", "sites:\n  a.test:\n    redirect:\n      to: /\n      {}"},
      {"hub_app", "hub:\n  apps:\n    one:\n      key: k\n      secret: s\n      {}"},
      {"presence",
       "hub:\n  apps:\n    one:\n      key: k\n      secret: s\n      presence:\n        {}"},
  };
  const auto place = places.find(object);
  if (place == places.end()) return {};
  std::string text(place->second);
  return text.replace(text.find("{}"), 2, line) + "\n";
}

}  // namespace

TEST_CASE("schema: docs/config.md equals the table") {
  const fs::path path = fs::path(PORTERO_SOURCE_DIR) / "docs/config.md";
  if (std::getenv("PORTERO_UPDATE") != nullptr) {
    std::ofstream(path, std::ios::binary) << reference_markdown();
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  CHECK(text.str() == reference_markdown());
}

TEST_CASE("schema: every key has a meaning, names stand once, objects are all listed") {
  std::set<const Object*> listed(all_objects().begin(), all_objects().end());
  std::set<std::string_view> names;
  for (const Object* object : all_objects()) {
    CHECK(names.insert(object->name).second);
    std::set<std::string_view> keys;
    for (const Key& key : object->keys) {
      CAPTURE(key.name);
      CHECK(keys.insert(key.name).second);
      CHECK(!key.doc.empty());
      CHECK(key.doc.find('|') == std::string_view::npos);
      CHECK(key.available != !key.instead.empty());
      std::set<const Object*> used;
      collect(key.value, used);
      for (const Object* other : used) CHECK(listed.contains(other));
    }
  }
}

TEST_CASE("schema: every form is described") {
  for (std::size_t i = 1; i < static_cast<std::size_t>(Form::count_); ++i) {
    CHECK(!form_info(static_cast<Form>(i)).phrase.empty());
    CHECK(!form_info(static_cast<Form>(i)).column.empty());
  }
}

TEST_CASE("schema: writing a default out changes nothing") {
  std::size_t checked = 0;
  for_each_key([&](const Object& object, const Key& key) {
    if (!key.available || key.fallback.empty()) return;
    const std::string line = fmt::format("{}: {}", key.name, key.fallback);
    const std::string with = file_with(object.name, line);
    if (with.empty()) return;
    CAPTURE(with);
    // A comment in its place keeps the lines; an object needs a key, so it is left out.
    std::string without = with;
    const bool is_only_key = object.name == "log" || object.name == "timeouts" ||
                             object.name == "tls" || object.name == "access_log" ||
                             object.name == "proxy_timeouts" || object.name == "proxy_tls" ||
                             object.name == "respond" || object.name == "presence";
    if (is_only_key) {
      without.replace(without.find(line), line.size(), "{}");
    } else {
      without.replace(without.find(line), line.size(), "# default");
    }
    const LoadResult changed = load(with);
    const LoadResult standard = load(without);
    CHECK(changed.errors.empty());
    REQUIRE(changed.config);
    REQUIRE(standard.config);
    std::string expected = dump(*standard.config);
    CHECK(dump(*changed.config) == expected);
    ++checked;
  });
  CHECK(checked >= 30);
}

TEST_CASE("schema: the JSON Schema describes what is available and nothing else") {
  const std::string text = json_schema();
  json::error_code error;
  const json::value schema = json::parse(text, error);
  REQUIRE(!error);
  const json::object& root = schema.as_object();
  CHECK(root.at("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(root.at("additionalProperties") == false);
  CHECK(root.at("properties").as_object().contains("sites"));
  CHECK(!root.at("$defs")
             .as_object()
             .at("hub_app")
             .as_object()
             .at("properties")
             .as_object()
             .contains("history"));
  const json::object& definitions = root.at("$defs").as_object();
  for_each_key([&](const Object& object, const Key& key) {
    CAPTURE(key.name);
    if (object.name == "root" || !is_available(object)) return;
    const json::object& properties =
        definitions.at(object.name).as_object().at("properties").as_object();
    CHECK(properties.contains(key.name) == key.available);
  });
  CHECK(!definitions.contains("history"));
  CHECK(definitions.at("hub_app").at("required").as_array().size() == 2);
}

TEST_CASE("schema: every reference of the JSON Schema leads somewhere") {
  const std::string text = json_schema();
  const json::value schema = json::parse(text);
  const json::object& definitions = schema.at("$defs").as_object();
  constexpr std::string_view prefix = "\"#/$defs/";
  std::size_t at = text.find(prefix);
  std::size_t count = 0;
  while (at != std::string::npos) {
    const std::size_t begin = at + prefix.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    CAPTURE(name);
    CHECK(definitions.contains(name));
    at = text.find(prefix, begin);
    ++count;
  }
  CHECK(count > 15);
}

TEST_CASE("schema: a key that is not available never loads") {
  for_each_key([&](const Object& object, const Key& key) {
    if (key.available) return;
    const std::string text = file_with(object.name, fmt::format("{}: x", key.name));
    if (text.empty()) return;
    CAPTURE(text);
    const LoadResult result = load(text);
    const auto tells = [](const Problem& problem) {
      return problem.message.find("is not available in this version") != std::string::npos;
    };
    CHECK(std::any_of(result.errors.begin(), result.errors.end(), tells));
  });
}

TEST_CASE("schema: a letter that is missing is found for every key") {
  for_each_key([&](const Object& object, const Key& key) {
    if (key.name.size() < 4 || object.name == "root") return;
    std::string typo(key.name);
    typo.erase(2, 1);
    const std::string text = file_with(object.name, fmt::format("{}: x", typo));
    if (text.empty() || object.find(typo) != nullptr) return;
    CAPTURE(text);
    const LoadResult result = load(text);
    REQUIRE(!result.errors.empty());
    CHECK(result.errors[0].suggestion == key.name);
  });
}

}  // namespace portero::conf
