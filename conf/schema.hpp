// The one table of the site file: every key, what it accepts, its default and its meaning. From it
// come the checks and suggestions of the loader, `portero schema` and docs/config.md. Keys that a
// later version will honour stand in it too, so that a typo is told apart from a missing feature.
// Thread: any (constant data).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "conf/units.hpp"

namespace portero::conf {

// What a scalar must look like; forms.hpp says it in words and checks it.
enum class Form : std::uint8_t {
  none,  // no scalar, or only the `words`
  text,
  secret,  // text that is never shown
  boolean,
  integer,
  duration,
  size,
  rate,
  quota,
  percent,
  network,
  upstream,
  fastcgi,  // where PHP-FPM listens
  listen,
  loopback_listen,
  bind_address,
  unix_socket,
  url,
  method,
  path_pattern,
  path_prefix,
  host_pattern,
  header_name,
  header_value,     // may hold placeholders
  template_text,    // may hold placeholders
  path_template,    // a path that may hold placeholders
  php_file,         // the same with {index}, or =404
  file_choice,      // the same, or =404
  body,             // may hold placeholders; other braces are text
  redirect_target,  // may hold placeholders
  status_or_body,
  status,
  redirect_status,
  file,
  folder,
  file_pattern,
  app_id,
  app_key,
  site_names,
  status_list,
  regexp,
  file_mode,     // octal
  access_field,  // of an access line
  count_         // not a form: the number of them
};

struct Word {
  std::string_view text;
  bool available = true;
};

enum class Lists : std::uint8_t { no, also, only };

struct Object;

// What stands behind a key. Several shapes may be allowed: a scalar, a list of what is allowed
// alone, a map.
struct Value {
  Form scalar = Form::none;
  std::span<const Word> words = {};  // accepted beside the scalar form
  Bounds bounds = {};                // of an integer, milliseconds or bytes
  std::string_view subject = {};     // what a rate or quota counts; "" = any
  Lists lists = Lists::no;
  const Object* object = nullptr;  // a map with these keys
  const Value* entries = nullptr;  // a map with names of the form `names`, each with this value
  Form names = Form::text;
  bool may_be_empty = false;
};

struct Key {
  std::string_view name;
  Value value;
  std::string_view fallback = {};  // the default as it would be written; "" = none
  std::string_view doc = {};       // one line of Markdown
  std::string_view since = "0.1";
  bool required = false;
  bool available = true;          // in this version
  std::string_view instead = {};  // what to do while it is not available
};

// A map with a fixed set of keys.
struct Object {
  std::string_view name;   // of the definition in the JSON Schema
  std::string_view title;  // heading of the reference page
  std::string_view path;   // where it stands: "sites.NAME.proxy"
  std::string_view doc;
  std::span<const Key> keys;

  const Key* find(std::string_view key) const {
    for (const Key& candidate : keys) {
      if (candidate.name == key) return &candidate;
    }
    return nullptr;
  }
};

const Object& root_object();

// All objects, in the order of the reference page.
std::span<const Object* const> all_objects();

// Whether any part of an object can be used in this version.
bool is_available(const Object& object);

// "0.1": the version that messages speak of.
std::string schema_version();

// A JSON Schema (2020-12) of the keys that this version honours, without a newline at its end.
std::string json_schema();

// docs/config.md. Ends with a newline.
std::string reference_markdown();

}  // namespace portero::conf
