// The reference page docs/config.md, from the schema table.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/placeholders.hpp"
#include "conf/forms.hpp"
#include "conf/schema.hpp"

namespace portero::conf {
namespace {

constexpr std::string_view introduction = R"(# The site file

This page is made from the table that checks the file (`conf/schema*.cpp`); a test fails when the
two differ. `portero schema` prints the same as a JSON Schema for editors.

```yaml
env_file: /var/www/app/.env        # REVERB_APP_ID, REVERB_APP_KEY, REVERB_APP_SECRET
sites:
  example.com:
    hub: true                      # WebSockets for Laravel Echo and pusher-js
    proxy: nginx:80                # everything else
```

## How it is read

- Unknown keys are errors, and all errors of the file and its imports are told at once, each with
  file, line, column and the key. An invalid file is never started or reloaded.
- A short form is accepted where it can mean only one thing: `proxy: nginx:80`, `proxy: [a:80,
  b:80]` and `proxy: {to: [a:80, b:80], balance: least_conn}` are the same key.
- `${NAME}` and `${NAME:-default}` are filled in when the file is read, in any key or value:
  first from the environment, then from the files of `env_file`. A name that is not set and has
  no default is an error; the default also replaces an empty value. `$${` stands for `${`. Inside
  `{ }` and `[ ]` YAML wants quotes around them.
- Files are named relative to the file that names them. `env_file` holds for the file that names
  it and for what it imports, so that each import can have an application of its own.
- Anchors, aliases and merge keys (`<<: *name`) work inside one file. Top-level keys that start
  with `x-` are left alone: they are the place for anchors.
- `import` reads more files of the same form. `sites` and `hub.apps` of all files are put
  together; any other key may stand in one of them only.

## Units

| unit | written | |
| --- | --- | --- |
| duration | `100ms`, `30s`, `5m`, `12h`, `7d`, `1h30m` | `0` where it is allowed |
| size | `500B`, `10KB`, `10MB`, `64KiB`, `1GiB` | powers of 1000 or 1024; a bare number is bytes |
| rate | `60/min per connection`, `100/s` | `s`, `min`, `h`, `d`, or a duration |
| network | `10.0.0.0/8`, `::1` | `private`, `loopback` and `cloudflare` are lists of networks |
| address | `nginx:80`, `[::1]:80`, `:9000`, `https://host`, `unix:/run/x.sock` | `:9000` is here |

## Names of sites

`example.com`, `*.example.com` (in quotes; one label), `http://plain.example.com`,
`localhost:8443`, `:8080` (any name on this port, in quotes). A name with TLS is served on
`https_port`, and requests to `http_port` are redirected there. Plain HTTP are names with
`http://`, with the number of `http_port`, with `tls: off`, and a port alone without `tls`.
Without `tls`, portero's own CA signs for IP addresses, names without a dot, `localhost` and
names below `.localhost`, `.test`, `.internal`, `.local` and `.home.arpa`.
)";

constexpr std::string_view hub_text = R"(
Without `hub.apps`, `hub: true` takes its one application from the environment or `env_file`, by
the names that Laravel uses: `REVERB_APP_ID`, `REVERB_APP_KEY` and `REVERB_APP_SECRET` (`portero
keys` makes them), and optionally `REVERB_APP_MAX_CONNECTIONS`, `REVERB_APP_MAX_MESSAGE_SIZE`
(bytes), `REVERB_APP_PING_INTERVAL` and `REVERB_APP_ACTIVITY_TIMEOUT` (seconds),
`REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM` (`members`, `all`, `none`),
`REVERB_APP_RATE_LIMITING_ENABLED` (`true`), `REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS`,
`REVERB_APP_RATE_LIMIT_DECAY_SECONDS` and `REVERB_APP_RATE_LIMIT_TERMINATE` (`true`: `over: close`).
)";

std::string words_of(const Value& value) {
  std::string out;
  for (const Word& word : value.words) {
    if (!word.available) continue;
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", word.text);
  }
  return out;
}

// "duration", "`auto`, `off` or map", "address or list".
std::string shape_of(const Value& value) {
  std::vector<std::string> parts;
  if (std::string words = words_of(value); !words.empty()) parts.push_back(std::move(words));
  if (value.scalar != Form::none) parts.emplace_back(form_info(value.scalar).column);
  if (value.object != nullptr) {
    const std::string link = fmt::format("[map](#{})", value.object->name);
    parts.push_back(value.lists == Lists::only ? fmt::format("list of {}s", link) : link);
  }
  if (value.entries != nullptr) {
    const std::string_view names = form_info(value.names).column;
    parts.push_back(
        value.entries->object == nullptr
            ? fmt::format("map of {} to {}", names, shape_of(*value.entries))
            : fmt::format("map of {} to [map](#{})", names, value.entries->object->name));
  }
  if (value.lists == Lists::also) parts.emplace_back("list");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string bounds_of(const Value& value) {
  if (value.bounds.max == Bounds{}.max) return {};
  const auto show = [&](std::int64_t bound) {
    if (value.scalar == Form::duration) return format_duration(Duration(bound));
    if (value.scalar == Form::size) return format_size(static_cast<std::uint64_t>(bound));
    return std::to_string(bound);
  };
  return fmt::format(" {}–{}", show(value.bounds.min), show(value.bounds.max));
}

std::string row_of(const Key& key) {
  const std::string fallback = key.required           ? "required"
                               : key.fallback.empty() ? "–"
                                                      : fmt::format("`{}`", key.fallback);
  return fmt::format("| `{}` | {}{} | {} | {} | {} |\n", key.name, shape_of(key.value),
                     bounds_of(key.value), fallback, key.since, key.doc);
}

void append_object(const Object& object, std::string& out) {
  out += fmt::format("\n<a id=\"{}\"></a>\n\n## {}\n\n", object.name, object.title);
  std::vector<std::string> lead;
  if (!object.path.empty()) lead.push_back(fmt::format("`{}`.", object.path));
  if (!object.doc.empty()) lead.emplace_back(object.doc);
  out += fmt::format("{}\n\n| key | value | default | since | meaning |\n", fmt::join(lead, " "));
  out += "| --- | --- | --- | --- | --- |\n";
  std::string missing;
  for (const Key& key : object.keys) {
    if (key.available) {
      out += row_of(key);
    } else {
      missing += fmt::format("{}`{}`", missing.empty() ? "" : ", ", key.name);
    }
  }
  if (!missing.empty()) {
    out += fmt::format("\nKnown, but an error in this version: {}.\n", missing);
  }
  if (object.name == "hub") out += hub_text;
}

void append_placeholders(std::string& out) {
  out +=
      "\n## Placeholders\n\nThey are filled in for each request, in header fields, `respond`, "
      "`redirect` and `rewrite`.\n\n| placeholder | value |\n| --- | --- |\n";
  for (const Placeholder& placeholder : placeholders()) {
    const bool takes_name = placeholder.takes_name();
    out += fmt::format("| `{{{}{}}}` | {} |\n", placeholder.name, takes_name ? "NAME" : "",
                       placeholder.doc);
  }
}

}  // namespace

std::string reference_markdown() {
  std::string out(introduction);
  for (const Object* object : all_objects()) {
    if (is_available(*object)) append_object(*object, out);
  }
  append_placeholders(out);
  return out;
}

}  // namespace portero::conf
