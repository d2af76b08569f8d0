#include "conf/forms.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/access_fields.hpp"
#include "base/bytes.hpp"
#include "base/placeholders.hpp"
#include "base/regexp.hpp"
#include "conf/addresses.hpp"

namespace portero::conf {
namespace {

using Issue = std::optional<FormIssue>;

FormIssue issue(std::string message, std::string suggestion = {}) {
  return {std::move(message), std::move(suggestion), false};
}

template <class T>
Issue from(const Parsed<T>& parsed) {
  if (parsed) return std::nullopt;
  return issue(parsed.error().message, parsed.error().suggestion);
}

bool is_token(std::string_view text) {  // RFC 9110 §5.6.2
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

Issue check_text(std::string_view text) {
  if (text.empty()) return issue("this is empty");
  if (has_control(text)) return issue("this holds a control character");
  return std::nullopt;
}

Issue check_placeholders(std::string_view text, bool strict) {
  for (const std::string_view name : find_placeholders(text)) {
    if (find_placeholder(name) != nullptr) continue;
    std::vector<std::string_view> names;
    for (const Placeholder& known : placeholders()) names.push_back(known.name);
    std::string near = nearest(name, names);
    if (near.ends_with('.')) near += "NAME";
    FormIssue found = issue(fmt::format("{{{}}} is not a placeholder", name),
                            near.empty() ? near : fmt::format("{{{}}}", near));
    if (!strict) found.message += " and is sent as it is";
    found.is_warning = !strict;
    return found;
  }
  return std::nullopt;
}

Issue check_template(std::string_view text) {
  if (Issue found = check_text(text)) return found;
  return check_placeholders(text, true);
}

Issue check_path(std::string_view text, bool pattern) {
  if (Issue found = check_text(text)) return found;
  if (text.front() == '/' || (pattern && text.front() == '*')) return std::nullopt;
  return issue(fmt::format("\"{}\" is not a path: it starts with /", text),
               fmt::format("/{}", text));
}

Issue check_path_template(std::string_view text) {
  if (Issue found = check_template(text)) return found;
  if (text.front() == '/' || text.front() == '{') return std::nullopt;
  return issue(fmt::format("\"{}\" is not a path: it starts with /", text),
               fmt::format("/{}", text));
}

Issue check_file_choice(std::string_view text) {
  if (!text.starts_with('=')) return check_template(text);
  if (parse_integer(text.substr(1), {200, 599})) return std::nullopt;
  return issue(fmt::format("\"{}\" is not = and a status", text), "=404");
}

Issue check_php_file(std::string_view text) {
  if (text.starts_with('=')) return check_file_choice(text);
  constexpr std::string_view index = "{index}";  // known here alone
  const std::size_t at = text.find(index);
  if (at == std::string_view::npos) return check_template(text);
  return check_template(fmt::format("{}x{}", text.substr(0, at), text.substr(at + index.size())));
}

Issue check_access_field(std::string_view text) {
  const bool is_parameter =
      text.starts_with(access_query_prefix) && text.size() > access_query_prefix.size();
  const std::vector<std::string_view> fields(access_fields.begin(), access_fields.end());
  if (is_parameter || std::find(fields.begin(), fields.end(), text) != fields.end()) {
    return std::nullopt;
  }
  return issue(fmt::format("an access line has no field \"{}\"", text), nearest(text, fields));
}

Issue check_regexp(std::string_view text) {
  if (text.empty()) return issue("this is empty");
  const Regexp regexp(text);
  if (regexp.error().empty()) return std::nullopt;
  return issue(fmt::format("this is not a regular expression: {}", regexp.error()));
}

Issue check_redirect_target(std::string_view text) {
  if (Issue found = check_template(text)) return found;
  if (text.front() == '/' || text.front() == '{') return std::nullopt;
  if (text.starts_with("http://") || text.starts_with("https://")) return std::nullopt;
  return issue(fmt::format("\"{}\" is neither a path nor a URL", text),
               fmt::format("https://{}", text));
}

Issue check_method(std::string_view text) {
  if (!is_token(text)) return issue(fmt::format("\"{}\" is not a method", text));
  return std::nullopt;
}

Issue check_header_name(std::string_view text) {
  if (is_token(text)) return std::nullopt;
  return issue(fmt::format("\"{}\" is not the name of a header field", text));
}

Issue check_url(std::string_view text) {
  if (text.starts_with("http://") || text.starts_with("https://")) return check_text(text);
  return issue(fmt::format("\"{}\" is not a URL", text));
}

Issue check_status_or_body(std::string_view text) {
  const bool digits = !text.empty() && text.size() <= 3 &&
                      text.find_first_not_of("0123456789") == std::string_view::npos;
  return digits ? from(parse_integer(text, {200, 599})) : check_placeholders(text, false);
}

Issue check_redirect_status(std::string_view text) {
  constexpr std::array<std::string_view, 5> known = {"301", "302", "303", "307", "308"};
  if (std::find(known.begin(), known.end(), text) != known.end()) return std::nullopt;
  return issue(fmt::format("\"{}\" is not the status of a redirect", text));
}

// What YAML 1.1 and people take for true and false; nullopt for anything else.
std::optional<bool> read_switch(std::string_view text) {
  if (iequals(text, "yes") || iequals(text, "on") || iequals(text, "true")) return true;
  if (iequals(text, "no") || iequals(text, "off") || iequals(text, "false")) return false;
  return std::nullopt;
}

Issue check_boolean(std::string_view text) {
  if (text == "true" || text == "false") return std::nullopt;
  const std::optional<bool> meant = read_switch(text);
  return issue(fmt::format("\"{}\" does not fit", text), !meant ? "" : *meant ? "true" : "false");
}

Issue check_file(std::string_view text) {
  if (Issue found = check_text(text)) return found;
  if (!read_switch(text)) return std::nullopt;
  return issue(fmt::format("\"{}\" does not fit; a file of that name is ./{}", text, text));
}

// Letters that need no escape in a URL's path. Source: RFC 3986 §2.3.
Issue check_id(std::string_view text, std::string_view what) {
  const bool valid = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
  });
  if (valid) return std::nullopt;
  return issue(text.empty() ? fmt::format("the {} is empty", what)
                            : fmt::format("this {} cannot stand in a URL", what));
}

Issue check_duration(std::string_view text, Bounds bounds) {
  const Parsed<Duration> parsed = parse_duration(text);
  if (!parsed) return from(parsed);
  if (parsed->count() < bounds.min) {
    return issue(fmt::format("{} is below {}", text, format_duration(Duration(bounds.min))));
  }
  if (parsed->count() > bounds.max) {
    return issue(fmt::format("{} is above {}", text, format_duration(Duration(bounds.max))));
  }
  return std::nullopt;
}

Issue check_size(std::string_view text, Bounds bounds) {
  const Parsed<std::uint64_t> parsed = parse_size(text);
  if (!parsed) return from(parsed);
  const auto bytes = static_cast<std::int64_t>(*parsed);
  const auto show = [](std::int64_t limit) {
    return format_size(static_cast<std::uint64_t>(limit));
  };
  if (bytes < bounds.min) return issue(fmt::format("{} is below {}", text, show(bounds.min)));
  if (bytes > bounds.max) return issue(fmt::format("{} is above {}", text, show(bounds.max)));
  return std::nullopt;
}

Issue check_subject(std::string_view subject, const Value& value, std::string_view text) {
  if (value.subject.empty() || subject.empty() || subject == value.subject) return std::nullopt;
  std::string meant(text.substr(0, text.size() - subject.size()));
  return issue(fmt::format("this is counted per {}, not per {}", value.subject, subject),
               meant.append(value.subject));
}

Issue check_loopback_listen(std::string_view text) {
  const Parsed<ListenAddress> parsed = parse_listen(text);
  if (!parsed) return from(parsed);
  if (parsed->loopback) return std::nullopt;
  return issue(fmt::format("{} can be reached from outside, and what is published there is not "
                           "encrypted: other machines use a site's `/apps` over TLS",
                           text),
               fmt::format("127.0.0.1:{}", parsed->port));
}

Issue check_percent(std::string_view text) {
  if (!text.ends_with('%')) return issue(fmt::format("\"{}\" is not a percentage", text));
  return from(parse_integer(text.substr(0, text.size() - 1), {0, 100}));
}

Issue check_site_names(std::string_view text) {
  for (const std::string_view name : split_site_names(text)) {
    if (name.empty()) return issue("a name is missing beside the comma");
    if (Issue found = from(parse_site_name(name))) return found;
  }
  return std::nullopt;
}

Issue check_status_list(std::string_view text) {
  for (const std::string_view status : split_site_names(text)) {
    if (Issue found = from(parse_integer(status, {400, 599}))) return found;
  }
  return std::nullopt;
}

Issue check_measure(const Value& value, std::string_view text) {
  switch (value.scalar) {
    case Form::integer: return from(parse_integer(text, value.bounds));
    case Form::duration: return check_duration(text, value.bounds);
    case Form::size: return check_size(text, value.bounds);
    case Form::percent: return check_percent(text);
    case Form::rate: {
      const Parsed<Rate> rate = parse_rate(text);
      return rate ? check_subject(rate->subject, value, text) : from(rate);
    }
    default: {
      const Parsed<Quota> quota = parse_quota(text);
      return quota ? check_subject(quota->subject, value, text) : from(quota);
    }
  }
}

}  // namespace

Issue check_form(const Value& value, std::string_view text) {
  switch (value.scalar) {
    case Form::none:
    case Form::count_: return std::nullopt;
    case Form::integer:
    case Form::duration:
    case Form::size:
    case Form::rate:
    case Form::quota:
    case Form::percent: return check_measure(value, text);
    case Form::boolean: return check_boolean(text);
    case Form::network: return from(parse_networks(text));
    case Form::upstream: return from(parse_upstream(text));
    case Form::fastcgi: return from(parse_fastcgi(text));
    case Form::listen: return from(parse_listen(text));
    case Form::loopback_listen: return check_loopback_listen(text);
    case Form::bind_address: return from(parse_bind(text));
    case Form::unix_socket: return from(parse_unix(text));
    case Form::url: return check_url(text);
    case Form::method: return check_method(text);
    case Form::path_pattern: return check_path(text, true);
    case Form::path_prefix: return check_path(text, false);
    case Form::host_pattern: return from(parse_host_pattern(text));
    case Form::header_name: return check_header_name(text);
    case Form::header_value:
      return has_control(text) ? issue("this holds a control character")
                               : check_placeholders(text, true);
    case Form::template_text: return check_template(text);
    case Form::path_template: return check_path_template(text);
    case Form::php_file: return check_php_file(text);
    case Form::file_choice: return check_file_choice(text);
    case Form::body: return check_placeholders(text, false);
    case Form::redirect_target: return check_redirect_target(text);
    case Form::status_or_body: return check_status_or_body(text);
    case Form::status: return from(parse_integer(text, {200, 599}));
    case Form::redirect_status: return check_redirect_status(text);
    case Form::app_id: return check_id(text, "id");
    case Form::app_key: return check_id(text, "key");
    case Form::site_names: return check_site_names(text);
    case Form::status_list: return check_status_list(text);
    case Form::text:
    case Form::secret: return check_text(text);
    case Form::file:
    case Form::folder:
    case Form::file_pattern: return check_file(text);
    case Form::regexp: return check_regexp(text);
    case Form::file_mode:
      return parse_file_mode(text) ? Issue()
                                   : issue(fmt::format("\"{}\" is no octal mode", text), "0640");
    case Form::access_field: return check_access_field(text);
  }
  return std::nullopt;
}

std::string nearest(std::string_view text, const std::vector<std::string_view>& words) {
  const std::string lower = to_lower(text);
  // A third of the letters may differ; short words allow one.
  const auto limit = static_cast<unsigned>(std::clamp<std::size_t>(text.size() / 3, 1, 3));
  unsigned best = limit + 1;
  std::string_view found;
  for (const std::string_view word : words) {
    const unsigned distance =
        std::min(edit_distance(text, word, limit), edit_distance(lower, word, limit));
    if (distance < best) {
      best = distance;
      found = word;
    }
  }
  return std::string(found);
}

}  // namespace portero::conf
